// Connections that are held: few enough for posts to get through.

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";

import { Pushgate } from "../src/pushgate.js";
import { Slots } from "../src/slots.js";
import { record } from "./support.js";
import { StandIn, eventStream, pass, settle } from "./stand-in.js";

/** Web Locks as two pages see them. */
class Locks {
  held = new Set();

  async request(name, { ifAvailable }, act) {
    assert.equal(ifAvailable, true);
    if (this.held.has(name)) return act(null);
    this.held.add(name);
    try {
      return await act({ name });
    } finally {
      this.held.delete(name);
    }
  }
}

const turn = () => new Promise((done) => setImmediate(done));

describe("slots", () => {
  test("are shared by all pages that have locks", async () => {
    const locks = new Locks();
    const [one, other] = [new Slots("http://gate.test", 2, locks), new Slots("http://gate.test", 2, locks)];
    const elsewhere = new Slots("http://else.test", 2, locks);
    const first = await one.take();
    const second = await other.take();
    assert.deepEqual([await one.take(), await other.take()], [null, null]);
    assert.ok(await elsewhere.take());
    first.share();
    first.free();
    assert.equal(await other.take(), null);
    first.free();
    await turn();
    const third = await other.take();
    assert.ok(third);
    second.free();
    third.free();
    await turn();
    assert.ok((await one.take()) && (await one.take()));
  });

  test("are counted where there are no locks, or none that may be used", async () => {
    const refusing = { request: () => Promise.reject(new DOMException("sandboxed", "SecurityError")) };
    const throwing = {
      request() {
        throw new DOMException("sandboxed", "SecurityError");
      },
    };
    for (const locks of [null, refusing, throwing]) {
      const slots = new Slots("http://gate.test", 2, locks);
      const first = await slots.take();
      assert.ok(await slots.take());
      assert.equal(await slots.take(), null);
      first.free();
      assert.ok(await slots.take());
    }
  });

  test("are no concern over HTTP/2", async (t) => {
    const entries = [{ name: "http://gate.test/pushgate.js", nextHopProtocol: "h2" }];
    t.mock.method(performance, "getEntriesByType", () => entries);
    const slots = new Slots("http://gate.test", 0);
    assert.ok(await slots.take());
    entries.push({ name: "http://gate.test/login", nextHopProtocol: "http/1.1" });
    assert.equal(await slots.take(), null);
    entries.splice(0, 2, { name: "http://gate.test/login", nextHopProtocol: "" });
    assert.equal(await slots.take(), null);
  });
});

describe("streams", () => {
  function begin(t, transports, most) {
    mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_000_000 });
    t.after(() => mock.timers.reset());
    const there = new StandIn();
    const slots = new Slots("http://gate.test", most);
    const gate = new Pushgate("http://gate.test/", { ...there.options, scope: new EventTarget(), transports, slots });
    t.after(() => gate.close());
    return { there, slots, gate };
  }

  const answer = { messages: [], since: "e-0" };

  test("beyond the slots poll briefly, until there is one", async (t) => {
    const { there, gate } = begin(t, ["sse", "poll"], 1);
    const first = gate.channel("chat/one");
    await settle();
    const { body, headers, tell } = eventStream();
    there.of("sse")[0].answer(body, 200, headers);
    tell("id: e-0\n\n");
    await settle();
    assert.equal(first.transport, "sse");

    const second = gate.channel("chat/two");
    const told = record(second);
    await settle();
    there.of("poll")[0].answer(answer);
    await settle();
    assert.deepEqual([second.transport, there.of("sse").length], ["poll", 0]);
    for (let round = 1; round <= 5; round += 1) {
      const [poll] = there.of("poll");
      assert.match(poll.url, /[?&]wait=0(&|$)/);
      poll.answer({ messages: [{ message: { value: `m${round}`, id: `e-${round}` } }], since: `e-${round}` });
      await settle();
      assert.equal(there.of("poll").length, 0, "not at once");
      await pass(3);
    }
    assert.deepEqual(told.data, ["m1", "m2", "m3", "m4", "m5"]);
    // Others of the page begin with SSE as before.
    assert.equal(gate.route.best, "sse");

    first.close();
    there.of("poll")[0].answer({ messages: [], since: "e-5" });
    await pass(3);
    // It may wait now; and soon it is a stream again.
    assert.match(there.of("poll")[0].url, /[?&]wait=25(&|$)/);
    for (let seconds = 0; seconds < 30 && there.of("sse").length === 0; seconds += 1) await pass(1);
    assert.equal(there.of("sse").length, 1);
    for (const expected of [/direct=none/, /direct=1/]) {
      const again = eventStream();
      assert.match(there.of("sse")[0].url, expected);
      there.of("sse")[0].answer(again.body, 200, again.headers);
      again.tell("id: e-5\n\n");
      await settle();
    }
    await pass(1.1);
    assert.deepEqual([second.transport, told.errors, there.of("poll").length], ["sse", [], 0]);
  });

  test("that fail give their slots back", async (t) => {
    const { there, slots, gate } = begin(t, ["sse", "poll"], 1);
    const channel = gate.channel("chat/one");
    await settle();
    assert.equal(await slots.take(), null);
    there.of("sse")[0].fail();
    await settle();
    there.of("poll")[0].answer(answer);
    await settle();
    // The poll has it now.
    assert.match(there.of("poll")[0].url, /[?&]wait=25(&|$)/);
    assert.equal(await slots.take(), null);
    there.of("poll")[0].fail();
    await settle();
    const slot = await slots.take();
    assert.ok(slot);
    slot.free();
    await pass(1);
    channel.close();
    await settle();
    assert.ok(await slots.take());
  });

  test("are opened all the same where the page wants nothing else", async (t) => {
    const { there, gate } = begin(t, ["sse"], 0);
    gate.channel("chat/one");
    await settle();
    assert.equal(there.of("sse").length, 1);
  });
});
