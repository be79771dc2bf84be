// <emorec-intake>: takes files and recordings, sends them, and says which ones arrived.
import { mediaProblem, openMedia, pageId } from "./identity.js";

const LARGEST_BYTES = 200e6;
const LONGEST_S = 600;
const MOST_CLIPS = 40;

class Intake extends HTMLElement {
  connectedCallback() {
    if (this.firstChild) return;
    this.innerHTML = `
      <div class="em-drop">
        <div class="em-actions">
          <button type="button" class="em-button em-first" data-do="choose">Choose clips</button>
          <button type="button" class="em-button" data-do="camera">Record with the camera</button>
          <button type="button" class="em-button" data-do="voice">Record the voice only</button>
        </div>
        <p>Video or sound of a speaking person, up to ${LARGEST_BYTES / 1e6} MB and
          ${LONGEST_S / 60} minutes each; several at once give a table. Or drop them here.</p>
        <input type="file" multiple hidden aria-label="Clips">
        <div class="em-recording" hidden></div>
      </div>
      <ul class="em-sending" aria-live="polite"></ul>`;
    this.input = this.querySelector("input");
    this.list = this.querySelector(".em-sending");
    this.drop = this.querySelector(".em-drop");
    this.input.addEventListener("change", () => this.take([...this.input.files]));
    this.querySelector("[data-do=choose]").onclick = () => this.input.click();
    this.querySelector("[data-do=camera]").onclick = () => this.record({ video: true, audio: true });
    this.querySelector("[data-do=voice]").onclick = () => this.record({ audio: true });
    for (const name of ["dragover", "dragleave", "drop"]) {
      this.drop.addEventListener(name, event => {
        event.preventDefault();
        this.drop.classList.toggle("em-over", name === "dragover");
        if (name === "drop") this.take([...event.dataTransfer.files]);
      });
    }
  }

  disconnectedCallback() {
    this.endRecording?.();
  }

  busy(is) {
    for (const button of this.querySelectorAll("[data-do]")) button.disabled = is;
  }

  problem(text, item = document.createElement("li")) {
    const line = document.createElement("p");
    line.className = "em-problem";
    line.setAttribute("role", "alert");
    line.textContent = text;
    item.append(line);
    this.list.append(item);
  }

  async take(files) {
    this.input.value = "";
    if (!files.length) return;
    this.list.replaceChildren();
    if (files.length > MOST_CLIPS) {
      this.problem(`These are ${files.length} clips; ${MOST_CLIPS} at once are taken. The command line takes any number: emorec classify.`);
      return;
    }
    this.busy(true);
    const tokens = [];
    for (const file of files) {
      const item = document.createElement("li");
      const name = document.createElement("span");
      name.textContent = file.name;
      const bar = document.createElement("progress");
      bar.max = 1;
      bar.setAttribute("aria-label", `Sending ${file.name}`);
      item.append(name, bar);
      this.list.append(item);
      try {
        tokens.push(await this.send(file, bar));
        item.remove();
      } catch (error) {
        bar.remove();
        this.problem(error.message, item);
      }
    }
    this.busy(false);
    if (tokens.length) {
      const detail = { page: pageId, tokens };
      this.deliver(detail);
    }
  }

  // Gradio may still be setting up its ear; who hears it prevents the default.
  deliver(detail) {
    const event = new CustomEvent("emorec-clips", { detail, bubbles: true, cancelable: true });
    if (this.dispatchEvent(event)) setTimeout(() => this.deliver(detail), 200);
  }

  send(file, bar) {
    if (file.size > LARGEST_BYTES) {
      return Promise.reject(new Error(
        `It is too large (${Math.round(file.size / 1e6)} MB): a clip may have ${LARGEST_BYTES / 1e6} MB. Cut it or save it smaller, or use the command line, which has no such limit: emorec classify.`));
    }
    return new Promise((done, fail) => {
      const request = new XMLHttpRequest();
      request.open("POST", new URL(`emorec/upload/${pageId}`, document.baseURI));
      request.setRequestHeader("X-Clip-Name", encodeURIComponent(file.name));
      request.upload.onprogress = event => { bar.value = event.loaded / Math.max(1, event.total); };
      request.onerror = () => fail(new Error("It could not be sent: the connection to emorec was lost. Is it still running?"));
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
    this.list.replaceChildren();
    this.busy(true);
    let stream;
    try {
      stream = await openMedia(wanted.video ? { video: { width: { ideal: 1280 } }, audio: true } : wanted);
    } catch (error) {
      this.busy(false);
      this.problem(mediaProblem(error));
      return;
    }
    const place = this.querySelector(".em-recording");
    place.hidden = false;
    place.innerHTML = `
      ${wanted.video ? '<video class="em-mirrored" muted autoplay playsinline></video>' : ""}
      <p class="em-status" role="timer">Recording</p>
      <div class="em-actions">
        <button type="button" class="em-button em-first" data-end="read">Stop and read</button>
        <button type="button" class="em-button" data-end="away">Throw away</button>
      </div>`;
    if (wanted.video) place.querySelector("video").srcObject = stream;
    const kinds = ["video/webm;codecs=vp8,opus", "video/webm", "video/mp4"].map(
      kind => wanted.video ? kind : kind.replace("video/", "audio/").replace("vp8,", ""));
    const mimeType = kinds.find(kind => MediaRecorder.isTypeSupported(kind));
    const recorder = new MediaRecorder(stream, mimeType ? { mimeType } : {});
    const pieces = [];
    recorder.ondataavailable = event => pieces.push(event.data);
    const begun = performance.now();
    const clock = place.querySelector(".em-status");
    const ticking = setInterval(() => {
      const passed = (performance.now() - begun) / 1000;
      clock.textContent = `Recording: ${passed.toFixed(0)} s`;
      if (passed > LONGEST_S - 5) end(true);
    }, 250);
    const close = () => {
      clearInterval(ticking);
      for (const track of stream.getTracks()) track.stop();
      place.hidden = true;
      place.replaceChildren();
      this.endRecording = null;
      this.busy(false);
    };
    const end = keep => {
      recorder.onstop = () => {
        close();
        const type = recorder.mimeType;
        const name = `recording.${type.includes("mp4") ? "mp4" : "webm"}`;
        if (keep && pieces.length) this.take([new File(pieces, name, { type })]);
      };
      if (recorder.state === "inactive") recorder.onstop(); else recorder.stop();
    };
    this.endRecording = () => end(false);
    place.querySelector("[data-end=read]").onclick = () => end(true);
    place.querySelector("[data-end=away]").onclick = () => end(false);
    recorder.start(1000);
    place.querySelector("[data-end=read]").focus();
  }
}

customElements.define("emorec-intake", Intake);
