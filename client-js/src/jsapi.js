// `goog.appengine.Channel`, for pages that were written for Google App Engine.

import { Pushgate } from "./client.js";
import { jsonOf } from "./json.js";
import { Users } from "./presence.js";
import { Stream } from "./stream.js";

const ReadyState = Object.freeze({ CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 });
const CALLBACKS = ["onopen", "onmessage", "onerror", "onclose"];
/** No gateway takes a longer token, and not every one can be asked with it. */
const LONGEST_TOKEN = 4096;

/** Where this script came from is where the gateway is. */
function baseOf() {
  const { document, location } = globalThis;
  const ours = /^(.*\/)(?:_ah\/channel\/jsapi|talkgadget\/channel\.js)\/?(?:[?#].*)?$/;
  const scripts = [document?.currentScript, ...(document?.querySelectorAll?.("script[src]") ?? [])];
  for (const script of scripts) {
    const match = ours.exec(script?.src ?? "");
    if (match) return match[1];
  }
  return location?.origin;
}

/** What an old page knows of errors: a number, and a text with plus signs. */
function toldAs(error) {
  if (error.code === "token-expired" || error.closeCode === 4001) return { code: 401, description: "Token+timed+out." };
  // What is too long about a request of ours can only be the token.
  if ([401, 413, 414, 431].includes(error.status)) return { code: 401, description: "Invalid+token." };
  return { code: error.status || error.closeCode, description: error.detail };
}

/** Old pages `eval` what they get. */
function escaped(text) {
  return text.replace(/\u2028/g, "\\u2028").replace(/\u2029/g, "\\u2029");
}

/** What was sent, to the digit, out of what `ids=1` wraps where the root is of a kind without ids. */
function unwrapped(object, text) {
  if (typeof object?.client_id !== "string" || !("data" in object)) return text;
  return text.slice(text.indexOf('"data":') + 7, -1);
}

/** The socket of a channel; see wire.md section 6. */
class Socket {
  readyState = ReadyState.CONNECTING;
  #stream;
  #users = new Users();
  #handlers;
  #given = {};

  constructor(base, token, handlers) {
    this.#handlers = handlers ?? {};
    for (const name of CALLBACKS) this[name] = this.#given[name] = this.#handlers[name];
    // Nothing is told before `open` has returned.
    queueMicrotask(() => this.#begin(base, token));
  }

  /** Closes for good; `onclose` follows. */
  close() {
    if (this.readyState >= ReadyState.CLOSING) return;
    this.readyState = ReadyState.CLOSING;
    queueMicrotask(() => {
      this.#stream?.close();
      this.#closed();
    });
  }

  #begin(base, token) {
    if (this.readyState !== ReadyState.CONNECTING) return;
    const isToken = typeof token === "string" && token !== "" && token.length <= LONGEST_TOKEN;
    if (!isToken) return this.#failed({ code: 401, description: "Invalid+token." });
    let gate;
    try {
      gate = new Pushgate(base, { token });
    } catch (error) {
      // A platform that can do nothing of what we need, or an address that is none.
      return this.#failed({ code: 0, description: String(error?.message ?? error) });
    }
    this.#stream = new Stream(gate, "", { users: "diff" }, {
      open: () => this.#opened(),
      message: (object, text) => this.#heard(object, text),
      // A short drop is none of the page's business.
      trouble: () => {},
      end: (error) => this.#ended(error),
    });
    this.#stream.open();
  }

  #opened() {
    if (this.readyState !== ReadyState.CONNECTING) return;
    this.readyState = ReadyState.OPEN;
    this.#call("onopen");
  }

  #heard(object, text) {
    if (this.readyState !== ReadyState.OPEN) return;
    if (object !== null && typeof object === "object") {
      const isOfUsers = object.users || object.joined || object.left;
      if (isOfUsers || typeof object.count === "number") {
        const change = this.#users.take(object);
        if (change) this.#call("onmessage", { data: jsonOf(this.#users.whole()) });
        return;
      }
      if (object.gap) return this.#call("ongap", object.gap);
    }
    // A backend's text is told as it was sent, anything else as the JSON that it is.
    this.#call("onmessage", { data: typeof object === "string" ? object : escaped(unwrapped(object, text)) });
  }

  #ended(error) {
    if (this.readyState >= ReadyState.CLOSING) return;
    // Logged out, or sent away by the backend: an end, and no error.
    if (error.closeCode === 4002 || error.closeCode === 4003) this.#closed();
    else this.#failed(toldAs(error));
  }

  #failed(error) {
    this.readyState = ReadyState.CLOSING;
    this.#call("onerror", error);
    this.#closed();
  }

  #closed() {
    if (this.readyState === ReadyState.CLOSED) return;
    this.readyState = ReadyState.CLOSED;
    this.#call("onclose");
  }

  /** Callbacks are looked up when they fire, where they were given and where they were assigned. */
  #call(name, ...args) {
    const isAsGiven = this[name] === this.#given[name];
    const callback = isAsGiven ? this.#handlers[name] : this[name];
    if (typeof callback !== "function") return;
    try {
      callback.apply(this, args);
    } catch (error) {
      // The page's own: reported as any of its errors, and what comes next is told all the same.
      setTimeout(() => {
        throw error;
      });
    }
  }
}

Socket.ReadyState = ReadyState;

/** Adds `goog.appengine` to what the page has; a second script changes nothing. */
function install(scope, base) {
  const goog = (scope.goog ??= {});
  const appengine = (goog.appengine ??= {});
  if (appengine.Channel?.isPushgate) return;
  const Channel = function (token) {
    this.open = (handlers) => new Socket(base, token, handlers);
  };
  Channel.isPushgate = true;
  appengine.Channel = Channel;
  appengine.Socket = Socket;
}

install(globalThis, baseOf());
