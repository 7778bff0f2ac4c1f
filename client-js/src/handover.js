// From one connection to the next: both are open for a moment, and what is still on its way over the old
// one is told before anything that the new one brings. The gateway takes it for delivered.

import { nonceOf } from "./heard.js";

/** Milliseconds that the old one gets to bring something, and at most, while it goes on bringing. */
const STRAGGLE = 1000;
const STRAGGLE_MOST = 10_000;
/** Messages that wait meanwhile; then the old one has had its time. */
const MOST_HELD = 1000;

export class Handover {
  #next;
  #heard;
  #done;
  /** `{ act, nonce, isLate }` in the order in which they came. */
  #held = [];
  #isIdle = false;
  #timer;
  #since = 0;

  /**
   * `done(acts)` is called once, when `old` is to be let go. A poll may come to the gateway before the new one
   * or after it: then what both of them bring waits, and is put in order.
   */
  constructor(old, next, heard, done) {
    this.old = old;
    this.#next = next;
    this.#heard = heard;
    this.#done = done;
  }

  /** The new one is open: begins to wait for what is on its way. */
  begin() {
    this.#since = Date.now();
    this.#wait();
    const look = () => {
      this.#isIdle = true;
      this.#look();
    };
    // Not before what the new one brings with its opening.
    this.old.retire(() => queueMicrotask(look));
  }

  /** The new one has brought `text`, or said something of itself; `act` is what to do with it in its turn. */
  hold(act, text) {
    const nonce = text === undefined ? null : nonceOf(text);
    this.#held.push({ act, nonce, isLate: false });
    // What both bring was sent when both were open: the old one has brought all that it had alone.
    const isBoth = nonce !== null && this.#heard.hasDirect(nonce);
    if (isBoth || this.#held.length >= MOST_HELD) this.end();
    else this.#look();
  }

  /** The old one has. Whether that shows that it is better than the new one. */
  late(act, text) {
    const nonce = text === undefined ? null : nonceOf(text);
    if (this.old.name === "poll") {
      this.#held.push({ act, nonce, isLate: true });
      return false;
    }
    act();
    // Between two polls everything would be sent to the old one alone: it cannot be let go while it lives.
    if (this.#next.name === "poll") return true;
    if (nonce === null) return false;
    if (this.#held.some((held) => held.nonce === nonce)) this.end();
    else this.#wait();
    return false;
  }

  /** The old one has brought what it had. */
  end() {
    this.#done?.(this.stop());
  }

  /** Waits no longer; answers what is to be done now, in its order. */
  stop() {
    clearTimeout(this.#timer);
    this.#done = null;
    const directs = this.#held.filter(({ nonce }) => nonce !== null).sort(byNonce);
    return this.#held.map(({ act, nonce }) => (nonce === null ? act : directs.shift().act));
  }

  /** Where the last poll was answered: whether what is older than its last message is here as well. */
  #look() {
    if (!this.#isIdle) return;
    const directs = this.#held.filter(({ nonce }) => nonce !== null).sort(byNonce);
    const newest = directs.at(-1)?.nonce;
    const isHere = newest === undefined || directs.some(({ nonce, isLate }) => nonce === newest && !isLate);
    // An answer to a poll is whole.
    if (isHere || this.#next.name === "poll") this.end();
  }

  #wait() {
    clearTimeout(this.#timer);
    const left = Math.min(STRAGGLE, this.#since + STRAGGLE_MOST - Date.now());
    this.#timer = setTimeout(() => this.end(), Math.max(0, left));
    this.#timer.unref?.();
  }
}

/** Of what is sent to one client each has a higher one than those before it, in hexadecimal digits. */
function byNonce({ nonce: one }, { nonce: other }) {
  if (one.length !== other.length) return one.length - other.length;
  return one < other ? -1 : Number(one > other);
}
