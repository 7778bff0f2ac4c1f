// The cameras of a scene: the newest place of each sender, how it got there, and how long ago that was.

import { approach, around, boxOf, within } from "./scene.js";

/** Cameras that are kept; beyond it the one that was silent longest is let go. */
const KEPT = 500;
/** Milliseconds of silence after which a camera begins to fade, has faded, and is let go. */
const FADES = 8000;
const FADED = 16_000;
const GONE = 30_000;
/** How much is left of one that has faded and is still there. */
const GHOST = 0.35;
/** Milliseconds in which a circle is two thirds of the way to where it is to be. */
const PACE = 70;
/** A jump by this many times the view is no movement. */
const JUMP = 4;
/** Milliseconds that a trail lasts, and the milliseconds for which the view remembers where everybody was. */
const TRAIL = 1200;
const REMEMBERED = 10_000;

/** Those who were heard of. Time is an argument, in milliseconds, and only ever grows. */
export class Cameras {
  /** From the longest silent to the last heard. */
  #cameras = new Map();
  #present = new Set();
  #before = null;
  #lately = null;
  #turnsAt = -Infinity;

  /** How many there are. */
  get size() {
    return this.#cameras.size;
  }

  /** Every camera: `id`, where it is (`x`, `y`, `z`), where it is drawn (`shown`), `heading`, `trail`, `at`. */
  [Symbol.iterator]() {
    return this.#cameras.values();
  }

  get(id) {
    return this.#cameras.get(id);
  }

  /** Takes in a place; false where it is none. */
  hear(id, data, now) {
    const { x, y, z } = data ?? {};
    if (![x, y, z].every(Number.isFinite)) return false;
    const known = this.#cameras.get(id);
    const place = { x: within(x), y: within(y), z: within(z) };
    const camera = known ?? { id, shown: place, heading: null, trail: [] };
    this.#cameras.delete(id);
    this.#cameras.set(id, Object.assign(camera, { x, y, z, at: now }));
    if (this.#cameras.size > KEPT) this.#cameras.delete(this.#cameras.keys().next().value);
    return true;
  }

  /** Who is on the channel: a camera of theirs fades, and stays. */
  here(ids) {
    this.#present = new Set(ids);
  }

  /** Somebody left: so did the camera. True if there was one. */
  left(id) {
    return this.#cameras.delete(id);
  }

  /** Lets go of those that were silent for long; true if there were any. */
  sweep(now) {
    const before = this.#cameras.size;
    for (const { id, at } of this.#cameras.values()) {
      if (now - at < GONE) break;
      if (!this.#present.has(id)) this.#cameras.delete(id);
    }
    return this.#cameras.size < before;
  }

  clear() {
    this.#cameras.clear();
    this.#present.clear();
    this.#before = this.#lately = null;
  }

  /** How much there is to be seen of a camera: 1, and less once it has been silent. */
  strength({ at }, now) {
    const part = Math.min(1, Math.max(0, (now - at - FADES) / (FADED - FADES)));
    return 1 - part * (1 - GHOST);
  }

  /** Whether time alone changes what is to be seen. */
  isFading(now) {
    for (const { at } of this.#cameras.values()) {
      if (now - at >= FADES && now - at < FADED + 1000) return true;
    }
    return false;
  }

  /**
   * Moves the circles on by `elapsed` milliseconds; true while there is more to be done. `reach` is that
   * of the view; `isStill` has them jump, and leave no trail.
   */
  step(now, elapsed, reach, isStill) {
    let isMoving = false;
    const hasTrails = !isStill && this.#cameras.size <= 60;
    for (const camera of this.#cameras.values()) {
      const { shown } = camera;
      const to = { x: within(camera.x), y: within(camera.y), z: within(camera.z) };
      const way = Math.hypot(to.x - shown.x, to.z - shown.z);
      if (way > reach * 1e-3) camera.heading = { x: (to.x - shown.x) / way, z: (to.z - shown.z) / way };
      const isThere = way <= reach * 1e-3 && Math.abs(to.y - shown.y) <= reach * 1e-3;
      const jumps = isStill || isThere || way > reach * JUMP;
      const next = (name) => (jumps ? to[name] : approach(shown[name], to[name], elapsed, PACE));
      camera.shown = { x: next("x"), y: next("y"), z: next("z") };
      if (!isThere) isMoving = true;
      if (hasTrails && !isThere && way <= reach * JUMP) camera.trail.push({ x: shown.x, z: shown.z, at: now });
      while (camera.trail.length > 0 && (!hasTrails || now - camera.trail[0].at > TRAIL)) camera.trail.shift();
      if (camera.trail.length > 0) isMoving = true;
    }
    return isMoving;
  }

  /** The box around where everybody was lately, but for `except`. */
  box(now, except = null) {
    const places = [...this.#cameras.values()].filter(({ id }) => id !== except);
    if (now >= this.#turnsAt) {
      this.#before = this.#lately;
      this.#lately = null;
      this.#turnsAt = now + REMEMBERED;
    }
    this.#lately = around(this.#lately, boxOf(places));
    return around(this.#before, this.#lately);
  }
}
