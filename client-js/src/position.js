// Where a stream is: what to ask for next, and what was delivered already.

/** An id is `<epoch>-<offset>`; the offset rises by one within an epoch. */
function parse(id) {
  const dash = typeof id === "string" ? id.lastIndexOf("-") : -1;
  const offset = dash > 0 ? Number(id.slice(dash + 1)) : NaN;
  return Number.isSafeInteger(offset) ? { epoch: id.slice(0, dash), offset } : null;
}

/** How far a stream has come. */
export class Position {
  #since;
  #last = null;

  /** Begins behind `since`, or with what comes now. */
  constructor(since = null) {
    this.#since = since;
    this.#last = parse(since);
  }

  /** What to resume from: an id, what a poll said, or null for now. */
  get since() {
    return this.#since;
  }

  /** Whether the message with this id was not delivered yet; from now on it was. */
  advance(id) {
    const next = parse(id);
    if (next === null) return true;
    if (next.epoch === this.#last?.epoch && next.offset <= this.#last.offset) return false;
    this.#last = next;
    this.#since = id;
    return true;
  }

  /** The gateway says where the stream is. Never a step back within an epoch. */
  startAt(since) {
    const start = parse(since);
    if (start !== null && start.epoch === this.#last?.epoch && start.offset < this.#last.offset) return;
    this.#since = since;
    if (start !== null) this.#last = start;
  }

  /** A poll says what to ask with; more than an id, and only to be handed back. */
  continueWith(since) {
    this.#since = since;
  }

  /** Whether the message with this id lies behind. */
  isPast(id) {
    const other = parse(id);
    return other !== null && other.epoch === this.#last?.epoch && other.offset <= this.#last.offset;
  }

  /** What was missed is lost, and the stream goes on with the message `next`. */
  skipTo(next) {
    const first = parse(next);
    if (first === null || first.offset < 1) return;
    this.#last = { epoch: first.epoch, offset: first.offset - 1 };
    this.#since = `${first.epoch}-${first.offset - 1}`;
  }
}
