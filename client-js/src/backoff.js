// How long to wait before trying again.

const FIRST = 1;
const LONGEST = 30;

/** Waits of 0 to 1, 2, 4, … 30 seconds: full jitter, so that a crowd that was cut off spreads. */
export class Backoff {
  #failures = 0;
  #random;

  constructor(random = Math.random) {
    this.#random = random;
  }

  /** How many failures there were in a row. */
  get failures() {
    return this.#failures;
  }

  /** Seconds to wait after one more failure, and never less than the gateway asks for. */
  next(atLeast = 0) {
    const most = Math.min(LONGEST, FIRST * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    // A jitter near nothing, time and again, would be spinning.
    if (atLeast === 0) return Math.max(most / 10, this.#random() * most);
    // The gateway spreads those that it turns away; a little more does no harm.
    return atLeast + this.#random() * Math.min(most, 5);
  }

  /** It went well. */
  reset() {
    this.#failures = 0;
  }
}
