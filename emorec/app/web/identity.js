// What all parts of the page share: who it is to the server, and how it asks.

// Drawn afresh by every page; what was sent under it can be asked for by nobody else.
const bytes = crypto.getRandomValues(new Uint8Array(16));
export const pageId = Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");

export const LOST = "The connection to emorec was lost. Is it still running? Then try again.";

export function socketAddress(path) {
  const address = new URL(path, document.baseURI);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

// Asks for work that takes a while; yields what is told of it, line by line.
export async function* work(path, message = {}) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(message),
    });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = "", part = {}; !part.done;) {
      part = await reader.read();
      const lines = (text + (part.value ?? "")).split("\n");
      text = part.done ? "" : lines.pop();
      for (const line of lines.filter(Boolean)) yield JSON.parse(line);
    }
  } catch {
    yield { problem: LOST };
  }
}

// Why camera or microphone cannot be had, in words for the person before them.
export function mediaProblem(error) {
  if (!navigator.mediaDevices) {
    return "Browsers allow camera and microphone only on the machine itself (127.0.0.1) or over https. Choosing a file works here too.";
  }
  const reasons = {
    NotAllowedError: "The browser does not allow it. Allow camera and microphone for this page (often by the sign left of the address), then try again.",
    NotFoundError: "There is no camera or microphone here. Plug one in, then try again.",
    NotReadableError: "Camera or microphone are used by another program. Close it, then try again.",
  };
  return reasons[error.name] ?? `Camera or microphone cannot be used (${error.name}).`;
}

export async function openMedia(wanted) {
  if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
  return navigator.mediaDevices.getUserMedia(wanted);
}

// Shows minutes and seconds since now; returns what ends it.
export function startClock(place, onSecond = () => {}) {
  const begun = performance.now();
  const show = () => {
    const passed = Math.floor((performance.now() - begun) / 1000);
    place.textContent = `${Math.floor(passed / 60)}:${String(passed % 60).padStart(2, "0")}`;
    onSecond(passed);
  };
  show();
  const ticking = setInterval(show, 250);
  return () => clearInterval(ticking);
}

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
