// One's own camera: mouse, finger, wheel, keys, or the phone itself say where it is.

import { beginningOf, tiltOf, unproject } from "./scene.js";

/** A key's step: so many to the edge of the view; with the shift key larger ones. */
const STEPS = 30;
const LEAP = 5;
const MOVES = { ArrowLeft: { x: -1 }, ArrowRight: { x: 1 }, ArrowUp: { z: 1 }, ArrowDown: { z: -1 } };
const RISES = { PageUp: 1, PageDown: -1, "+": 1, "-": -1 };

/**
 * Moves a camera while it is on. `where()` answers the `view` and the `size` of the canvas, `moved(place)`
 * is told each new place, `done()` that the person wants no more of it.
 */
export class Pilot {
  #canvas;
  #slider;
  #where;
  #moved;
  #done;
  #abort = null;
  #tilt = null;
  #place = { x: 0, y: 0, z: 0 };

  constructor(canvas, slider, { where, moved, done }) {
    this.#canvas = canvas;
    this.#slider = slider;
    this.#where = where;
    this.#moved = moved;
    this.#done = done;
  }

  get isOn() {
    return this.#abort !== null;
  }

  /** Whether the place comes from a point of the map: the view need not follow it. */
  isPointed = false;

  get place() {
    return { ...this.#place };
  }

  /** Begins where all do; with `isTilted` the phone says where it goes from there. */
  start(isTilted = false) {
    this.stop();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    const { view, size } = this.#where();
    this.#place = { ...beginningOf(view, size), y: Number(this.#slider.value) };
    const on = (target, type, hear, options = {}) => target.addEventListener(type, hear, { signal, ...options });
    on(this.#slider, "input", () => this.#go({ y: Number(this.#slider.value) }));
    on(this.#canvas, "keydown", (event) => this.#key(event));
    on(this.#canvas, "wheel", (event) => this.#wheel(event), { passive: false });
    if (isTilted) {
      const centre = this.place;
      this.#tilt = null;
      on(window, "deviceorientation", (event) => this.#tilted(event, centre));
    } else {
      for (const type of ["pointerdown", "pointermove"]) on(this.#canvas, type, (event) => this.#point(event));
    }
    this.isPointed = false;
    this.#go({});
  }

  stop() {
    this.#abort?.abort();
    this.#abort = null;
  }

  #go(change) {
    this.#place = { ...this.#place, ...change };
    this.#moved(this.place);
  }

  #point({ offsetX: left, offsetY: top }) {
    const { view, size } = this.#where();
    this.isPointed = true;
    this.#go(unproject(view, size, { left, top }));
  }

  #key(event) {
    const { key, shiftKey, altKey, ctrlKey, metaKey } = event;
    if (altKey || ctrlKey || metaKey) return;
    const { view } = this.#where();
    const step = (view.reach / STEPS) * (shiftKey ? LEAP : 1);
    if (Object.hasOwn(MOVES, key)) {
      const { x = 0, z = 0 } = MOVES[key];
      this.isPointed = false;
      this.#go({ x: this.#place.x + x * step, z: this.#place.z + z * step });
    } else if (Object.hasOwn(RISES, key)) {
      this.#rise(RISES[key] * 5);
    } else if (key === "Escape") {
      this.#done();
    } else {
      return;
    }
    event.preventDefault();
  }

  #wheel(event) {
    event.preventDefault();
    // Up is up, whatever a device calls a line.
    this.#rise(-Math.sign(event.deltaY) * 3);
  }

  /** By so many steps of the slider, and no farther than it goes. */
  #rise(steps) {
    this.#slider.valueAsNumber += steps * Number(this.#slider.step);
    this.#go({ y: this.#slider.valueAsNumber });
  }

  #tilted({ beta, gamma }, centre) {
    if (beta === null || gamma === null) return;
    this.#tilt ??= { beta, gamma };
    const { view } = this.#where();
    const { x, z } = tiltOf({ beta, gamma }, this.#tilt, screen.orientation?.angle ?? 0);
    this.isPointed = true;
    this.#go({ x: centre.x + x * view.reach * 0.9, z: centre.z + z * view.reach * 0.9 });
  }
}

/** Milliseconds within which a sensor says something, if there is one. */
const SENSED = 1500;

/** True once the device tells how it is held; false if `signal` ends that, or it tells that it does not know. */
function senses(signal) {
  return new Promise((done) => {
    signal?.addEventListener("abort", () => done(false));
    addEventListener("deviceorientation", ({ beta }) => done(beta !== null), { once: true, signal });
  });
}

/** Calls `there` if this device tells how it is held, or may do so if it is asked. */
export async function lookForSensor(there) {
  const { DeviceOrientationEvent } = globalThis;
  if (!DeviceOrientationEvent || !isSecureContext) return;
  const mayBeAsked = typeof DeviceOrientationEvent.requestPermission === "function";
  if ((mayBeAsked && matchMedia("(pointer: coarse)").matches) || (await senses())) there();
}

/** Whether there is a sensor that may be used; asks where that is the custom. Must come from a click. */
export async function mayUseSensor() {
  const ask = globalThis.DeviceOrientationEvent?.requestPermission;
  try {
    const answer = typeof ask === "function" ? await ask.call(globalThis.DeviceOrientationEvent) : "granted";
    return answer === "granted" && (await senses(AbortSignal.timeout(SENSED)));
  } catch {
    return false;
  }
}
