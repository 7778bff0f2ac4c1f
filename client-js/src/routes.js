// Which transport gets through, remembered for the page.

import { openWebSocket } from "./transport-ws.js";
import { openEventStream } from "./transport-sse.js";
import { openPolls } from "./transport-poll.js";

/** From the best to what always works. */
const TRANSPORTS = [
  { name: "ws", verb: "ws", open: openWebSocket },
  { name: "sse", verb: "sse", open: openEventStream },
  { name: "poll", verb: "poll", open: openPolls },
];

/** Seconds until a better transport is tried again; doubled each time that it is still blocked. */
const UPWARD = 180;
const UPWARD_MOST = 3600;

/** What is known of the way to one gateway. One for all streams of a page, so that one finds out. */
export class Route {
  #usable;
  #best = 0;
  #first;
  #pause;
  #upwardAt = Infinity;
  #distrustedAt = -Infinity;

  /** With those transports that the names list, of those that this platform has. */
  constructor(platform, names = ["ws", "sse", "poll"], upward = UPWARD) {
    this.#first = this.#pause = upward;
    const has = { ws: Boolean(platform.WebSocket), sse: Boolean(platform.fetch), poll: Boolean(platform.fetch) };
    this.#usable = TRANSPORTS.filter(({ name }) => has[name] && names.includes(name));
    if (this.#usable.length === 0) throw new TypeError(`none of the transports ${names.join(", ")} can be used here`);
  }

  /** The transports to try in turn, best first. */
  plan(now = Date.now()) {
    if (now >= this.#upwardAt) {
      // Whoever asks now is the one that tries; the others stay where they are until it is known.
      this.#defer(now);
      return this.#usable.slice();
    }
    // Those above are blocked; they are tried again when the one in use fails, too.
    return [...this.#usable.slice(this.#best), ...this.#usable.slice(0, this.#best)];
  }

  /**
   * This one got through, which was asked for at `askedAt`. Several streams may say so of one finding, which counts once.
   * That one was on its way when another stream had found that it does not hold makes it no better.
   */
  worked(name, now = Date.now(), askedAt = now) {
    const index = this.#usable.findIndex((transport) => transport.name === name);
    if (index < this.#best && askedAt < this.#distrustedAt) return;
    if (index === 0) this.#upwardAt = Infinity;
    else if (index !== this.#best || this.#upwardAt === Infinity) this.#defer(now);
    this.#best = index;
  }

  /** This one has held for a while. */
  held(name) {
    if (name === this.#usable[0].name) this.#pause = this.#first;
  }

  /** The name of the transport that is tried first. */
  get best() {
    return this.#usable[this.#best].name;
  }

  /** This one opens, and does not hold. */
  distrust(name, now = Date.now()) {
    if (name !== this.best || this.#best + 1 === this.#usable.length) return;
    this.worked(this.#usable[this.#best + 1].name, now);
    this.#distrustedAt = now;
  }

  /** Milliseconds until a better one is to be tried; null where the best is in use. */
  untilUpward(now = Date.now()) {
    return this.#upwardAt === Infinity ? null : Math.max(0, this.#upwardAt - now);
  }

  /** The network is another one: what was blocked may be open. */
  forget() {
    this.#best = 0;
    this.#pause = this.#first;
    this.#upwardAt = Infinity;
    this.#distrustedAt = -Infinity;
  }

  #defer(now) {
    this.#upwardAt = now + this.#pause * (0.75 + Math.random() / 2) * 1000;
    this.#pause = Math.min(UPWARD_MOST, this.#pause * 2);
  }
}

const known = new Map();

/** The route of this page to the gateway at `base`. */
export function routeTo(base, platform, { transports, upwardAfter }) {
  // What a caller brings is its own.
  if (platform.isForeign) return new Route(platform, transports, upwardAfter);
  const key = JSON.stringify([base, transports, upwardAfter]);
  if (!known.has(key)) known.set(key, new Route(platform, transports, upwardAfter));
  return known.get(key);
}
