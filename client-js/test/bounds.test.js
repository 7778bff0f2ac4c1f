// It never spins: sixty seconds in which everything fails at once, on a clock of our own.

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";

import { Pushgate } from "../src/pushgate.js";
import { watchPage } from "../src/wake.js";

/** Attempts a minute, at the very most. */
const BOUND = 90;

/** A WebSocket that does `act` as soon as it is made. */
function socketThat(act, count) {
  return class {
    constructor() {
      count("ws");
      queueMicrotask(() => act(this));
    }

    close() {}
  };
}

const failing = (socket) => socket.onclose({ code: 1006 });

/** A `fetch` that answers by verb, or fails. */
function fetchThat(answers, count) {
  return async (address) => {
    const verb = /^\/(\w+)/.exec(new URL(address).pathname)[1];
    count(verb);
    const answer = answers[verb]?.();
    if (answer === undefined) throw new TypeError("fetch failed");
    return answer;
  };
}

/** Lets `seconds` pass, and everything that is due happen. `each` is called ten times a second. */
async function pass(seconds, each = () => {}) {
  for (let tick = 0; tick < seconds * 50; tick += 1) {
    mock.timers.tick(20);
    if (tick % 5 === 0) each();
    await new Promise((done) => immediately(done));
    await new Promise((done) => immediately(done));
  }
}
const immediately = setImmediate;

/** How often what was tried in a minute, by a client with these answers. */
async function minute({ act = failing, answers = {}, options = {}, login = false, each }) {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_000_000 });
  const counts = {};
  const count = (verb) => (counts[verb] = (counts[verb] ?? 0) + 1);
  const { token } = options;
  const counted = token && { token: () => (count("token"), token()) };
  const gate = new Pushgate("http://gate.test", {
    WebSocket: socketThat(act, count),
    fetch: fetchThat(answers, count),
    random: () => 0,
    ...options,
    ...counted,
  });
  try {
    if (login) gate.login().catch(() => {});
    gate.channel("chat/bounds");
    await pass(60, each);
  } finally {
    gate.close();
    mock.timers.reset();
  }
  return Object.values(counts).reduce((sum, number) => sum + number, 0);
}

const json = (body) => new Response(JSON.stringify(body), { headers: { "content-type": "application/json" } });
const events = (text) => new Response(text, { headers: { "content-type": "text/event-stream" } });
const refused = () =>
  new Response(JSON.stringify({ type: "/problems#token-expired", code: "token-expired" }), { status: 401 });
const identity = () => json({ client_id: "c", token: "t", expires_in: 7200, users: [] });

describe("attempts a minute", () => {
  const cases = {
    "all transports": {},
    "only WebSocket": { options: { transports: ["ws"] } },
    "only SSE": { options: { transports: ["sse"] } },
    "only polls": { options: { transports: ["poll"] } },
    "no login either": { login: true },
    "a login that expires_in nothing": {
      login: true,
      answers: { login: () => json({ token: "t", expires_in: 0.001 }) },
    },
    "a token function that fails": { options: { token: () => Promise.reject(new Error("no")) } },
    "tokens that are all refused": {
      options: { token: () => String(Math.random()) },
      answers: { sse: refused, poll: refused },
    },
    "logins that are all refused": { login: true, answers: { login: identity, sse: refused } },
    "a WebSocket that opens and is cut": {
      act: (socket) => {
        socket.onmessage({ data: "{}" });
        failing(socket);
      },
    },
    "a WebSocket that is ended by 1001": {
      act: (socket) => {
        socket.onmessage({ data: "{}" });
        socket.onclose({ code: 1001 });
      },
    },
    "a WebSocket that is ended by 4008": {
      act: (socket) => {
        socket.onmessage({ data: "{}" });
        socket.onclose({ code: 4008 });
      },
    },
    "a WebSocket that is ended by 4001": {
      act: (socket) => {
        socket.onmessage({ data: "{}" });
        socket.onclose({ code: 4001 });
      },
      options: { token: () => String(Math.random()) },
    },
    "event streams that end at once": { answers: { sse: () => events("retry: 0\nid: a-1\n\n") } },
    "event streams that are none": {
      answers: { sse: () => new Response("<html>"), poll: () => new Response("<html>") },
    },
    "polls out of a cache": { answers: { poll: () => json({ messages: [{ message: "x" }], since: "a-1" }) } },
    "polls that are empty": { answers: { poll: () => json({ messages: [], since: "a-1" }) } },
    "polls that make no sense": { answers: { poll: () => json({ messages: 7 }) } },
    "a Retry-After beyond all measure": {
      answers: {
        sse: () => new Response("", { status: 503, headers: { "retry-after": "99999999999" } }),
        poll: () => new Response("", { status: 503, headers: { "retry-after": "99999999999" } }),
      },
    },
  };
  for (const [name, given] of Object.entries(cases)) {
    test(`${name}: at most ${BOUND} however small chance makes the waits`, async () => {
      const attempts = await minute(given);
      assert.ok(attempts <= BOUND, `${attempts} attempts`);
      assert.ok(attempts >= 2, `${attempts} attempts`);
    });
  }

  test("about thirty as chance has it", async () => {
    let sum = 0;
    for (let round = 0; round < 3; round += 1) sum += await minute({ options: { random: Math.random } });
    assert.ok(sum / 3 >= 9 && sum / 3 <= 60, `${sum / 3} attempts`);
  });

  test("a page that is looked at, away from and online again all the time changes little", async () => {
    const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
    const scope = Object.assign(new EventTarget(), { document });
    const each = () => {
      scope.dispatchEvent(new Event("online"));
      document.dispatchEvent(new Event("visibilitychange"));
      document.dispatchEvent(new Event("resume"));
    };
    const attempts = await minute({ options: { scope }, each });
    assert.ok(attempts <= BOUND + 36, `${attempts} attempts`);
  });
});

describe("the clock of a page", () => {
  const watched = (t) => {
    const heard = { doubt: 0, wake: 0, rest: 0, leave: 0 };
    const hear = Object.fromEntries(Object.keys(heard).map((name) => [name, () => (heard[name] += 1)]));
    const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
    const scope = Object.assign(new EventTarget(), { document });
    mock.timers.enable({ apis: ["setInterval", "Date"], now: 1_000_000 });
    t.after(watchPage(hear, scope));
    t.after(() => mock.timers.reset());
    return { heard, document };
  };
  /** Timers are as late as this. */
  const late = (seconds) => {
    mock.timers.setTime(Date.now() + seconds * 1000 - 10_000);
    mock.timers.tick(10_000);
  };

  test("a machine that slept is noticed", (t) => {
    const { heard } = watched(t);
    for (let tick = 0; tick < 10; tick += 1) mock.timers.tick(10_000);
    assert.equal(heard.doubt, 0);
    late(600);
    assert.ok(heard.doubt >= 1);
  });

  test("a hidden page, where timers come once a minute, does not sleep", (t) => {
    const { heard, document } = watched(t);
    const show = (visibilityState) => {
      document.visibilityState = visibilityState;
      document.dispatchEvent(new Event("visibilitychange"));
    };
    show("hidden");
    for (let minutes = 0; minutes < 10; minutes += 1) late(60);
    // It is visible by the time that the last of its late timers comes.
    show("visible");
    late(55);
    assert.deepEqual(heard, { doubt: 0, wake: 1, rest: 0, leave: 0 });
    show("hidden");
    late(600);
    assert.ok(heard.doubt >= 1);
  });
});
