// <emorec-live>: sends the camera's grey frames and the microphone's sound, shows the verdicts.
// The form of the messages is described in live_tab.py.
import { mediaProblem, openMedia, socketAddress, startClock } from "./identity.js";

const LONGER_SIDE = 640;
// Between two frames: as short as the answers allow, for frames left out were sent for nothing.
const SHORTEST_PAUSE_MS = 35;
const LONGEST_PAUSE_MS = 120;
const MOST_WAITING_BYTES = 1_000_000;
const FRAME = 1;
const SOUND = 2;
const COURSE_S = 60;

const seconds = () => performance.now() / 1000;
const words = ({ number, speaks, emotion, confidence }) =>
  `${number}${speaks ? " speaks" : ""}${emotion ? `: ${emotion} ${Math.round(100 * confidence)}%` : ""}`;

class Live extends HTMLElement {
  connectedCallback() {
    for (const name of ["view", "stage", "summary", "verdict", "clock"]) this[name] = this.querySelector(`.${name}`);
    this.video = this.querySelector("video");
    this.over = this.querySelector(".stage canvas");
    this.course = this.querySelector("canvas.course");
    this.button = { start: this.querySelector("[data-do=start]"), stop: this.querySelector("[data-do=stop]") };
    this.people = this.querySelector("[name=people]");
    this.button.start.onclick = () => this.start();
    this.button.stop.onclick = () => this.finish();
    this.onDevices = () => this.fillIn();
  }

  say(text) {
    this.querySelector("[role=status]").textContent = text;
  }

  async start() {
    this.button.start.disabled = this.people.disabled = true;
    this.say("Asking for camera and microphone …");
    this.tracks = { video: null, audio: null };
    this.skipped = this.leftOut = 0;
    this.told = [];
    this.summary.replaceChildren();
    this.pause = SHORTEST_PAUSE_MS;
    const problem = await this.fillIn();
    if (!this.tracks.video && !this.tracks.audio) {
      this.button.start.disabled = this.people.disabled = false;
      this.say(problem);
      return;
    }
    const socket = this.socket = new WebSocket(socketAddress(this.people.checked ? "emorec/live?people" : "emorec/live"));
    socket.binaryType = "arraybuffer";
    socket.onmessage = message => this.show(JSON.parse(message.data));
    socket.onclose = () => { if (this.socket === socket) this.stop(this.problem ?? "The connection to emorec was lost. Start again."); };
    navigator.mediaDevices.addEventListener("devicechange", this.onDevices);
    this.problem = null;
    this.view.hidden = false;
    this.clock.hidden = false;
    this.endClock = startClock(this.clock.querySelector("time"));
    this.button.start.hidden = true;
    this.button.stop.hidden = false;
    this.button.stop.focus();
    this.watching = setInterval(() => {
      // In another tab of the page nobody sees it: camera and microphone are let go.
      if (!this.offsetParent) this.stop("Stopped, because you left this tab.");
    }, 500);
  }

  // Opens what is missing of camera and microphone: both at first, later what was unplugged.
  async fillIn() {
    const missing = ["video", "audio"].filter(kind => !this.tracks[kind]);
    let problem = "";
    const wish = { video: { width: { ideal: 640 }, frameRate: { ideal: 30 } }, audio: true };
    const attempts = missing.length === 2 ? [missing, ["video"], ["audio"]] : missing.map(kind => [kind]);
    for (const kinds of attempts) {
      if (kinds.some(kind => this.tracks[kind])) continue;
      try {
        const stream = await openMedia(Object.fromEntries(kinds.map(kind => [kind, wish[kind]])));
        for (const track of stream.getTracks()) await this.use(track);
      } catch (error) {
        problem = mediaProblem(error);
      }
    }
    this.sayWhatIsThere();
    this.stage.classList.toggle("absent", !this.tracks.video);
    return problem;
  }

  sayWhatIsThere() {
    const { video, audio } = this.tracks;
    if (video && audio) this.say("Camera and microphone are read. Nothing is kept.");
    else if (video) this.say("There is no microphone: the voice is missing. It is used as soon as there is one.");
    else if (audio) this.say("There is no camera: face and geometry are missing. It is used as soon as there is one.");
    else this.say("Camera and microphone have stopped. Plug one in, or stop and start again.");
  }

  async use(track) {
    this.tracks[track.kind] = track;
    track.onended = () => {
      this.tracks[track.kind] = null;
      if (track.kind === "video") this.box = null;
      this.sayWhatIsThere();
      this.fillIn();
    };
    const stream = new MediaStream([track]);
    if (track.kind === "video") {
      this.video.srcObject = stream;
      await this.video.play().catch(() => {});
      this.grabbing = (this.grabbing ?? 0) + 1;
      this.grab(this.grabbing);
    } else {
      await this.listen(stream);
    }
  }

  // One frame after the other, as the camera delivers them; none is queued behind a slow network.
  grab(turn) {
    if (turn !== this.grabbing || !this.tracks?.video) return;
    const next = () => this.grab(turn);
    if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(next);
    else setTimeout(next, 40);
    const now = performance.now();
    if (now - (this.grabbedAt ?? 0) < this.pause || !this.video.videoWidth) return;
    this.grabbedAt = now;
    const scale = Math.min(1, LONGER_SIDE / Math.max(this.video.videoWidth, this.video.videoHeight));
    const width = Math.round(this.video.videoWidth * scale);
    const height = Math.round(this.video.videoHeight * scale);
    if (!this.ready()) return;
    const picture = this.picture ??= document.createElement("canvas");
    if (picture.width !== width || picture.height !== height) Object.assign(picture, { width, height });
    const context = this.context ??= picture.getContext("2d", { willReadFrequently: true });
    context.drawImage(this.video, 0, 0, width, height);
    const pixels = context.getImageData(0, 0, width, height).data;
    const message = new Uint8Array(16 + width * height);
    const head = new DataView(message.buffer);
    head.setUint8(0, FRAME);
    head.setUint16(4, width, true);
    head.setUint16(6, height, true);
    head.setFloat64(8, now / 1000, true);
    for (let from = 0, to = 16; to < message.length; from += 4, to++) {
      message[to] = (77 * pixels[from] + 150 * pixels[from + 1] + 29 * pixels[from + 2]) >> 8;
    }
    this.size = [width, height];
    this.socket.send(message);
  }

  ready() {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    if (this.socket.bufferedAmount < MOST_WAITING_BYTES) return true;
    this.skipped++;
    return false;
  }

  async listen(stream) {
    this.sound?.close();
    const sound = this.sound = new AudioContext();
    await sound.audioWorklet.addModule(new URL("live_worklet.js", import.meta.url));
    const collector = new AudioWorkletNode(sound, "emorec-collector", { numberOfOutputs: 0 });
    sound.createMediaStreamSource(stream).connect(collector);
    await sound.resume();
    let begins = null;
    collector.port.onmessage = ({ data }) => {
      const length = data.length / sound.sampleRate;
      // Counted from the samples, so that no jitter gets in; set right after an interruption.
      if (begins === null || Math.abs(begins + length - seconds()) > 0.3) begins = seconds() - length;
      if (this.socket?.readyState === WebSocket.OPEN) {
        const message = new ArrayBuffer(16 + 4 * data.length);
        const head = new DataView(message);
        head.setUint8(0, SOUND);
        head.setUint32(4, sound.sampleRate, true);
        head.setFloat64(8, begins, true);
        new Float32Array(message, 16).set(data);
        this.socket.send(message);
      }
      begins += length;
    };
  }

  show(told) {
    if (told.problem) {
      this.problem = told.problem;
      return;
    }
    if ("summary" in told) {
      this.summary.innerHTML = told.summary;
      this.stop(told.summary ? "Stopped. Nothing was kept." : "Stopped: neither a voice nor a face was there.");
      return;
    }
    for (const panel of this.view.querySelectorAll(".panel")) this.fill(panel, told);
    const fused = told.probabilities.fused;
    const best = fused ? told.emotions[fused.indexOf(Math.max(...fused))] : "";
    const badge = this.verdict.querySelector(".badge");
    badge.className = `badge e-${best}`;
    badge.textContent = best ? `${best} ${Math.round(100 * Math.max(...fused))}%` : "…";
    this.querySelector(".live-words").textContent = { "": "Listening and looking", unsure: `Unsure, perhaps ${best}` }[told.word]
      ?? `${told.word[0].toUpperCase()}${told.word.slice(1)} ${best}`;
    this.querySelector(".live-people").textContent = told.people.map(words).join(" · ");
    this.outline(this.marks(told, best));
    this.draw(told);
    // Frames that were left out were sent for nothing.
    const leftOut = told.dropped + this.skipped;
    this.pause = leftOut > this.leftOut
      ? Math.min(this.pause * 1.25, LONGEST_PAUSE_MS)
      : Math.max(this.pause * 0.98, SHORTEST_PAUSE_MS);
    this.leftOut = leftOut;
    this.querySelector(".live-notes").textContent = told.notes.join(" · ");
    this.dataset.verdicts = Number(this.dataset.verdicts ?? 0) + 1;
  }

  fill(panel, told) {
    const posterior = told.probabilities[panel.dataset.stream];
    const highest = posterior ? Math.max(...posterior) : 0;
    const parts = panel.querySelectorAll(".stack rect");
    panel.querySelector(".best").textContent = posterior ? `${told.emotions[posterior.indexOf(highest)]} ${Math.round(100 * highest)}%` : "not there";
    let sum = 0;
    told.emotions.forEach((name, index) => {
      const share = posterior?.[index] ?? 0;
      const row = panel.querySelector(`[data-emotion=${name}]`);
      row.classList.toggle("best", Boolean(posterior) && share === highest);
      row.querySelector("rect").setAttribute("width", `${100 * share}%`);
      row.querySelector(".share").textContent = posterior ? `${Math.round(100 * share)}%` : "";
      parts[index].setAttribute("x", `${100 * sum}%`);
      parts[index].setAttribute("width", `${100 * share}%`);
      sum += share;
    });
  }

  // The course of all together over the last minute, one column for each moment that was told.
  draw(told) {
    if (!told.probabilities.fused) return;
    this.told.push([seconds(), told.probabilities.fused]);
    while (this.told[0][0] < seconds() - COURSE_S) this.told.shift();
    this.colors ??= told.emotions.map(name => this.shade(name));
    const { width, height } = this.course;
    const context = this.course.getContext("2d");
    context.clearRect(0, 0, width, height);
    const begun = Math.min(this.told[0][0], seconds() - COURSE_S / 6);
    const place = time => (time - begun) / (seconds() - begun) * width;
    this.told.forEach(([time, posterior], index) => {
      const next = this.told[index + 1]?.[0] ?? seconds();
      let floor = height;
      posterior.forEach((share, emotion) => {
        context.fillStyle = this.colors[emotion];
        context.fillRect(place(time), floor - share * height, place(next) - place(time) + 1, share * height);
        floor -= share * height;
      });
    });
  }

  shade(emotion) {
    const probe = this.querySelector(`.legend .e-${emotion}`);
    return probe ? getComputedStyle(probe).getPropertyValue("--shade") : "#fff";
  }

  // What is marked in the picture: everybody, who speaks last; or the one face.
  marks(told, best) {
    if (!told.people.length) return told.face_box ? [{ box: told.face_box, color: this.shade(best), wide: false, text: "" }] : [];
    return [...told.people].sort((one, other) => one.speaks - other.speaks).map(
      person => ({ box: person.box, color: this.shade(person.emotion), wide: person.speaks, text: words(person) }));
  }

  outline(marks = []) {
    const { over, size } = this;
    if (!size) return;
    if (over.width !== size[0] || over.height !== size[1]) [over.width, over.height] = size;
    const context = over.getContext("2d");
    context.clearRect(0, 0, ...size);
    if (!this.video.srcObject) return;
    context.font = "bold 16px sans-serif";
    for (const { box: [x, y, side], color, wide, text } of marks) {
      context.strokeStyle = color;
      context.lineWidth = wide ? 8 : 4;
      context.strokeRect(x, y, side, side);
      // The picture is shown mirrored, and so are letters, if they are not turned round before.
      context.save();
      context.translate(x + side, Math.max(y - 8, 16));
      context.scale(-1, 1);
      context.strokeStyle = "#000";
      context.lineWidth = 4;
      context.strokeText(text, 0, 0);
      context.fillStyle = color;
      context.fillText(text, 0, 0);
      context.restore();
    }
  }

  // Asks for what was found in all; the answer ends it.
  finish() {
    this.button.stop.disabled = true;
    this.say("Putting it together …");
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send("stop"); else this.stop("Stopped.");
    this.release();
  }

  release() {
    clearInterval(this.watching);
    this.endClock?.();
    navigator.mediaDevices?.removeEventListener("devicechange", this.onDevices);
    for (const track of Object.values(this.tracks ?? {})) {
      if (track) track.onended = null;
      track?.stop();
    }
    this.tracks = { video: null, audio: null };
    this.sound?.close();
    this.sound = null;
    this.video.srcObject = null;
    this.outline();
    this.clock.hidden = true;
  }

  stop(text) {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.release();
    this.view.hidden = true;
    this.button.stop.hidden = true;
    this.button.stop.disabled = false;
    Object.assign(this.button.start, { hidden: false, disabled: false });
    this.people.disabled = false;
    if (text) this.say(text);
  }
}

customElements.define("emorec-live", Live);
