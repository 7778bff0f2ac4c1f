// The page at `/`: a gateway that explains itself by working.

import { Pushgate } from "/pushgate.js";
import "./snippets.js";
import { face, hueOf } from "./people.js";
import { element, shown } from "./shown.js";

/** Messages that stay on screen, and faces that are drawn; of more their number is told. */
const KEPT = 200;
const FACES = 60;
/** Milliseconds that a bubble floats over who said it. */
const BUBBLE = 3500;
/** Seconds until a login begins again that has failed some times in a row. */
const AGAIN = 20;

const at = (id) => document.getElementById(id);
const gate = new Pushgate(location.origin);
const faces = new Map();
const names = new Map();
const fresh = [];
let channel = null;
let delivered = 0;
let lately = [];

at("join").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  at("trouble").textContent = "";
  try {
    const name = at("name").value.trim();
    const { token } = await login(name ? { name } : {});
    join(issuedAt(token));
  } catch (error) {
    trouble(error);
  }
  button.disabled = false;
});

// Who has joined hears it from the channel.
gate.addEventListener("error", ({ error, retryIn }) => channel?.state === "open" || trouble(error, retryIn));

/** Logs in, however long the gateway takes to come back; an answer of its own is final. */
async function login(who) {
  for (;;) {
    try {
      return await gate.login(who);
    } catch (error) {
      if (!error.isTemporary) throw error;
      trouble(error, AGAIN);
      await new Promise((done) => setTimeout(done, AGAIN * 1000));
    }
  }
}

at("post").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("text").value;
  if (text.trim() !== "") {
    at("text").value = "";
    say(text);
  }
});

at("wave").addEventListener("click", () => say("👋"));

/** When a token was made, by the gateway's clock. Source: RFC 7519 section 4.1.6. */
function issuedAt(token) {
  const claims = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
  return JSON.parse(atob(claims)).iat * 1000;
}

/** `since`: what was said before is history, and was delivered to others. */
function join(since) {
  document.body.classList.add("joined");
  at("join").hidden = true;
  at("post").hidden = false;
  at("text").focus();
  channel = gate.channel("", { history: 20 });
  channel.addEventListener("open", ({ transport }) => {
    at("transport").textContent = { ws: "WebSocket", sse: "SSE", poll: "long poll" }[transport];
    at("trouble").textContent = "";
  });
  channel.addEventListener("users", ({ users, count }) => showPeople(users, count));
  channel.addEventListener("message", ({ message }) => {
    const isLive = Date.parse(message.datetime) >= since;
    if (isLive) count();
    take(message, isLive);
  });
  channel.addEventListener("gap", () => take(null));
  channel.addEventListener("error", ({ error, retryIn }) => trouble(error, retryIn));
  channel.addEventListener("close", ({ error }) => {
    showPeople([], 0);
    at("transport").textContent = "–";
    if (error?.closeCode === 4003) at("trouble").textContent = "This gateway has sent you away.";
    document.body.classList.remove("joined");
    at("join").hidden = false;
    at("post").hidden = true;
  });
}

async function say(text) {
  try {
    await channel.post(text);
    at("trouble").textContent = "";
  } catch (error) {
    if (at("text").value === "") at("text").value = text;
    trouble(error);
  }
}

function trouble(error, retryIn = null) {
  const more = retryIn === null ? "" : ` Trying again in ${Math.ceil(retryIn)} s.`;
  at("transport").textContent = channel?.transport ? at("transport").textContent : "–";
  const what = error.isAnswer === false && !error.closeCode ? "The gateway does not answer" : error.detail || error.code;
  at("trouble").textContent = `${what}.${more}`;
}

function showPeople(users, total) {
  at("empty").hidden = users.length > 0;
  at("count").textContent = total === 0 ? "" : String(total);
  const drawn = new Set(users.slice(0, FACES).map(({ client_id: id }) => id));
  for (const [id, drawing] of faces) {
    if (drawn.has(id)) continue;
    faces.delete(id);
    drawing.classList.add("gone");
    setTimeout(() => drawing.remove(), 250);
  }
  for (const { client_id: id, name } of users) {
    names.set(id, name);
    if (!drawn.has(id) || faces.has(id)) continue;
    const drawing = face(id, name, id === gate.clientId);
    faces.set(id, drawing);
    at("people").append(drawing);
  }
  // Of those who left, only as many names as messages may need.
  while (names.size > users.length + 10 * KEPT) names.delete(names.keys().next().value);
}

function take(message, isLive = false) {
  fresh.push({ message, isLive });
  // In a hidden page no picture is drawn, and only what would be kept waits for one.
  if (fresh.length > KEPT) fresh.splice(0, fresh.length - KEPT);
  if (fresh.length === 1) requestAnimationFrame(show);
}

function show() {
  const log = at("messages");
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  log.append(...fresh.map(({ message }) => line(message)));
  // Only what was said just now floats over its face.
  for (const { message, isLive } of fresh.slice(-10)) if (isLive) bubble(message);
  fresh.length = 0;
  while (log.childElementCount > KEPT) log.firstElementChild.remove();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

function line(message) {
  if (message === null) return element("p", { class: "note" }, "Some messages were missed.");
  const who = element("bdi", { class: "who" }, shown(names.get(message.client_id) || "somebody"));
  who.style.setProperty("--hue", hueOf(message.client_id ?? ""));
  const time = new Date(message.datetime ?? NaN);
  const when = Number.isNaN(time.getTime()) ? "" : time.toLocaleTimeString();
  const head = element("p", { class: "head" }, who, element("time", {}, when));
  return element("article", {}, head, element("p", { class: "said", dir: "auto" }, shown(textOf(message))));
}

function textOf({ data }) {
  return typeof data === "string" ? data : JSON.stringify(data);
}

function bubble(message) {
  const drawing = faces.get(message.client_id);
  if (!drawing) return;
  drawing.querySelector(".bubble")?.remove();
  const signs = [...textOf(message)];
  const text = signs.length > 48 ? `${signs.slice(0, 47).join("")}…` : signs.join("");
  const floating = element("span", { class: "bubble", "aria-hidden": "true", dir: "auto" }, shown(text));
  drawing.append(floating);
  stayInside(floating, drawing);
  drawing.classList.remove("speaks");
  void drawing.offsetWidth;
  drawing.classList.add("speaks");
  setTimeout(() => floating.remove(), BUBBLE);
}

/** Moves what floats over one of the people so that it does not reach beyond them all. */
function stayInside(floating, drawing) {
  const people = drawing.parentElement;
  const left = drawing.offsetLeft + floating.offsetLeft - people.offsetLeft;
  const right = people.clientWidth - left - floating.offsetWidth;
  floating.style.translate = `${Math.max(0, -left) - Math.max(0, -right)}px`;
}

function count() {
  delivered += 1;
  lately.push(performance.now());
}

setInterval(() => {
  const since = performance.now() - 2000;
  lately = lately.filter((time) => time > since);
  at("rate").textContent = (lately.length / 2).toLocaleString("en", { maximumFractionDigits: 1 });
  at("delivered").textContent = delivered.toLocaleString("en");
}, 500);
