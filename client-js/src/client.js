// A client of a gateway: who it is, its token, its channels.

import { Backoff } from "./backoff.js";
import { Channel } from "./channel.js";
import { failureOf, unreachable } from "./errors.js";
import { routeTo } from "./routes.js";
import { watchPage } from "./wake.js";

/** How often a request is tried before it has failed. */
const TRIES = 6;
/** Seconds until a request must be answered. */
const ANSWER_WITHIN = 20;
/** The part of its life after which a token is renewed. */
const RENEWAL = 0.8;

let home = null;

/** Where the gateway is if nobody says: where this script came from. */
export function useHome(address) {
  if (/^https?:/.test(address)) home = new URL(".", address).href;
}

/** A gateway, as one client of it. Its `error` events tell what fails in the background. */
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

  /**
   * @param {string | URL} [url] the gateway, such as `https://push.example.org`; by default where this script came from
   * @param {object} [options]
   * @param {string | (() => string | Promise<string>)} [options.token] a token from elsewhere, or a function
   *   that gets one each time a new one is needed
   * @param {("ws" | "sse" | "poll")[]} [options.transports] those to use, best first in this order: ws, sse, poll
   * @param {number} [options.upwardAfter] seconds until a better transport that was blocked is tried again; 180
   * @param {typeof WebSocket} [options.WebSocket] where the platform has none
   * @param {typeof fetch} [options.fetch] in the place of the platform's
   */
  constructor(url = home, options = {}) {
    super();
    if (!url) throw new TypeError("say where the gateway is: new Pushgate('https://…')");
    this.#base = new URL(url, globalThis.location?.href);
    if (!this.#base.pathname.endsWith("/")) this.#base.pathname += "/";
    this.#options = options;
    this.platform = {
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      fetch: options.fetch ?? globalThis.fetch?.bind(globalThis),
      isForeign: Boolean(options.WebSocket || options.fetch),
    };
    this.random = options.random ?? Math.random;
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
   * Logs in: from now on this client is present, and its channels use its token.
   *
   * @param {{name?: string}} [who] the name that others see
   * @returns {Promise<{client_id: string, token: string, expires_in: number, users: object[]}>}
   * @throws {PushgateError}
   */
  login({ name } = {}) {
    this.#name = name;
    this.#isEnded = false;
    this.#wasIn = true;
    this.#unwatch();
    this.#unwatch = watchPage({ wake() {}, doubt() {}, rest() {}, leave: () => this.#leave() });
    return this.#begin(this.#enter());
  }

  /** Ends the presence and every token of this client, and closes its channels. */
  async logout() {
    const token = await this.token().catch(() => undefined);
    this.#isEnded = true;
    clearTimeout(this.#renewal);
    this.#unwatch();
    for (const channel of [...this.#channels]) channel.close();
    this.#identity = null;
    this.#login = null;
    this.#wasIn = false;
    if (token) await this.#ask("logout", { token });
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

  /** The token to connect with; undefined for nobody in particular. */
  async token() {
    const { token } = this.#options;
    if (typeof token === "string") return token;
    if (this.#login === null && typeof token === "function") this.#begin(this.#fetchToken(token));
    else if (this.#login === null && this.#wasIn) this.#begin(this.#enter());
    if (this.#login === null) return undefined;
    return (await this.#login).token;
  }

  /** Whether a new token can be had when this one has ended. */
  get canRenew() {
    return !this.#isEnded && typeof this.#options.token !== "string" && (this.#wasIn || this.#options.token !== undefined);
  }

  /** Whether `token` was replaced by a newer one of ours. */
  isStale(token) {
    return this.#identity !== null && this.#identity.token !== token;
  }

  /** `token` was refused: whoever asks next gets a new one. */
  dropToken(token) {
    if (this.#identity?.token !== token) return;
    clearTimeout(this.#renewal);
    this.#identity = null;
    this.#login = null;
  }

  /** The address of a verb. */
  address(path) {
    return new URL(path, this.#base);
  }

  /** Posts, again and again under one key where no answer came. */
  async send(path, body, { key, signal }) {
    const token = await this.token();
    const headers = { "content-type": "application/json", "idempotency-key": key };
    if (token) headers.authorization = `Bearer ${token}`;
    const request = { method: "POST", headers, body: JSON.stringify(body) };
    try {
      return await this.#request(path, request, signal);
    } catch (error) {
      if (!error.isAboutToken || !this.canRenew) throw error;
      this.dropToken(token);
      headers.authorization = `Bearer ${await this.token()}`;
      return this.#request(path, request, signal);
    }
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
  #begin(login) {
    this.#login = login;
    login.catch(() => {
      if (this.#login === login) this.#login = null;
    });
    return login;
  }

  async #enter(token) {
    const fields = {};
    if (this.#name) fields.name = this.#name;
    if (token) fields.token = token;
    this.#identity = await this.#ask("login", fields);
    this.#planRenewal(this.#identity.expires_in);
    return this.#identity;
  }

  async #fetchToken(source) {
    try {
      this.#identity = { token: await source() };
      return this.#identity;
    } catch (cause) {
      throw unreachable(cause);
    }
  }

  /** A token lives on in the one that renews it: the client stays who it is. */
  #planRenewal(life) {
    clearTimeout(this.#renewal);
    const wait = Math.min(life * RENEWAL * 1000, 2 ** 31 - 1);
    this.#renewal = setTimeout(() => this.#renew(), wait);
    this.#renewal.unref?.();
  }

  async #renew() {
    try {
      this.#login = Promise.resolve(await this.#enter(this.#identity.token));
    } catch (error) {
      // The old one is good for a while; when it ends, the streams ask for a new one.
      this.dispatchEvent(Object.assign(new Event("error"), { error, retryIn: null }));
    }
  }

  /** The page is gone, and with it who it was: nobody is to wait for the end of a connection. */
  #leave() {
    if (!this.#identity) return;
    const body = new URLSearchParams({ token: this.#identity.token });
    this.platform.fetch?.(this.address("logout").href, { method: "POST", body, keepalive: true }).catch(() => {});
  }

  #ask(path, fields) {
    return this.#request(path, { method: "POST", body: new URLSearchParams(fields) });
  }

  async #request(path, request, signal) {
    const backoff = new Backoff(this.random);
    for (;;) {
      try {
        return await this.#once(path, request, signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (!error.isTemporary || backoff.failures + 1 >= TRIES || this.#isEnded) throw error;
        const wait = backoff.next(error.retryAfter ?? 0);
        await new Promise((done) => setTimeout(done, wait * 1000));
      }
    }
  }

  async #once(path, request, signal) {
    const abort = new AbortController();
    const stop = () => abort.abort();
    const timer = setTimeout(stop, ANSWER_WITHIN * 1000);
    signal?.addEventListener("abort", stop);
    try {
      const options = { cache: "no-store", credentials: "omit", ...request, signal: abort.signal };
      const response = await this.platform.fetch(this.address(path).href, options);
      if (!response.ok) throw await failureOf(response);
      return response.status === 204 ? undefined : await response.json();
    } catch (error) {
      throw error.name === "PushgateError" ? error : unreachable(error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    }
  }
}
