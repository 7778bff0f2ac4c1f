// One subscription, whatever becomes of its connections: opens, falls back, resumes, never repeats.

import { Backoff } from "./backoff.js";
import { PushgateError } from "./errors.js";
import { Position } from "./position.js";
import { watchPage } from "./wake.js";

/** Seconds that a transport gets to open; less where another one works meanwhile. */
const PATIENCE = 8;
const PATIENCE_UPWARD = 3;
/** Milliseconds that a stream must hold for its end to count as the first failure. */
const STEADY = 10_000;
/** Milliseconds between two tries that the page's life brings about. */
const WAKE_PAUSE = 5000;

/**
 * A subscription to one channel.
 *
 * `hear` is told `open(transport)`, `message(object, text)` once each and in order, `trouble(error,
 * retryIn)` for each failure that is tried again in that many seconds, and once `end(error)`, with null
 * where we closed it ourselves.
 */
export class Stream {
  #gate;
  #path;
  #query;
  #hear;
  #position;
  #history;
  #backoff;
  #close = null;
  #timer;
  #state = "idle";
  #transport = null;
  #openedAt = 0;
  #wokenAt = -Infinity;
  #notBefore = 0;
  #shortLives = 0;
  #unwatch = () => {};
  #attempt = 0;
  #token;
  #isUpward = false;
  #isFirst = false;
  #refused;

  constructor(gate, path, { since = null, history = null, users, query = {} }, hear) {
    this.#gate = gate;
    this.#path = path;
    this.#query = { ids: "1", start: "1", text: "json", ...query };
    if (users) this.#query.users = users;
    this.#position = new Position(since);
    this.#history = history;
    this.#hear = hear;
    this.#backoff = new Backoff(gate.random);
  }

  /** `idle`, `connecting`, `open`, `waiting`, `resting` or `closed`. */
  get state() {
    return this.#state;
  }

  /** The transport in use; null while there is none. */
  get transport() {
    return this.#state === "open" ? this.#transport : null;
  }

  /** What a later stream could resume from. */
  get since() {
    return this.#position.since;
  }

  /** Begins. */
  open() {
    if (this.#state !== "idle") return;
    this.#unwatch = watchPage({
      wake: () => this.#wake(),
      doubt: () => this.#doubt(),
      rest: () => this.#rest(),
      leave: () => this.#leave(),
    }, this.#gate.scope);
    this.#connect();
  }

  /** Ends for good. */
  close() {
    this.#finish(null);
  }

  /** The page is gone. A WebSocket says so by its close; what else breaks could be coming back. */
  #leave() {
    if (this.#state !== "open" || this.#transport === "ws") return;
    this.#cut();
    this.#gate.sayGone(this.#token);
  }

  #connect() {
    this.#cut();
    this.#state = "connecting";
    const plan = this.#gate.route.plan();
    this.#try(plan, true);
  }

  /** Tries the transports of `plan` in turn. */
  async #try(plan, isFirst) {
    const attempt = ++this.#attempt;
    const [transport, ...others] = plan;
    let token;
    try {
      token = await this.#gate.token((error, retryIn) => attempt === this.#attempt && this.#hear.trouble(error, retryIn));
    } catch (error) {
      if (attempt === this.#attempt) this.#failed(error);
      return;
    }
    // Closed, put away or overtaken while the token was on its way.
    if (attempt !== this.#attempt) return;
    // Where a new token was to be had and it is the old one, it is as bad as it was.
    if (this.#refused && this.#refused.token === token) return this.#finish(this.#refused.error);
    this.#refused = null;
    this.#token = token;
    const isMine = () => attempt === this.#attempt;
    const hear = {
      open: () => isMine() && this.#opened(transport.name),
      text: (text) => isMine() && this.#heard(text),
      id: (id, isBare) => isMine() && isBare && this.#position.startAt(id),
      since: (since) => isMine() && this.#position.continueWith(since),
      end: (error) => {
        if (!isMine()) return;
        if (this.#state === "open") return this.#lost(error);
        // An answer of the gateway is one whatever it came over; anything else may be a blocked transport.
        if (error.isAnswer) return this.#failed(error);
        if (others.length > 0) return this.#try(others, false);
        if (isFirst && transport.name === "ws") return this.#askWhy(error, isMine);
        this.#failed(error);
      },
    };
    const isSure = others.length > 0 && this.#isUpward;
    const address = this.#gate.address(`${transport.verb}${this.#path}`);
    const { platform } = this.#gate;
    const patience = isSure ? this.#patienceUpward : this.#patience;
    const query = this.#asked(transport.name);
    try {
      this.#close = transport.open({ address, token, query, patience, ...platform }, hear);
    } catch (cause) {
      // As a WebSocket that a policy of the page forbids.
      hear.end(new PushgateError("unreachable", String(cause?.message ?? cause)));
    }
  }

  /** A WebSocket does not tell why it was refused: where nothing else is tried, the same as a request does. */
  async #askWhy(failure, isMine) {
    const why = await this.#gate.refusal(`ws${this.#path}`, this.#token, this.#asked("ws"));
    if (isMine()) this.#failed(why ?? failure);
  }

  #asked(transport) {
    const query = { ...this.#query };
    if (transport === "poll") delete query.start;
    if (transport === "ws") query.beat = "1";
    const { since } = this.#position;
    if (since !== null) query.since = since;
    else if (this.#history !== null) query.history = String(this.#history);
    return Object.entries(query);
  }

  #opened(name) {
    this.#state = "open";
    this.#isFirst = true;
    this.#transport = name;
    this.#isUpward = false;
    this.#openedAt = Date.now();
    this.#gate.route.worked(name);
    const upward = this.#gate.route.untilUpward();
    clearTimeout(this.#timer);
    if (upward !== null) this.#planUpward(upward);
    this.#hear.open(name);
  }

  /** Time to try a better transport; unless another stream of the page does, or has found one. */
  #upward() {
    const { route } = this.#gate;
    const isAlone = route.untilUpward() === 0;
    if (isAlone || route.best !== this.#transport) {
      this.#isUpward = true;
      this.#connect();
    } else {
      this.#planUpward(Math.max(route.untilUpward() ?? 0, 2 * this.#patienceUpward * 1000));
    }
  }

  get #patience() {
    return this.#gate.patience ?? PATIENCE;
  }

  get #patienceUpward() {
    return Math.min(this.#patience, PATIENCE_UPWARD);
  }

  #planUpward(milliseconds) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#upward(), Math.min(milliseconds, 2 ** 31 - 1));
    this.#timer.unref?.();
  }

  #heard(text) {
    const isStart = this.#isFirst && this.#transport !== "poll";
    this.#isFirst = false;
    let object;
    try {
      object = JSON.parse(text);
    } catch {
      // Nothing of ours; a later version may have its reasons.
      return;
    }
    if (isObject(object)) {
      if (isStart && typeof object.since === "string") return this.#position.startAt(object.since);
      if (isObject(object.gap) && object.gap.next) this.#position.skipTo(object.gap.next);
      const id = object.message?.id ?? object.id;
      if (typeof id === "string" && !this.#position.advance(id)) return;
    }
    this.#hear.message(object, text);
  }

  #lost(error) {
    const hasHeld = Date.now() - this.#openedAt >= STEADY;
    if (hasHeld) {
      this.#backoff.reset();
      this.#gate.route.held(this.#transport);
      if (!error.isSilence) this.#shortLives = 0;
    }
    if (!error.isAnswer && (!hasHeld || error.isSilence) && ++this.#shortLives >= 3) {
      // It opens, and something on the way cuts it, or holds it back, each time.
      this.#shortLives = 0;
      this.#gate.route.distrust(this.#transport);
    }
    this.#failed(error);
  }

  #failed(error) {
    this.#cut();
    this.#isUpward = false;
    if (this.#state === "closed") return;
    // Replaced by a newer one of ours, which another channel has connected with.
    const isStale = (error.isAboutToken || error.closeCode === 4002) && this.#gate.isStale(this.#token);
    const isRenewable = error.isAboutToken && this.#gate.canRenew;
    if (!error.isTemporary && !isRenewable && !isStale) return this.#finish(error);
    if (error.isAboutToken && this.#token !== undefined) this.#refused = { token: this.#token, error };
    if (isRenewable) this.#gate.dropToken(this.#token);
    // Too fast, twice: the gateway is to be left alone for a while.
    const atLeast = error.retryAfter ?? (error.closeCode === 4009 ? 5 : 0);
    const wait = this.#backoff.next(atLeast);
    this.#notBefore = Date.now() + atLeast * 1000;
    this.#waitFor(wait * 1000);
    this.#hear.trouble(error, wait);
  }

  #waitFor(milliseconds) {
    this.#state = "waiting";
    this.#timer = setTimeout(() => this.#connect(), milliseconds);
  }

  /** The page is looked at again: whoever waits need not any longer. */
  #wake() {
    const now = Date.now();
    if (this.#state !== "waiting" || now - this.#wokenAt < WAKE_PAUSE || now < this.#notBefore) return;
    this.#wokenAt = now;
    this.#connect();
  }

  /** What is open may be dead. A resume costs little and repeats nothing. */
  #doubt() {
    const now = Date.now();
    if (this.#state === "closed" || this.#state === "idle") return;
    const isResting = this.#state === "resting";
    if (!isResting && now - this.#wokenAt < WAKE_PAUSE) return;
    if (now < this.#notBefore) return isResting ? this.#waitFor(this.#notBefore - now) : undefined;
    this.#wokenAt = now;
    this.#gate.route.forget();
    this.#connect();
  }

  #rest() {
    if (this.#state === "closed" || this.#state === "idle") return;
    this.#cut(true);
    this.#state = "resting";
  }

  #finish(error) {
    if (this.#state === "closed") return;
    this.#cut(true);
    this.#state = "closed";
    this.#unwatch();
    this.#hear.end(error);
  }

  /** Ends what is under way, without a word: for good, or until the next moment. */
  #cut(isLeaving = false) {
    this.#attempt += 1;
    clearTimeout(this.#timer);
    this.#close?.(!isLeaving);
    this.#close = null;
  }
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
