// A look for a connection: over the transports of a plan, in turn.

import { PushgateError } from "./errors.js";
import { Link } from "./link.js";

/** Seconds that a transport gets to open; less where another one works meanwhile. */
const PATIENCE = 8;
const PATIENCE_UPWARD = 3;
/** And one that was shown to get through: the gateway may have opened it, and sent over it what comes nowhere else. */
const PATIENCE_PROBED = 20;

export class Attempt {
  #gate;
  #path;
  #hear;
  #used;
  #isUpward;
  #link = null;
  #slot = null;
  #isCrowded = false;
  #isOver = false;

  /**
   * `used` is the transport that is in use meanwhile, if there is one, and `isUpward` whether only a better
   * one is of any use. `hear` is asked `query(link)`, `isRefused(token)` and `slot()`, and is told what `of(link)`
   * takes, `trouble(error, retryIn)` while no token is to be had, `opened(link)` or `failed(error, token)` once,
   * and `ended(link, error)` after that.
   */
  constructor(gate, path, { used, isUpward }, hear) {
    this.#gate = gate;
    this.#path = path;
    this.#used = used;
    this.#isUpward = isUpward;
    this.#hear = hear;
  }

  /** Ends it. */
  cancel(isComingBack) {
    this.#isOver = true;
    this.#link?.close(isComingBack);
    this.#giveBack();
  }

  /** Tries the transports of `plan`. */
  async run(plan, isFirst = true, isProbed = false) {
    const [transport, ...others] = plan;
    // What is in use already is no step upward.
    if (this.#isUpward && transport.name === this.#used) return this.#fail();
    let token;
    try {
      token = await this.#gate.token((error, retryIn) => !this.#isOver && this.#hear.trouble(error, retryIn));
    } catch (error) {
      return this.#fail(error);
    }
    // Closed, put away or overtaken while the token was on its way.
    if (this.#isOver || this.#hear.isRefused(token)) return;
    const canPoll = others.some(({ name }) => name === "poll");
    const isCrowded = transport.name === "sse" && canPoll && !(await this.#hasSlot());
    if (this.#isOver) return;
    if (isCrowded) return this.run(others, false);
    const link = (this.#link = new Link(transport.name, token));
    const end = (error) => {
      if (link !== this.#link || this.#isOver) return this.#hear.ended(link, error);
      this.#giveBack();
      // An answer of the gateway is one whatever it came over; anything else may be a blocked transport.
      if (error.isAnswer) return this.#fail(error, token);
      if (others.length > 0) return this.run(others, false);
      if (isFirst && transport.name === "ws") return this.#askWhy(error, link);
      this.#fail(error, token);
    };
    // While polls work, what is sent to this client alone must not end in a stream that something holds back.
    const isProbe = this.#used === "poll" && transport.name !== "poll" && !isProbed;
    if (isProbe) {
      const again = () => this.#again(link, plan, isFirst);
      return this.#open(transport, link, { ...DEAF, open: again, end }, this.#patience(others));
    }
    const open = () => {
      if (link !== this.#link || this.#isOver) return;
      this.#isOver = true;
      link.slot = this.#slot;
      if (this.#isCrowded && link.name === "poll") link.standsFor = "sse";
      this.#hear.opened(link);
    };
    const hear = { ...this.#hear.of(link), open, end };
    this.#open(transport, link, hear, isProbed ? PATIENCE_PROBED : this.#patience(others));
  }

  /** A stream holds its connection: whether it may. */
  async #hasSlot() {
    this.#slot ??= await this.#hear.slot();
    this.#isCrowded = this.#slot === null;
    if (this.#isOver) this.#giveBack();
    return !this.#isCrowded;
  }

  #giveBack() {
    this.#slot?.free();
    this.#slot = null;
  }

  /** It gets through: now in earnest. */
  #again(link, plan, isFirst) {
    if (link !== this.#link || this.#isOver) return;
    this.#link = null;
    link.close(true);
    this.run(plan, isFirst, true);
  }

  /** Seconds that a transport gets while `others` are still to be tried. */
  #patience(others) {
    const patience = this.#gate.patience ?? PATIENCE;
    return others.length > 0 && this.#isUpward ? Math.min(patience, PATIENCE_UPWARD) : patience;
  }

  #open(transport, link, hear, patience) {
    const isProbe = hear.text === DEAF.text;
    const query = (link.query = isProbe ? PROBE : this.#hear.query(link));
    const address = this.#gate.address(`${transport.verb}${this.#path}`);
    const request = { address, token: link.token, query, patience, ...this.#gate.platform };
    try {
      link.connect(() => transport.open(request, hear));
    } catch (cause) {
      // As a WebSocket that a policy of the page forbids.
      hear.end(new PushgateError("unreachable", String(cause?.message ?? cause)));
    }
  }

  /** A WebSocket does not tell why it was refused: where nothing else is tried, the same as a request does. */
  async #askWhy(failure, { token, query }) {
    const why = await this.#gate.refusal(`ws${this.#path}`, token, query);
    this.#fail(why ?? failure, token);
  }

  #fail(error, token) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#giveBack();
    this.#hear.failed(error, token);
  }
}

/** What a connection asks for that is only to show that it opens. */
const PROBE = Object.entries({ start: "1", users: "none", direct: "none" });
/** What nobody listens to. */
const DEAF = { text() {}, id() {}, since() {} };
