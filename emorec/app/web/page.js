// What the page is to the server: an identity, and a connection that says that it is still open.
import "./intake.js";
import "./player.js";
import "./live.js";
import { pageId, socketAddress } from "./identity.js";

let server = null;

function lost(text, button) {
  document.getElementById("em-lost")?.remove();
  if (!text) return;
  const bar = document.createElement("div");
  bar.id = "em-lost";
  bar.setAttribute("role", "alert");
  bar.append(text);
  if (button) {
    const reload = document.createElement("button");
    reload.textContent = "Reload the page";
    reload.onclick = () => location.reload();
    bar.append(reload);
  }
  document.body.append(bar);
}

function connect() {
  const socket = new WebSocket(socketAddress(`emorec/page/${pageId}`));
  socket.onmessage = message => {
    const told = JSON.parse(message.data).server;
    if (server !== null && told !== server) {
      lost("emorec was started anew: what was sent before is gone.", true);
    } else {
      lost("");
    }
    server = server ?? told;
  };
  socket.onclose = () => {
    if (server !== null) lost("The connection to emorec is lost. Is it still running?", true);
    setTimeout(connect, 1500);
  };
}

connect();
