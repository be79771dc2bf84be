// Drawn afresh by every page; what was sent under it can be asked for by nobody else.
const bytes = crypto.getRandomValues(new Uint8Array(16));
export const pageId = Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");

export function socketAddress(path) {
  const address = new URL(path, document.baseURI);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
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
