// The page at `/chat/{room}/`: the room, whole.

import "/widget.js";
import "./snippets.js";
import { Memory, addressOf, channelOf } from "./rooms.js";
import { element, shown } from "./shown.js";

/** Earlier messages that one enters with. */
const HISTORY = 50;

const at = (id) => document.getElementById(id);
const memory = new Memory();
const channel = channelOf(location.pathname);
const room = channel.slice("chat/".length);

document.title = `${shown(room)} · pushgate`;
at("room").textContent = shown(room);
// Encoded, as whatever it is pasted into takes it for one link.
at("link").textContent = `${location.origin}${addressOf(room)}`;
at("name").value = memory.name;
memory.visit(room);

const talk = element("push-gate", { channel, name: memory.name, history: HISTORY });
document.querySelector("main").append(talk);
if (matchMedia("(pointer: fine)").matches) talk.focus();

at("naming").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = at("name").value.trim();
  memory.name = name;
  // Enters anew, under that name.
  talk.setAttribute("name", name);
  talk.focus();
});
