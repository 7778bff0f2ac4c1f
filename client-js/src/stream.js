// One subscription, whatever becomes of its connections: opens, falls back, resumes, never repeats.

import { Attempt } from "./attempt.js";
import { Backoff } from "./backoff.js";
import { Handover } from "./handover.js";
import { Heard } from "./heard.js";
import { watchPage } from "./wake.js";

/** Milliseconds that a stream must hold for its end to count as the first failure. */
const STEADY = 10_000;
/** Milliseconds to wait where another change is under way, or another stream of the page tries for all. */
const AGAIN = 1000;
const AFTER_OTHERS = 6000;
/** Milliseconds until a stream is tried again for which there were too many. */
const CROWDED = 30_000;
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
  #heard;
  #history;
  #backoff;
  /** The connection in use, the look for another one, and how the one before is let go. */
  #link = null;
  #attempt = null;
  #handover = null;
  #timer;
  #state = "idle";
  #wokenAt = -Infinity;
  #notBefore = 0;
  #shortLives = 0;
  #unwatch = () => {};
  /** Whether what is in use may be dead. */
  #isDoubted = false;
  #refused;

  constructor(gate, path, { since = null, history = null, users, query = {} }, hear) {
    this.#gate = gate;
    this.#path = path;
    this.#query = { ids: "1", start: "1", text: "json", direct: "1", ...query };
    if (users) this.#query.users = users;
    this.#heard = new Heard(since);
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
    return this.#state === "open" ? this.#link.name : null;
  }

  /** What a later stream could resume from. */
  get since() {
    return this.#heard.position.since;
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
    if (this.#state !== "open" || this.#link.name === "ws") return;
    const { token } = this.#link;
    this.#cut();
    this.#gate.sayGone(token);
  }

  /** Connects, where there is no connection that could be lost, or none that is worth it. */
  #connect() {
    this.#cut();
    this.#state = "connecting";
    this.#try();
  }

  /** Looks for a connection to go on with, while the one in use does its work. One at a time. */
  #switch(isUpward = false) {
    if (this.#state !== "open") return this.#connect();
    if (this.#attempt || this.#handover) return;
    clearTimeout(this.#timer);
    this.#try(isUpward);
  }

  #try(isUpward = false) {
    const { position } = this.#heard;
    const attempt = new Attempt(this.#gate, this.#path, { used: this.#link?.name, isUpward }, {
      query: (link) => this.#asked(link),
      isRefused: (token) => this.#isRefused(token),
      slot: () => this.#link?.slot?.share() ?? this.#gate.slots.take(),
      of: (link) => ({
        text: (text) => {
          const isFirst = link.brings();
          this.#brought(link, () => this.#tell(text, link, isFirst), text);
        },
        id: (id, isBare) => isBare && this.#brought(link, () => position.startAt(id)),
        since: (since) => this.#brought(link, () => position.continueWith(since)),
        turn: () => link.turn(),
        mayWait: () => link.mayWait(this.#gate.slots),
      }),
      trouble: (error, retryIn) => this.#hear.trouble(error, retryIn),
      opened: (link) => this.#opened(link),
      failed: (error, token) => this.#failed(error, token),
      ended: (link, error) => this.#ended(link, error),
    });
    this.#attempt = attempt;
    attempt.run(this.#gate.route.plan());
  }

  /** Where a new token was to be had and it is the old one, it is as bad as it was. */
  #isRefused(token) {
    const refused = this.#refused;
    this.#refused = null;
    if (!refused || refused.token !== token) return false;
    if (this.#link) this.#stay(refused.error);
    else this.#finish(refused.error);
    return true;
  }

  /** What `link` is to ask for, which begins now. */
  #asked(link) {
    this.#settle();
    if (this.#link?.name === "poll") {
      // Between two polls everything would go to the other one: none that is older is to come after that.
      this.#link.retire();
      this.#handover = this.#handoverTo(link);
    }
    const query = { ...this.#query };
    if (link.name === "poll") delete query.start;
    if (link.name === "ws") query.beat = "1";
    const { since } = this.#heard.position;
    link.asked = since;
    if (since !== null) query.since = since;
    else if (this.#history !== null) query.history = String(this.#history);
    return Object.entries(query);
  }

  #opened(link) {
    if (this.#link) this.#handover ??= this.#handoverTo(link);
    link.isHeir = this.#link !== null;
    this.#use(link);
    link.openedAt = Date.now();
    this.#hear.open(link.name);
    // Whoever heard of it may have closed.
    if (link === this.#link) this.#handover?.begin();
  }

  #handoverTo(link) {
    return new Handover(this.#link, link, this.#heard, (held) => this.#letGo(link, held));
  }

  /** What is in use goes on as if nothing else had been tried. */
  #settle() {
    const link = this.#link;
    const held = this.#handover?.stop() ?? [];
    this.#handover = null;
    for (const act of held) if (link === this.#link) act();
    this.#link?.goOn();
  }

  /** This is the connection now. */
  #use(link) {
    this.#state = "open";
    this.#link = link;
    this.#attempt = null;
    this.#isDoubted = false;
    const { route } = this.#gate;
    route.worked(link.standsFor, Date.now(), link.askedAt);
    const upward = route.untilUpward() ?? Infinity;
    clearTimeout(this.#timer);
    if (link.standsFor !== link.name) this.#planUpward(Math.min(upward, CROWDED));
    else if (upward < Infinity) this.#planUpward(upward);
  }

  /** The connection before `link` has brought what it had: now comes what has waited for that. */
  #letGo(link, held) {
    const { old } = this.#handover;
    this.#handover = null;
    old.close(true);
    for (const act of held) if (link === this.#link) act();
    link.isHeir = false;
  }

  /** A connection has brought something: its turn is now, or later, or never. */
  #brought(link, act, text) {
    const handover = this.#handover;
    if (link === handover?.old) {
      const isBetter = handover.late(act, text);
      // Whoever heard of it may have closed.
      if (isBetter && handover === this.#handover) this.#goBack(this.#link);
    } else if (link !== this.#link) return;
    else if (handover) handover.hold(act, text);
    else act();
  }

  #tell(text, link, isFirst) {
    const news = this.#heard.take(text, link, isFirst);
    if (news) this.#hear.message(news.object, news.text);
  }

  /** Nothing else was found: what is in use goes on. Where that is in doubt, it is tried again. */
  #stay(error) {
    const isDoubted = this.#isDoubted;
    this.#settle();
    // Whoever heard of what came meanwhile may have closed.
    if (!this.#link) return;
    this.#use(this.#link);
    if (!isDoubted || error?.isTemporary === false) return;
    this.#isDoubted = true;
    const atLeast = error?.retryAfter ?? 0;
    this.#notBefore = Date.now() + atLeast * 1000;
    this.#planAnew(() => this.#switch(), this.#backoff.next(atLeast) * 1000);
  }

  /** Time to try a better transport; unless another stream of the page does, or has found one. */
  #upward() {
    const { route } = this.#gate;
    if (this.#handover) return this.#planUpward(AGAIN);
    if (route.untilUpward() === 0 || route.best !== this.#link.name) return this.#switch(true);
    this.#planUpward(Math.max(route.untilUpward() ?? 0, AFTER_OTHERS));
  }

  #planUpward(milliseconds) {
    this.#planAnew(() => this.#upward(), Math.min(milliseconds, 2 ** 31 - 1));
  }

  #planAnew(act, milliseconds) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, milliseconds);
    this.#timer.unref?.();
  }

  #ended(link, error) {
    if (link === this.#handover?.old && link !== this.#link) return this.#handover.end();
    if (link !== this.#link) return;
    if (link === this.#handover?.old) this.#settle();
    // Whoever heard of it may have closed.
    if (link !== this.#link) return;
    this.#judge(link, error);
    if (this.#handover) return this.#goBack(link);
    link.over();
    this.#link = null;
    if (!this.#attempt || this.#isFinal(error, link.token)) return this.#failed(error, link.token);
    // The next one is on its way.
    this.#state = "connecting";
  }

  /** It has opened, and does not hold, or is the worse one; the one before it is still there. */
  #goBack(link) {
    const { old } = this.#handover;
    for (const act of this.#handover.stop()) if (link === this.#link) act();
    if (link !== this.#link) return;
    this.#handover = null;
    link.close(true);
    old.goOn();
    this.#use(old);
  }

  /** What its end says of a transport. */
  #judge({ name, openedAt }, error) {
    const { route } = this.#gate;
    const hasHeld = Date.now() - openedAt >= STEADY;
    if (hasHeld) {
      this.#backoff.reset();
      route.held(name);
      if (!error.isSilence) this.#shortLives = 0;
    }
    if (!error.isAnswer && (!hasHeld || error.isSilence) && ++this.#shortLives >= 3) {
      // It opens, and something on the way cuts it, or holds it back, each time.
      this.#shortLives = 0;
      route.distrust(name);
    }
  }

  /** Replaced by a newer one of ours, which another channel has connected with. */
  #isStale(error, token) {
    return (error.isAboutToken || error.closeCode === 4002) && this.#gate.isStale(token);
  }

  /** Whether it is over, whatever is tried. */
  #isFinal(error, token) {
    const isRenewable = error.isAboutToken && this.#gate.canRenew;
    return !error.isTemporary && !isRenewable && !this.#isStale(error, token);
  }

  #failed(error, token) {
    // Nothing better than what is in use.
    if (!error) return this.#stay();
    const isRenewable = error.isAboutToken && this.#gate.canRenew;
    if (error.isAboutToken && token !== undefined) this.#refused = { token, error };
    if (isRenewable) this.#gate.dropToken(token);
    if (this.#link) return this.#stay(error);
    if (this.#isFinal(error, token)) return this.#finish(error);
    this.#cut();
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
    if (this.#state !== "waiting" || now - this.#wokenAt < (this.#gate.wakePause ?? WAKE_PAUSE) || now < this.#notBefore) return;
    this.#wokenAt = now;
    this.#connect();
  }

  /** What is open may be dead. A resume costs little and repeats nothing. */
  #doubt() {
    const now = Date.now();
    if (this.#state === "closed" || this.#state === "idle") return;
    const isResting = this.#state === "resting";
    if (!isResting && now - this.#wokenAt < (this.#gate.wakePause ?? WAKE_PAUSE)) return;
    if (this.#handover) return this.#planAnew(() => this.#doubt(), AGAIN);
    this.#isDoubted = true;
    if (this.#state === "open" && this.#attempt) return;
    if (now < this.#notBefore) return isResting ? this.#waitFor(this.#notBefore - now) : undefined;
    this.#wokenAt = now;
    this.#gate.route.forget();
    this.#switch();
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
    clearTimeout(this.#timer);
    const [attempt, handover, link] = [this.#attempt, this.#handover, this.#link];
    this.#attempt = this.#handover = this.#link = null;
    handover?.stop();
    attempt?.cancel(!isLeaving);
    handover?.old.close(!isLeaving);
    link?.close(!isLeaving);
  }
}
