// A client of a gateway: who it is, its token, its channels.

import { Backoff } from "./backoff.js";
import { Channel } from "./channel.js";
import { PushgateError, failureOf, unreachable } from "./errors.js";
import { routeTo } from "./routes.js";
import { slotsTo } from "./slots.js";
import { watchPage } from "./wake.js";

/** How often a request is tried before it has failed. */
const TRIES = 6;
/** Seconds until a request must be answered, and until a login must, which is little to send. */
const ANSWER_WITHIN = 20;
const LOGIN_WITHIN = 10;
/** The part of its life after which a token is renewed; seconds that this takes at least, and until it
 * is tried again. */
const RENEWAL = 0.8;
const RENEW_SOONEST = 5;
const RENEW_AGAIN = 60;

let home = null;

/** Where the gateway is if nobody says: where this script came from. */
export function useHome(address) {
  if (/^https?:/.test(address)) home = new URL(".", address).href;
}

/**
 * A gateway, as one client of it. Its `error` events (`error`, `retryIn`) tell of each try of a login that
 * failed and comes again, and of what fails in the background.
 */
export class Pushgate extends EventTarget {
  #base;
  #options;
  #identity = null;
  #login = null;
  #name;
  #renewal;
  #channels = new Set();
  #unwatch = () => {};
  #isEnded = false;
  #wasIn = false;
  /** Those who wait for a login, and are told what it waits for. */
  #waiting = new Set();

  /**
   * @param {string | URL} [url] the gateway, such as `https://push.example.org`; by default where this script came from
   * @param {object} [options]
   * @param {string | (() => string | Promise<string>)} [options.token] a token from elsewhere, or a function
   *   that gets one each time a new one is needed
   * @param {("ws" | "sse" | "poll")[]} [options.transports] those to use, best first in this order: ws, sse, poll
   * @param {number} [options.upwardAfter] seconds until a better transport that was blocked is tried again; 180
   * @param {number} [options.patience] seconds that a transport gets to open, before the next one is tried; 8
   * @param {typeof WebSocket} [options.WebSocket] where the platform has none
   * @param {typeof fetch} [options.fetch] in the place of the platform's
   */
  constructor(url = home, options = {}) {
    super();
    if (!url) throw new TypeError("say where the gateway is: new Pushgate('https://…')");
    this.#base = new URL(url, globalThis.location?.href);
    if (!this.#base.pathname.endsWith("/")) this.#base.pathname += "/";
    this.#options = options;
    // A browser's `fetch` is particular about what it is called on.
    const fetch = options.fetch ?? globalThis.fetch;
    this.platform = {
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      fetch: fetch && ((...request) => fetch(...request)),
      isForeign: Boolean(options.WebSocket || options.fetch),
    };
    this.patience = options.patience;
    /** For tests: where chance comes from, how often the page's life counts, and whose that is. */
    this.random = options.random ?? Math.random;
    this.wakePause = options.wakePause;
    this.scope = options.scope ?? globalThis;
    this.slots = options.slots ?? slotsTo(this.#base.origin);
    this.route = routeTo(this.#base.href, this.platform, options);
  }

  /** The id of this client; null before a login. */
  get clientId() {
    return this.#identity?.client_id ?? null;
  }

  /** Where the gateway is. */
  get url() {
    return this.#base.href;
  }

  /**
   * Logs in: from now on this client is present, and its channels use its token. A second login makes
   * another client of it, and the first one is gone.
   *
   * It is tried a few times; each try that fails is an `error` event here and on the channels that wait.
   * Where all have failed it rejects, and the channels begin again in their own time.
   *
   * @param {{name?: string}} [who] the name that others see
   * @returns {Promise<{client_id: string, token: string, expires_in: number, users: object[]}>}
   * @throws {PushgateError}
   */
  login({ name } = {}) {
    this.#name = name;
    this.#isEnded = false;
    this.#wasIn = true;
    const before = this.#identity;
    this.#identity = null;
    clearTimeout(this.#renewal);
    this.#unwatch();
    const leave = () => this.#leave();
    this.#unwatch = watchPage({ wake() {}, doubt() {}, rest() {}, leave }, this.scope);
    const login = this.#begin(this.#enter());
    // Its channels are closed by that, and come back as who this is now.
    if (before) login.then(() => this.#ask("logout", { token: before.token }, { isFarewell: true })).catch(() => {});
    return login;
  }

  /** Ends the presence and every token of this client, and closes its channels. */
  async logout() {
    const [identity, login, given] = [this.#identity, this.#login, this.#options.token];
    this.#isEnded = true;
    this.#wasIn = false;
    this.#identity = null;
    this.#login = null;
    this.close();
    // A login that is under way is not tried again; it may still succeed.
    const late = identity ?? (await login?.catch(() => null));
    const token = typeof given === "string" ? given : late?.token;
    if (token === undefined) return;
    try {
      await this.#ask("logout", { token }, { isFarewell: true });
    } catch (error) {
      // It has ended already.
      if (!error.isAboutToken) throw error;
    }
  }

  /**
   * Subscribes to a channel; `""` is the root channel.
   *
   * @param {string} [name] such as `chat/lobby`
   * @param {{since?: string, history?: number, users?: "diff" | "list" | "count" | "none", maxRate?: number}} [options]
   * @returns {Channel}
   */
  channel(name = "", options = {}) {
    const channel = new Channel(this, name, options);
    this.#channels.add(channel);
    return channel;
  }

  /** Closes all channels, and does not log out: a connection from elsewhere finds the client present. */
  close() {
    clearTimeout(this.#renewal);
    this.#unwatch();
    for (const channel of [...this.#channels]) channel.close();
  }

  /** The token to connect with; undefined for nobody in particular. `hear` is told of tries that failed. */
  async token(hear) {
    const { token } = this.#options;
    if (typeof token === "string") return token;
    if (this.#login === null && typeof token === "function") this.#begin(this.#fetchToken(token));
    else if (this.#login === null && this.#wasIn) this.#begin(this.#enter());
    if (this.#login === null) return undefined;
    if (hear) this.#waiting.add(hear);
    try {
      return (await this.#login).token;
    } finally {
      this.#waiting.delete(hear);
    }
  }

  /** Whether a new token can be had when this one has ended. */
  get canRenew() {
    const { token } = this.#options;
    return !this.#isEnded && typeof token !== "string" && (this.#wasIn || token !== undefined);
  }

  /** Whether `token` was replaced by a newer one of ours. */
  isStale(token) {
    return this.#identity !== null && this.#identity.token !== token;
  }

  /** `token` was refused: whoever asks next gets a new one. */
  dropToken(token) {
    if (token === undefined || this.#identity?.token !== token) return;
    clearTimeout(this.#renewal);
    this.#identity = null;
    this.#login = null;
  }

  /** A connection of `token`, from elsewhere, is gone with its page: its client need not be waited for. */
  sayGone(token) {
    // Who logged in here logs out with the page.
    if (!token || this.clientId !== null) return;
    const url = this.address("_ah/channel/dev");
    url.search = String(new URLSearchParams({ command: "disconnect", channel: token }));
    this.platform.fetch?.(url.href, { keepalive: true, credentials: "omit" }).catch(() => {});
  }

  /** The address of a verb. */
  address(path) {
    return new URL(path, this.#base);
  }

  /** Posts, again and again under one key where no answer came. */
  async send(path, body, { signal }) {
    const token = await this.token();
    // Nobody logs out to go on without a name.
    if (this.#isEnded && token === undefined) throw new PushgateError("logged-out", "this client has logged out");
    const headers = { "content-type": "application/json" };
    if (token) headers.authorization = `Bearer ${token}`;
    const request = { method: "POST", headers, body };
    try {
      return await this.#request(path, request, { signal });
    } catch (error) {
      if (!error.isAboutToken || !this.canRenew) throw error;
      this.dropToken(token);
      headers.authorization = `Bearer ${await this.token()}`;
      return this.#request(path, request, { signal });
    }
  }

  /** Why the gateway refuses a WebSocket at `path` to whoever has `token`; null if it does not, or nothing came. */
  async refusal(path, token, asked) {
    const query = new URLSearchParams(asked);
    query.set("why", "1");
    if (token) query.set("token", token);
    try {
      await this.#once(`${path}?${query}`, {}, {});
    } catch (error) {
      // 426: nothing is wrong but that this was no WebSocket.
      if (error.isAnswer && error.status !== 426) return error;
    }
    return null;
  }

  /** 128 random bits. */
  newKey() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** A channel that is over. */
  forget(channel) {
    this.#channels.delete(channel);
  }

  /** What a login brings; where it fails, the next to ask for a token tries again. */
  #begin(entering) {
    const login = entering.then(
      (identity) => {
        // Not if a later one, or a logout, has overtaken it.
        if (this.#login === login) this.#become(identity);
        return identity;
      },
      (error) => {
        if (this.#login === login) this.#login = null;
        throw error;
      },
    );
    this.#login = login;
    // Whoever asked for it is told; nobody may have.
    login.catch(() => {});
    return login;
  }

  #become(identity) {
    this.#identity = identity;
    if (identity.expires_in > 0) this.#planRenewal(identity.expires_in * RENEWAL);
  }

  async #enter(token) {
    const fields = {};
    if (this.#name) fields.name = this.#name;
    if (token) fields.token = token;
    // While a token is renewed the old one is good.
    const options = { hear: token ? undefined : (...what) => this.#delayed(...what), within: LOGIN_WITHIN };
    const identity = await this.#ask(token ? "login?users=none" : "login", fields, options);
    if (typeof identity?.token !== "string") throw unreachable(new Error("what came is no answer to a login"));
    return identity;
  }

  async #fetchToken(source) {
    let timer;
    const late = new Promise((_, fail) => {
      timer = setTimeout(() => fail(new Error("no token within its time")), ANSWER_WITHIN * 1000);
    });
    try {
      const token = await Promise.race([source(), late]);
      if (typeof token !== "string" || token === "") throw new TypeError("there is no token");
      return { token };
    } catch (cause) {
      throw unreachable(cause);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A token lives on in the one that renews it: the client stays who it is. */
  #planRenewal(seconds) {
    clearTimeout(this.#renewal);
    const wait = Math.min(Math.max(RENEW_SOONEST, seconds) * 1000, 2 ** 31 - 1);
    this.#renewal = setTimeout(() => this.#renew(), wait);
    this.#renewal.unref?.();
  }

  async #renew() {
    if (this.#identity === null) return;
    const login = this.#login;
    try {
      const identity = await this.#enter(this.#identity.token);
      if (this.#login === login) this.#begin(Promise.resolve(identity));
    } catch (error) {
      if (this.#login !== login) return;
      // The old one is good for a while; when it ends, the streams ask for a new one.
      const retryIn = error.isTemporary ? RENEW_AGAIN : null;
      if (retryIn !== null) this.#planRenewal(retryIn);
      this.#told(error, retryIn);
    }
  }

  /** A login has failed, and is tried again. */
  #delayed(error, retryIn) {
    for (const hear of this.#waiting) hear(error, retryIn);
    this.#told(error, retryIn);
  }

  /** Something failed that nobody else is told of, or not yet. */
  #told(error, retryIn) {
    this.dispatchEvent(Object.assign(new Event("error"), { error, retryIn }));
  }

  /** The page is gone, and with it who it was: nobody is to wait for the end of a connection. */
  #leave() {
    if (!this.#identity) return;
    const body = new URLSearchParams({ token: this.#identity.token });
    this.platform.fetch?.(this.address("logout").href, { method: "POST", body, keepalive: true }).catch(() => {});
  }

  #ask(path, fields, options) {
    return this.#request(path, { method: "POST", body: new URLSearchParams(fields) }, options);
  }

  /** Tries a few times; after a logout only what belongs to it. `hear` is told of what is tried again. */
  async #request(path, request, { signal, within, hear, isFarewell = false }) {
    const backoff = new Backoff(this.random);
    for (;;) {
      signal?.throwIfAborted();
      try {
        return await this.#once(path, request, { signal, within });
      } catch (error) {
        signal?.throwIfAborted();
        const isOver = this.#isEnded && !isFarewell;
        if (!error.isTemporary || backoff.failures + 1 >= TRIES || isOver) throw error;
        const wait = backoff.next(error.retryAfter ?? 0);
        hear?.(error, wait);
        await pause(wait, signal);
      }
    }
  }

  async #once(path, request, { signal, within = ANSWER_WITHIN }) {
    const abort = new AbortController();
    const stop = () => abort.abort();
    let late = null;
    const timer = setTimeout(() => {
      late = new Error(`no answer within ${within} s`);
      stop();
    }, within * 1000);
    signal?.addEventListener("abort", stop);
    try {
      const options = { cache: "no-store", credentials: "omit", ...request, signal: abort.signal };
      const response = await this.platform.fetch(this.address(path).href, options);
      if (!response.ok) throw await failureOf(response);
      return response.status === 204 ? undefined : await response.json();
    } catch (error) {
      throw error.name === "PushgateError" ? error : unreachable(late ?? error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    }
  }
}

/** Waits so many seconds, or until somebody gives up. */
function pause(seconds, signal) {
  return new Promise((done) => {
    const timer = setTimeout(go, seconds * 1000);
    function go() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", go);
      done();
    }
    signal?.addEventListener("abort", go);
  });
}
