// Tabs, and the connection by which the server knows that the page is still open.
import "./intake.js";
import "./player.js";
import "./live.js";
import { element, pageId, socketAddress } from "./identity.js";

const tabs = [...document.querySelectorAll("[role=tab]")];

function open(tab) {
  for (const other of tabs) {
    const is = other === tab;
    other.setAttribute("aria-selected", is);
    other.tabIndex = is ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !is;
  }
  history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
}

for (const [place, tab] of tabs.entries()) {
  tab.onclick = () => open(tab);
  tab.onkeydown = event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs.at((place + step) % tabs.length);
    open(next);
    next.focus();
  };
}
const wanted = tabs.find(tab => `#${tab.getAttribute("aria-controls")}` === location.hash);
if (wanted) open(wanted);

let server = null;

function lost(text) {
  document.getElementById("lost")?.remove();
  if (!text) return;
  const reload = element("button", { textContent: "Reload the page", onclick: () => location.reload() });
  const bar = element("div", { id: "lost" }, text, reload);
  bar.setAttribute("role", "alert");
  document.body.append(bar);
}

function connect() {
  const socket = new WebSocket(socketAddress(`emorec/page/${pageId}`));
  socket.onmessage = message => {
    const told = JSON.parse(message.data).server;
    lost(server !== null && told !== server ? "emorec was started anew: what was sent before is gone." : "");
    server ??= told;
    document.documentElement.dataset.connected = "";
  };
  socket.onclose = () => {
    if (server !== null) lost("The connection to emorec is lost. Is it still running?");
    setTimeout(connect, 1500);
  };
}

connect();
