// The page at `/chat/`: asks which room.

import { Memory, addressOf, problemOf } from "./rooms.js";
import { element, shown } from "./shown.js";

const at = (id) => document.getElementById(id);
const memory = new Memory();

at("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  const room = at("room").value.trim();
  const problem = problemOf(room);
  at("trouble").textContent = problem ?? "";
  if (problem === null) return location.assign(addressOf(room));
  at("room").setAttribute("aria-invalid", "true");
  at("room").select();
});

at("room").addEventListener("input", () => {
  at("trouble").textContent = "";
  at("room").removeAttribute("aria-invalid");
});

at("forget").addEventListener("click", () => {
  memory.forgetRooms();
  show();
  at("room").focus();
});

function show() {
  const { rooms } = memory;
  at("before").hidden = rooms.length === 0;
  const link = (room) => element("a", { href: addressOf(room) }, element("bdi", {}, shown(room)));
  at("rooms").replaceChildren(...rooms.map((room) => element("li", {}, link(room))));
}

show();
// Whoever comes back by the browser's own button has been somewhere in between.
addEventListener("pageshow", show);
