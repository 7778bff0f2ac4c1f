// The page at `/board`, live: without this script it is a list and a form all the same.

import { Pushgate } from "/pushgate.js";
import { element, shown } from "./shown.js";

/** Characters that may still be written before the page says how many. */
const FEW = 100;
/** Why a topic was not taken, by the code of the answer. */
const WHY = {
  "board-full": "The board is full: no more topics fit on it.",
  "rate-limited": "That was too fast. Please wait a moment.",
  "too-large": "That is too long for a topic.",
  draining: "The gateway is restarting. Please try again in a moment.",
};

const at = (id) => document.getElementById(id);
const form = at("post");
const text = at("comment");
let isFirst = true;

const channel = new Pushgate(location.origin).channel("board", { users: "none" });
at("gauges").hidden = false;

channel.addEventListener("open", ({ transport }) => {
  at("transport").textContent = { ws: "WebSocket", sse: "SSE", poll: "long poll" }[transport];
});
channel.addEventListener("message", ({ data }) => {
  if (Array.isArray(data?.contents)) show(data.contents);
});
channel.addEventListener("error", ({ error, retryIn }) => {
  at("transport").textContent = "–";
  if (retryIn === null) complain(error.detail || error.code);
});

/** Makes the list that which came. What is on it already stays as it is, and whatever is marked in it. */
function show(contents) {
  const list = at("topics");
  const lines = new Map([...list.children].map((line) => [line.dataset.id, line]));
  const wanted = contents.map(({ id, comment }) => {
    const line = lines.get(String(id)) ?? topic(id, comment);
    lines.delete(String(id));
    const said = line.firstElementChild;
    if (said.textContent !== shown(comment)) said.textContent = shown(comment);
    return line;
  });
  for (const gone of lines.values()) gone.remove();
  let before = null;
  for (const line of wanted) {
    const next = before === null ? list.firstElementChild : before.nextElementSibling;
    if (line !== next) list.insertBefore(line, next);
    before = line;
  }
  at("count").textContent = contents.length.toLocaleString("en");
  isFirst = false;
}

function topic(id, comment) {
  // What was there before the page was opened is not news.
  const line = element("li", { "data-id": id, class: isFirst ? null : "fresh" });
  line.append(element("p", { dir: "auto" }, shown(comment)));
  return line;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  post();
});

text.addEventListener("keydown", (event) => {
  // Enter that ends the choice of a character is none.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});

text.addEventListener("input", () => {
  const left = text.maxLength - text.value.length;
  at("left").hidden = left > FEW;
  at("left").textContent = left === 1 ? "1 character left." : `${left} characters left.`;
  complain("");
});

async function post() {
  const comment = text.value;
  if (comment.trim() === "") return complain("Write something first.");
  const button = form.querySelector("button");
  button.disabled = true;
  const problem = await send(comment);
  button.disabled = false;
  complain(problem ?? "");
  // What was written meanwhile is the next topic.
  if (problem === null && text.value === comment) {
    text.value = "";
    at("left").hidden = true;
  }
}

/** What went wrong, in words; null where nothing did. */
async function send(comment) {
  let response;
  try {
    const body = new URLSearchParams({ comment });
    response = await fetch("/topics", { method: "POST", body, headers: { accept: "application/json" } });
  } catch {
    return "The gateway cannot be reached. What you wrote is still here.";
  }
  if (response.ok) return null;
  const { code, detail } = await response.json().catch(() => ({}));
  if (Object.hasOwn(WHY, code)) return WHY[code];
  if (response.status === 503) return "The board cannot be written at the moment. Please try again later.";
  if (response.status === 400) return `The board does not take this: ${shown(detail ?? "it is no topic")}.`;
  return `That did not work: ${shown(detail ?? response.status)}.`;
}

function complain(words) {
  if (at("trouble").textContent !== words) at("trouble").textContent = words;
}
