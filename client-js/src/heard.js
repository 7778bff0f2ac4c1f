// What a stream has brought already: nothing is told twice, whichever connection brings it.

import { Position } from "./position.js";

/** Direct messages that are remembered. */
const REMEMBERED = 1000;

/** How far a stream has come: in its channel's order, and beside it. */
export class Heard {
  #nonces = new Set();
  #version = 0;

  constructor(since) {
    this.position = new Position(since);
  }

  /** Whether the direct message with this nonce was brought. */
  hasDirect(nonce) {
    return this.#nonces.has(nonce);
  }

  /**
   * What is to be told of a text that `link` has brought, as the first of all if it `isFirst`: `{ object, text }`; null
   * if that is nothing new.
   */
  take(text, link, isFirst) {
    const isStart = isFirst && link.name !== "poll";
    let object;
    try {
      object = JSON.parse(text);
    } catch {
      // Nothing of ours; a later version may have its reasons.
      return null;
    }
    if (!isObject(object)) return { object, text };
    if (isStart && typeof object.since === "string") {
      this.position.startAt(object.since);
      return null;
    }
    const nonce = nonceOf(text);
    if (nonce !== null) return this.#isNew(nonce) ? { object: object.data, text: dataOf(text) } : null;
    return this.#isTold(object, link) ? null : { object, text };
  }

  #isTold(object, link) {
    if (isObject(object.gap) && object.gap.next) {
      // Another connection has brought what was missing when this one asked.
      if (this.position.since !== link.asked && this.position.isPast(object.gap.next)) return true;
      this.position.skipTo(object.gap.next);
    }
    const id = object.message?.id ?? object.id;
    if (typeof id === "string") return !this.position.advance(id);
    if (!Number.isInteger(object.version)) return false;
    // A list that is older than what the connection before it has told.
    if (link.isHeir && object.version <= this.#version) return true;
    this.#version = object.version;
    return false;
  }

  #isNew(nonce) {
    if (this.#nonces.has(nonce)) return false;
    this.#nonces.add(nonce);
    if (this.#nonces.size > REMEMBERED) this.#nonces.delete(this.#nonces.values().next().value);
    return true;
  }
}

const DIRECT = /^\{"direct":"([^"\\]+)","data":/;

/** What a direct message is told apart by; null for anything else. */
export function nonceOf(text) {
  return DIRECT.exec(text)?.[1] ?? null;
}

/** The message in a direct one, to the digit. */
function dataOf(text) {
  return text.slice(DIRECT.exec(text)[0].length, -1);
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
