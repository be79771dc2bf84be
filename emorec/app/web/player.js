// <emorec-timeline>: moves its playhead with the clip's player, and the player with itself.
class Timeline extends HTMLElement {
  connectedCallback() {
    this.duration = Number(this.dataset.duration);
    this.said = JSON.parse(this.dataset.said);
    for (const name of ["tracks", "playing", "head", "now"]) this[name] = this.querySelector(`.${name}`);
    const player = this.player = this.closest(".look")?.querySelector(".player");
    this.tracks.addEventListener("click", event => {
      const place = this.playing.getBoundingClientRect();
      this.seek((event.clientX - place.left) / place.width * this.duration);
    });
    this.tracks.addEventListener("keydown", event => this.onKey(event));
    if (player) {
      if (player.readyState) this.rest(); else player.addEventListener("loadedmetadata", () => this.rest(), { once: true });
      const unplayable = () => {
        player.parentElement.querySelector(".unplayable").hidden = false;
        player.hidden = true;
      };
      player.addEventListener("error", unplayable);
      if (player.error) unplayable();
      for (const name of ["timeupdate", "seeked"]) {
        player.addEventListener(name, () => { if (!this.isResting) this.show(player.currentTime); });
      }
      player.addEventListener("play", () => {
        if (this.isResting) this.seek(0);
        this.follow();
      });
    }
    this.show(0);
  }

  // A picture from within the clip stands for it until it is played, from its start.
  rest() {
    const player = this.player;
    this.isResting = player.tagName === "VIDEO";
    if (this.isResting) this.show(this.duration / 2);
    if (player.duration === Infinity) {
      // A browser's own recording states no length until its end was looked for.
      player.addEventListener("durationchange", () => { player.currentTime = this.at; }, { once: true });
      player.currentTime = 1e9;
    } else if (this.isResting) {
      player.currentTime = this.at;
    }
  }

  follow() {
    if (this.player.paused || !this.isConnected) return;
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
    this.isResting = false;
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
