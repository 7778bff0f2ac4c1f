// A channel as a page uses it: events, an async iterator, and a way to post.

import { PushgateError } from "./errors.js";
import { Users } from "./presence.js";
import { Stream } from "./stream.js";

/** Messages that wait for whoever iterates; beyond it the iteration ends with an error. */
const UNREAD = 10_000;
/** Posts that wait for the one before; beyond it they fail at once. */
const UNSENT = 10_000;
/** Characters of an idempotency key. */
const KEY = 128;

/**
 * One channel. Its events:
 *
 * - `open` (`transport`): a stream is open, at first and after each interruption.
 * - `message` (`data`, `message`): somebody posted. `message` has `data`, `id`, `client_id`, `datetime`,
 *   `ip` and `direct` as far as the channel's kind tells them.
 * - `users` (`users`, `count`, `joined`, `left`): who is there, whenever that changes.
 * - `gap` (`gap`): messages were lost for good; loss is never silent.
 * - `error` (`error`, `retryIn`): something failed. It is tried again in `retryIn` seconds; null where it is not.
 * - `close` (`error`): it is over; null where we closed it.
 */
export class Channel extends EventTarget {
  #gate;
  #path;
  #stream;
  #users = new Users();
  #posts = Promise.resolve();
  #unsent = 0;
  #readers = new Set();
  #error = null;

  constructor(gate, name, { since, history, users = "diff", maxRate } = {}) {
    super();
    this.#gate = gate;
    this.name = name;
    this.#path = pathOf(name);
    const query = maxRate === undefined ? {} : { max_rate: String(maxRate) };
    this.#stream = new Stream(gate, this.#path, { since, history, users, query }, {
      open: (transport) => this.#tell("open", { transport }),
      message: (object) => this.#hear(object),
      trouble: (error, retryIn) => this.#tell("error", { error, retryIn }),
      end: (error) => this.#end(error),
    });
    // So that whoever adds listeners right behind the call misses nothing.
    queueMicrotask(() => this.#stream.open());
  }

  /** `connecting`, `open`, `waiting`, `resting` or `closed`. */
  get state() {
    return this.#stream.state === "idle" ? "connecting" : this.#stream.state;
  }

  /** `ws`, `sse` or `poll`; null while nothing is open. */
  get transport() {
    return this.#stream.transport;
  }

  /** The position: what `since` of a later channel would resume from. */
  get since() {
    return this.#stream.since;
  }

  /** Who is there, as far as the channel tells. */
  get users() {
    return this.#users.list;
  }

  /** How many are there. */
  get count() {
    return this.#users.count;
  }

  /**
   * Publishes. Posts of one channel leave one after the other, in the order of the calls; each is tried
   * again under one idempotency key until it is answered, a few times.
   *
   * @param value what the channel's kind accepts: a text, or JSON
   * @param {{to?: string, key?: string, signal?: AbortSignal}} [options] `to` is the client id of a direct message;
   *   `key` an idempotency key of 1 to 128 characters
   * @returns the message as it was accepted, with its place in the order
   * @throws {PushgateError}
   */
  async post(value, { to, key = this.#gate.newKey(), signal } = {}) {
    if (!isKey(key)) throw new PushgateError("bad-request", `key: must have 1 to ${KEY} characters`, { status: 400 });
    if (this.#unsent >= UNSENT) throw new PushgateError("too-many-posts", `${UNSENT} posts wait already`);
    // As it is now, whatever becomes of it while it waits.
    const body = JSON.stringify({ value, to, key });
    this.#unsent += 1;
    const posted = this.#posts.then(() => this.#gate.send(`post${this.#path}`, body, { signal }));
    // The next one waits for this one, and does not fail with it.
    this.#posts = posted.then(() => {}, () => {}).finally(() => (this.#unsent -= 1));
    return messageOf(await posted);
  }

  /** Unsubscribes. */
  close() {
    this.#stream.close();
  }

  /** The messages from now on: `for await (const { data } of channel)`. Ends with the channel. */
  async *[Symbol.asyncIterator]() {
    const reader = { unread: [], wake: () => {}, isLate: false };
    this.#readers.add(reader);
    try {
      for (;;) {
        if (reader.unread.length > 0) {
          yield reader.unread.shift();
        } else if (reader.isLate) {
          throw new PushgateError("slow-consumer", `more than ${UNREAD} messages were not read`);
        } else if (this.#stream.state === "closed") {
          if (this.#error) throw this.#error;
          return;
        } else {
          await new Promise((wake) => (reader.wake = wake));
        }
      }
    } finally {
      this.#readers.delete(reader);
    }
  }

  #hear(object) {
    if (object !== null && typeof object === "object") {
      const change = this.#users.take(object);
      if (change) {
        const { list: users, count } = this.#users;
        return this.#tell("users", { users, count, ...change });
      }
      if (object.gap) return this.#tell("gap", { gap: object.gap });
      if (object.users || object.joined || object.left || isOnlyCount(object)) return undefined;
      if (object.error && Object.keys(object).length === 1) return this.#refused(object.error);
    }
    const message = messageOf(object);
    for (const reader of this.#readers) {
      if (reader.unread.length < UNREAD && !reader.isLate) reader.unread.push(message);
      else reader.isLate = true;
      reader.wake();
    }
    return this.#tell("message", { data: message.data, message });
  }

  #refused({ code, detail, status }) {
    const error = new PushgateError(code ?? "refused", detail, { status });
    this.#tell("error", { error, retryIn: null });
  }

  #end(error) {
    this.#error = error;
    this.#gate.forget(this);
    for (const reader of this.#readers) reader.wake();
    if (error) this.#tell("error", { error, retryIn: null });
    this.#tell("close", { error });
  }

  #tell(type, what) {
    // A listener that throws is the page's own: EventTarget reports it and goes on.
    this.dispatchEvent(Object.assign(new Event(type), what));
  }
}

/** One shape for what the kinds of channels deliver. */
function messageOf(object) {
  if (object === null || typeof object !== "object") return { data: object, id: null, direct: true };
  // Kind `message`. Direct messages have no id, whatever the kind.
  if (object.message !== null && typeof object.message === "object") {
    const { value, ...rest } = object.message;
    return { data: value, id: null, ...rest, direct: object.message.id === undefined };
  }
  // Kinds whose objects carry no id, as `ids=1` wraps them; a direct message has none there, either.
  if ("data" in object && typeof object.client_id === "string") {
    return { id: null, ...object, direct: object.id === undefined };
  }
  if (typeof object.message === "string") {
    const { message, ...rest } = object;
    return { data: message, id: null, ...rest, direct: object.id === undefined };
  }
  return { data: object, id: null, direct: false };
}

/** Whether the gateway takes this for an idempotency key; half a surrogate pair is no character. */
function isKey(key) {
  if (typeof key !== "string" || /\p{Cs}/u.test(key)) return false;
  const { length } = [...key];
  return length >= 1 && length <= KEY;
}

function isOnlyCount(object) {
  return Object.keys(object).length === 1 && Number.isInteger(object.count);
}

/** The channel's name behind a verb: `/chat/lobby`, or nothing for the root channel. */
function pathOf(name) {
  const segments = String(name).split("/").filter((segment) => segment !== "");
  // An address would take these for a way up.
  if (segments.some((segment) => /^\.\.?$/.test(segment))) throw new TypeError(`no channel has the name ${name}`);
  return segments.map((segment) => `/${encodeURIComponent(segment)}`).join("");
}
