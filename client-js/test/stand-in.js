// A gateway that does what the test says, for what a real one never does, or not at the right moment.

import { mock } from "node:test";

import { Pushgate } from "../src/pushgate.js";

/** Lets everything happen that can happen without time passing. */
export async function settle() {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((done) => immediately(done));
}
const immediately = setImmediate;

/** Lets time pass on the mocked clock, second by second: a clock that jumps is a machine that slept. */
export async function pass(seconds) {
  await settle();
  for (let left = seconds; left > 0; left -= 1) {
    mock.timers.tick(Math.min(1, left) * 1000);
    await settle();
  }
}

export class StandIn {
  /** The WebSockets that were made, oldest first. */
  sockets = [];
  /** The requests that wait for an answer: `{ verb, url, options, answer(body, status), fail(error) }`. */
  requests = [];

  /** What a client is made with. */
  get options() {
    const { sockets } = this;
    const WebSocket = class {
      closedWith = null;

      constructor(url, protocols) {
        Object.assign(this, { url, protocols });
        sockets.push(this);
      }

      close(code) {
        this.closedWith ??= code;
      }

      /** What the gateway sends. */
      tell(...messages) {
        for (const message of messages) {
          this.onmessage({ data: typeof message === "string" ? message : JSON.stringify(message) });
        }
      }

      end(code) {
        if (code === 1006) this.onerror({});
        this.onclose({ code });
      }

      /** As some platforms refuse: without a close. */
      refuse() {
        this.onerror({});
      }
    };
    return { WebSocket, fetch: (url, options) => this.#asked(url, options), random: () => 0 };
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** The requests of a verb that wait. */
  of(verb) {
    return this.requests.filter((request) => request.verb === verb);
  }

  #asked(url, options = {}) {
    return new Promise((done, fail) => {
      const leave = () => (this.requests = this.requests.filter((other) => other !== request));
      const request = {
        verb: /^\/(\w+)/.exec(new URL(url).pathname)[1],
        url,
        options,
        answer: (body, status = 200, headers = { "content-type": "application/json" }) => {
          leave();
          // A refusal of a gateway says which one it is.
          if (status >= 400 && body?.code) body = { type: `/problems#${body.code}`, ...body };
          const isRaw = status === 204 || typeof body === "string" || body instanceof ReadableStream;
          done(new Response(isRaw ? body : JSON.stringify(body), { status, headers }));
        },
        fail: (error = new TypeError("fetch failed")) => {
          leave();
          fail(error);
        },
      };
      options.signal?.addEventListener("abort", () => request.fail(new DOMException("aborted", "AbortError")));
      this.requests.push(request);
    });
  }
}

/** A client of one, on a page and a clock of its own, which end with the test `t`. */
export function begin(t, options = {}) {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_000_000 });
  t.after(() => mock.timers.reset());
  const there = new StandIn();
  const page = Object.assign(new EventTarget(), { document: new EventTarget() });
  const gate = new Pushgate("http://gate.test/", { ...there.options, scope: page, ...options });
  t.after(() => gate.close());
  return { there, gate, page };
}

/** The body of an event stream, piece by piece. */
export function eventStream() {
  let control;
  const body = new ReadableStream({ start: (controller) => (control = controller) });
  const encoder = new TextEncoder();
  return {
    body,
    headers: { "content-type": "text/event-stream" },
    tell: (bytes) => control.enqueue(typeof bytes === "string" ? encoder.encode(bytes) : bytes),
    end: () => control.close(),
    fail: () => control.error(new TypeError("terminated")),
  };
}
