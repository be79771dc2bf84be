// <emorec-intake>: takes files and recordings, sends them, and shows what was found.
import { LOST, element, mediaProblem, openMedia, pageId, startClock, work } from "./identity.js";

const LARGEST_BYTES = 200e6;
const LONGEST_S = 600;
const MOST_CLIPS = 40;

class Intake extends HTMLElement {
  connectedCallback() {
    for (const name of ["sending", "drop", "found", "recording"]) this[name] = this.querySelector(`.${name}`);
    this.input = this.querySelector("input[type=file]");
    this.input.addEventListener("change", () => this.take([...this.input.files]));
    const deeds = {
      choose: () => this.input.click(),
      example: () => this.example(),
      camera: () => this.record({ video: { width: { ideal: 1280 } }, audio: true }),
      voice: () => this.record({ audio: true }),
    };
    for (const [name, deed] of Object.entries(deeds)) this.querySelector(`[data-do=${name}]`).onclick = deed;
    for (const name of ["dragover", "dragleave", "drop"]) {
      this.drop.addEventListener(name, event => {
        event.preventDefault();
        this.drop.classList.toggle("over", name === "dragover");
        if (name === "drop") this.take([...event.dataTransfer.files]);
      });
    }
    this.found.addEventListener("click", event => {
      if (event.target.matches(".draw")) this.draw(event.target);
    });
    // The players of rows load once they are to be seen; this event does not bubble.
    this.found.addEventListener("toggle", event => event.target.querySelector(".player")?.setAttribute("preload", "metadata"), true);
  }

  busy(is) {
    // A button that is disabled loses the keyboard, and gets it back.
    this.held = this.querySelector("[data-do]:focus") ?? this.held;
    for (const button of this.querySelectorAll("[data-do]")) button.disabled = is;
    if (!is && document.activeElement === document.body) this.held?.focus({ preventScroll: true });
    this.found.setAttribute("aria-busy", is);
  }

  // What was found before leaves as soon as something new is wanted.
  begin() {
    this.sending.replaceChildren();
    this.found.replaceChildren();
    this.busy(true);
  }

  problem(text, name = "") {
    const line = element("p", { className: "problem" }, name && element("strong", { textContent: `${name}: ` }), text);
    line.setAttribute("role", "alert");
    this.sending.append(element("li", {}, line));
  }

  step(text) {
    const bar = element("progress", { max: 1 });
    bar.setAttribute("aria-label", text);
    const name = element("span", { textContent: text });
    const item = element("li", {}, name, bar);
    this.sending.append(item);
    return { item, name, bar };
  }

  async take(files) {
    this.input.value = "";
    if (!files.length) return;
    this.begin();
    if (files.length > MOST_CLIPS) {
      this.problem(`These are ${files.length} clips; ${MOST_CLIPS} at once are taken. The command line takes any number: emorec classify.`);
      this.busy(false);
      return;
    }
    const tokens = [];
    for (const file of files) {
      const { item, bar } = this.step(`Sending ${file.name}`);
      try {
        tokens.push(await this.send(file, bar));
      } catch (error) {
        this.problem(error.message, file.name);
      }
      item.remove();
    }
    await this.read(tokens);
  }

  async example() {
    this.begin();
    const { item } = this.step("Fetching a clip of a made-up person");
    let token, problem = LOST;
    try {
      ({ token, problem } = await (await fetch(`emorec/example/${pageId}`, { method: "POST", body: "{}" })).json());
    } catch { /* said below */ }
    item.remove();
    if (!token) this.problem(problem);
    await this.read(token ? [token] : []);
  }

  async read(tokens) {
    if (tokens.length) {
      this.classList.add("worked");
      const everybody = this.querySelector("[name=everybody]").checked;
      const { item, name, bar } = this.step("Waiting");
      for await (const told of work(`emorec/read/${pageId}`, { tokens, everybody })) {
        if (told.html) {
          this.found.insertAdjacentHTML("beforeend", told.html);
          if (this.found.getBoundingClientRect().top > innerHeight / 2) this.found.scrollIntoView();
        }
        if (told.problem) this.problem(told.problem);
        if (told.what) name.textContent = told.what;
        if (told.share) bar.value = told.share;
      }
      item.remove();
      // One row of downloads: what one clip has of its own stands with the files of all.
      const own = this.found.querySelector("article .downloads");
      const files = this.found.querySelector("nav.downloads");
      if (own && files) {
        files.append(...own.childNodes);
        files.dataset.of = own.dataset.of;
        own.replaceWith(files);
      }
    }
    this.busy(false);
  }

  async draw(button) {
    const row = button.closest(".downloads");
    const drawing = [...this.found.querySelectorAll(".draw")];
    for (const other of drawing) other.disabled = true;
    const bar = element("progress", { max: 1, value: 0 });
    bar.setAttribute("aria-label", "Making the annotated video");
    const share = element("span", { className: "share", textContent: "0%" });
    button.replaceWith(bar, share);
    for await (const told of work(`emorec/draw/${pageId}/${row.dataset.of}`)) {
      if (told.share) {
        bar.value = told.share;
        share.textContent = `${Math.round(100 * told.share)}%`;
      }
      if (told.problem) this.problem(told.problem);
      if (told.html) {
        row.insertAdjacentHTML("beforeend", told.html);
        row.querySelector("video").previousElementSibling.focus({ preventScroll: true });
      }
      if (told.problem) row.append(button);
    }
    bar.remove();
    share.remove();
    for (const other of drawing) other.disabled = false;
  }

  send(file, bar) {
    if (file.size > LARGEST_BYTES) {
      return Promise.reject(new Error(
        `It is too large (${Math.round(file.size / 1e6)} MB): a clip may have ${LARGEST_BYTES / 1e6} MB. Cut it or save it smaller, or use the command line, which has no such limit: emorec classify.`));
    }
    return new Promise((done, fail) => {
      const request = new XMLHttpRequest();
      request.open("POST", `emorec/upload/${pageId}`);
      request.setRequestHeader("X-Clip-Name", encodeURIComponent(file.name));
      request.upload.onprogress = event => { bar.value = event.loaded / Math.max(1, event.total); };
      request.onerror = () => fail(new Error(`It could not be sent. ${LOST}`));
      request.onload = () => {
        let answer = {};
        try { answer = JSON.parse(request.responseText); } catch { /* no JSON: said below */ }
        if (request.status === 200 && answer.token) done(answer.token);
        else fail(new Error(answer.problem ?? `It could not be sent (${request.status}). Reload the page and try again.`));
      };
      request.send(file);
    });
  }

  async record(wanted) {
    this.begin();
    let stream;
    try {
      stream = await openMedia(wanted);
    } catch (error) {
      this.busy(false);
      this.problem(mediaProblem(error));
      return;
    }
    const place = this.recording;
    const button = (textContent, className, onclick) => element("button", { type: "button", textContent, className, onclick });
    const read = button("Stop and read", "button first", () => end(true));
    const clock = element("time");
    place.append(
      element("p", { className: "clock" }, element("i", { className: "dot" }), "Recording", clock),
      element("div", { className: "actions" }, read, button("Throw away", "button", () => end(false))),
    );
    if (wanted.video) {
      place.prepend(element("video", { className: "mirrored", muted: true, autoplay: true, playsInline: true, srcObject: stream }));
    }
    place.hidden = false;
    const kinds = ["video/webm;codecs=vp8,opus", "video/webm", "video/mp4"].map(
      kind => wanted.video ? kind : kind.replace("video/", "audio/").replace("vp8,", ""));
    const mimeType = kinds.find(kind => MediaRecorder.isTypeSupported(kind));
    const recorder = new MediaRecorder(stream, mimeType ? { mimeType } : {});
    const pieces = [];
    recorder.ondataavailable = event => pieces.push(event.data);
    const stopClock = startClock(clock, passed => { if (passed > LONGEST_S - 5) end(true); });
    const end = keep => {
      stopClock();
      recorder.onstop = () => {
        for (const track of stream.getTracks()) track.stop();
        place.hidden = true;
        place.replaceChildren();
        this.busy(false);
        const type = recorder.mimeType;
        const name = `recording.${type.includes("mp4") ? "mp4" : "webm"}`;
        if (keep && pieces.length) this.take([new File(pieces, name, { type })]);
      };
      if (recorder.state === "inactive") recorder.onstop(); else recorder.stop();
    };
    recorder.start(1000);
    read.focus();
  }
}

customElements.define("emorec-intake", Intake);
