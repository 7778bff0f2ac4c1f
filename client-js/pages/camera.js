// The page at `/camera` and `/camera/{scene}`: every camera of a scene, and one's own.

import { Pushgate } from "/pushgate.js";
import "./snippets.js";
import { Cameras } from "./cameras.js";
import { Drawing, coloursOf } from "./drawing.js";
import { Pilot, lookForSensor, mayUseSensor } from "./pilot.js";
import { channelOf } from "./rooms.js";
import { approachView, emptyView, figure, fit } from "./scene.js";
import { Sender } from "./sender.js";
import { element, shown } from "./shown.js";

/** How many earlier places the page begins with, and how many updates of one camera a second it takes. */
const HISTORY = 300;
const MOST_A_SECOND = 20;
/** Cameras that are listed; of more their number is told. */
const LISTED = 50;
/** Milliseconds in which the view is two thirds of the way to a new one; between two looks at the list. */
const PACE = 180;
const CALM = 1000;
/** And in which what comes was said before the stream opened, and is no rate. */
const EARLIER = 500;

const at = (id) => document.getElementById(id);
const name = channelOf(location.pathname);
const gate = new Pushgate(location.origin);
const cameras = new Cameras();
const canvas = at("map");
const context = canvas.getContext("2d");
const isStill = matchMedia("(prefers-reduced-motion: reduce)");
const pilot = new Pilot(canvas, at("height"), { where: () => ({ view, size }), moved, done: () => stop(true) });

/** The ids that this page had, one for each time that it was a camera, and the one that it has. */
const own = new Set();
let self = null;
let channel = null;
let sender = null;
let size = { width: 0, height: 0 };
let view = emptyView();
let aim = view;
let colours = coloursOf(canvas);
let frame = 0;
let drawnAt = 0;
let updates = 0;
let openedAt = 0;
let lookedAt = performance.now();

at("scene").textContent = name === "camera" ? "" : shown(name.slice("camera/".length));
for (const code of document.querySelectorAll("pre code")) {
  const path = name.split("/").map(encodeURIComponent).join("/");
  const option = name === "camera" ? "" : ` -c ${name}`;
  const text = code.textContent.replace("--path circle", `--path circle${option}`);
  // An address has it encoded, the client has it as it is.
  code.textContent = text.replaceAll("SCENE", path).replaceAll("CHANNEL", name);
}

/** Subscribes as whoever this page is now; a second time from where the first one was. */
function watch() {
  const since = channel?.since ?? undefined;
  const mine = gate.channel(name, { since, history: HISTORY, maxRate: MOST_A_SECOND });
  channel = mine;
  mine.addEventListener("open", ({ transport }) => {
    at("transport").textContent = { ws: "WebSocket", sse: "SSE", poll: "long poll" }[transport];
    openedAt = performance.now();
    trouble(null);
  });
  mine.addEventListener("users", ({ users, count, left }) => {
    cameras.here(users.map(({ client_id: id }) => id));
    at("present").textContent = count.toLocaleString("en");
    for (const id of left) if (!own.has(id) && cameras.left(id)) draw();
  });
  mine.addEventListener("message", ({ message }) => {
    if (performance.now() - openedAt > EARLIER) updates += 1;
    // One's own hand was quicker; and what one was before is over.
    if (own.has(message.client_id) || message.client_id === gate.clientId) return;
    if (cameras.hear(message.client_id ?? "", message.data, performance.now())) draw();
  });
  mine.addEventListener("error", ({ error, retryIn }) => trouble(error, retryIn));
  mine.addEventListener("close", () => {
    if (channel !== mine) return;
    at("transport").textContent = "–";
    // Sent away: nothing that is said now would be heard.
    land();
    showPilot(false);
  });
}

function trouble(error, retryIn = null) {
  const more = retryIn === null ? "" : ` Trying again in ${Math.ceil(retryIn)} s.`;
  const text = error === null ? "" : `${error.detail || error.code}.${more}`;
  if (at("trouble").textContent !== text) at("trouble").textContent = text;
  if (!channel?.transport) at("transport").textContent = "–";
}

// One's own camera.

async function start(isTilted) {
  at("point").disabled = at("tilt").disabled = true;
  try {
    await gate.login();
    const before = channel;
    watch();
    before.close();
    sender = new Sender((place) => channel.post(place), trouble);
    pilot.start(isTilted);
    trouble(null);
  } catch (error) {
    trouble(error);
  }
  showPilot(isTilted);
  if (!pilot.isOn) return;
  canvas.focus({ preventScroll: true });
  canvas.scrollIntoView({ block: "nearest" });
}

/** The camera moves no more; answers once nothing of it is on its way. */
function land() {
  pilot.stop();
  cameras.left(self);
  self = null;
  draw();
  const closed = sender?.close();
  sender = null;
  return closed;
}

/** The camera is gone, for others at once; the page looks on as nobody in particular. */
async function stop(isByKey = false) {
  at("point").disabled = at("tilt").disabled = true;
  // What is on its way would come behind the news that this camera has left.
  await land();
  gate.logout().catch(() => {});
  watch();
  showPilot(false);
  if (isByKey) at("point").focus();
}

function showPilot(isTilted) {
  const { isOn } = pilot;
  for (const [button, isThis] of [[at("point"), !isTilted], [at("tilt"), isTilted]]) {
    button.disabled = false;
    button.setAttribute("aria-pressed", String(isOn && isThis));
  }
  at("point").textContent = isOn ? "Stop being a camera" : "Be a camera";
  at("tilt").textContent = isOn && isTilted ? "Stop tilting" : "Tilt this phone";
  at("flight").hidden = !isOn;
  document.body.classList.toggle("flying", isOn);
  // What takes keys says so; a picture takes none.
  canvas.tabIndex = isOn ? 0 : -1;
  canvas.setAttribute("role", isOn ? "application" : "img");
}

/** Shown before it has been sent, and come back: one's own hand is not to wait for a network. */
function moved(place) {
  at("high").textContent = figure(place.y);
  const id = gate.clientId ?? self;
  // Where a token cannot be renewed any more, one is somebody else from then on.
  if (id !== self) cameras.left(self);
  self = id;
  own.add(id);
  cameras.hear(id, place, performance.now());
  sender?.offer(place);
  draw();
}

at("point").addEventListener("click", () => (pilot.isOn ? stop() : start(false)));
at("tilt").addEventListener("click", async () => {
  const wasTilted = at("tilt").getAttribute("aria-pressed") === "true";
  if (pilot.isOn) await stop();
  if (wasTilted) return;
  if (await mayUseSensor()) start(true);
  else at("trouble").textContent = "This phone does not say how it is held.";
});
lookForSensor(() => (at("tilt").hidden = false));

// The picture.

function draw() {
  if (frame === 0) frame = requestAnimationFrame(show);
}

/** One picture; the next one only if something still moves. */
function show(now) {
  frame = 0;
  // After a rest the first step is a small one.
  const elapsed = now - drawnAt > 200 ? 16 : now - drawnAt;
  drawnAt = now;
  const time = performance.now();
  aim = fit(aim, cameras.box(time, pilot.isPointed ? self : null), size);
  view = isStill.matches ? aim : approachView(view, aim, elapsed, PACE);
  const isMoving = cameras.step(time, elapsed, view.reach, isStill.matches);
  const drawing = new Drawing(context, size, view, colours);
  drawing.draw(cameras, { strength: (camera) => cameras.strength(camera, time), self });
  at("empty").hidden = cameras.size > 0;
  if (isMoving || view !== aim) draw();
}

new ResizeObserver(() => {
  const ratio = Math.min(2, devicePixelRatio || 1);
  size = { width: canvas.clientWidth, height: canvas.clientHeight };
  canvas.width = Math.round(size.width * ratio);
  canvas.height = Math.round(size.height * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  draw();
}).observe(canvas);

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colours = coloursOf(canvas);
  draw();
});

// What is told in words: calmly.

function tell() {
  const now = performance.now();
  at("rate").textContent = Math.round((updates * 1000) / (now - lookedAt)).toLocaleString("en");
  [updates, lookedAt] = [0, now];
  const isSwept = cameras.sweep(now);
  if (isSwept || cameras.isFading(now)) draw();
  list();
}

function list() {
  const known = new Map([...at("cameras").children].map((line) => [line.dataset.id, line]));
  const all = [...cameras].sort((a, b) => (b.id === self) - (a.id === self) || (a.id < b.id ? -1 : 1));
  const lines = all.slice(0, LISTED).map((camera) => {
    const line = known.get(camera.id) ?? entry(camera, camera.id === self);
    known.delete(camera.id);
    const place = line.lastElementChild;
    const text = `x ${figure(camera.x)}, y ${figure(camera.y)}, z ${figure(camera.z)}`;
    if (place.textContent !== text) place.textContent = text;
    line.classList.toggle("faint", cameras.strength(camera, performance.now()) < 0.6);
    return line;
  });
  for (const gone of known.values()) gone.remove();
  for (const [index, line] of lines.entries()) {
    if (at("cameras").children[index] !== line) at("cameras").insertBefore(line, at("cameras").children[index] ?? null);
  }
  const count = cameras.size === 0 ? "" : String(cameras.size);
  if (at("count").textContent !== count) at("count").textContent = count;
  at("more").textContent = all.length > LISTED ? `and ${all.length - LISTED} more` : "";
}

function entry({ id }, isSelf) {
  const short = [...shown(id)].slice(0, 8).join("");
  const who = element("bdi", { class: "who" }, isSelf ? "you" : short || "a backend");
  return element("li", { "data-id": id, "data-self": isSelf }, who, " ", element("span", { class: "place" }));
}

watch();
setInterval(tell, CALM);
