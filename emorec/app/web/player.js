// <emorec-timeline>: moves its playhead with the player before it, and the player with itself.
class Timeline extends HTMLElement {
  connectedCallback() {
    this.duration = Number(this.dataset.duration);
    this.said = JSON.parse(this.dataset.said);
    this.tracks = this.querySelector(".em-tracks");
    this.head = this.querySelector(".em-head");
    this.now = this.querySelector(".em-now");
    this.player = this.parentElement.querySelector(".em-player");
    this.tracks.addEventListener("click", event => {
      const place = this.querySelector(".em-playing").getBoundingClientRect();
      this.seek((event.clientX - place.left) / place.width * this.duration);
    });
    this.tracks.addEventListener("keydown", event => this.onKey(event));
    const player = this.player;
    if (player) {
      player.addEventListener("loadedmetadata", () => {
        // A browser's own recording states no length until its end was looked for.
        if (player.duration === Infinity) {
          player.addEventListener("durationchange", () => { player.currentTime = 0; }, { once: true });
          player.currentTime = 1e9;
        }
      });
      const unplayable = () => {
        const note = this.parentElement.querySelector(".em-unplayable");
        if (note) note.hidden = false;
        player.hidden = true;
      };
      player.addEventListener("error", unplayable);
      if (player.error) unplayable();
      for (const name of ["timeupdate", "seeked"]) player.addEventListener(name, () => this.show(player.currentTime));
      player.addEventListener("play", () => this.follow());
    }
    this.show(0);
  }

  follow() {
    if (!this.player || this.player.paused || !this.isConnected) return;
    this.show(this.player.currentTime);
    requestAnimationFrame(() => this.follow());
  }

  onKey(event) {
    const steps = { ArrowLeft: -0.5, ArrowRight: 0.5, PageDown: -5, PageUp: 5, Home: -Infinity, End: Infinity };
    if (event.key === " " && this.player && !this.player.hidden) {
      event.preventDefault();
      if (this.player.paused) this.player.play(); else this.player.pause();
    }
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.seek(this.at + steps[event.key]);
  }

  seek(time) {
    const at = Math.min(Math.max(time, 0), this.duration);
    if (this.player && !this.player.hidden) this.player.currentTime = at;
    this.show(at);
  }

  show(time) {
    this.at = Math.min(Math.max(time, 0), this.duration);
    this.head.style.left = `${100 * this.at / this.duration}%`;
    const parts = Object.entries(this.said).map(([stream, spans]) => {
      const span = spans.find(([from, to]) => from <= this.at && this.at < to);
      return span && `${stream}: ${span[2]} ${span[3]}%`;
    });
    const text = `${this.at.toFixed(1)} s · ${parts.filter(Boolean).join(" · ") || "nothing was read here"}`;
    if (this.now.textContent !== text) {
      this.now.textContent = text;
      this.tracks.setAttribute("aria-valuenow", this.at.toFixed(1));
      this.tracks.setAttribute("aria-valuetext", text);
    }
  }
}

customElements.define("emorec-timeline", Timeline);
