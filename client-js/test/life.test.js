// The life of a page: hidden, frozen, on another network, put away and taken out again, and gone.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Gateway, client, next, record, until } from "./support.js";
import { Proxy, problem } from "./proxy.js";

let gateway;
before(async () => {
  gateway = await Gateway.start();
});
after(() => gateway?.end());

/** What a page is to the client. */
class Page extends EventTarget {
  document = Object.assign(new EventTarget(), { visibilityState: "visible" });

  tell(type, what = {}) {
    this.dispatchEvent(Object.assign(new Event(type), what));
  }

  show(visibilityState) {
    this.document.visibilityState = visibilityState;
    this.document.dispatchEvent(new Event("visibilitychange"));
  }

  freeze() {
    this.document.dispatchEvent(new Event("freeze"));
  }

  resume() {
    this.document.dispatchEvent(new Event("resume"));
  }
}

/** A page with an open channel, and somebody else who sees it there. */
async function begin(t, room, options = {}) {
  const page = new Page();
  const proxy = await Proxy.start(t, gateway);
  const gate = client(t, proxy.url, { scope: page, ...options });
  await gate.login({ name: "the page" });
  const channel = gate.channel(room);
  const told = record(channel);
  const other = client(t, gateway.url);
  await other.login({ name: "somebody else" });
  const theirs = other.channel(room);
  const seen = record(theirs);
  await until(() => channel.state === "open" && seen.users.at(-1)?.count === 2);
  // So that there is a position to resume from.
  await theirs.post("before");
  await until(() => told.data.length === 1);
  return { page, proxy, gate, channel, told, theirs, seen };
}

describe("a page", { concurrency: true }, () => {
  for (const transports of [["ws"], ["sse"], ["poll"]]) {
    test(`comes online again, over ${transports}: connects anew, and nobody notices`, async (t) => {
      const { page, proxy, channel, told, theirs, seen } = await begin(t, `room/online-${transports}`, { transports });
      page.tell("online");
      // Once is enough.
      page.tell("online");
      page.resume();
      await theirs.post("meanwhile");
      await until(() => told.opens.length === 2 && told.data.length === 2);
      await theirs.post("after");
      await until(() => told.data.length === 3);
      assert.deepEqual(told.data, ["before", "meanwhile", "after"]);
      assert.deepEqual([channel.state, told.errors, told.closes], ["open", [], []]);
      assert.deepEqual(
        seen.users.flatMap(({ left }) => left),
        [],
      );
      if (transports[0] !== "poll") assert.equal(proxy.count(...transports), 2);
    });

    for (const [name, away, back] of [
      [
        "put away and taken out",
        (page) => page.tell("pagehide", { persisted: true }),
        (page) => page.tell("pageshow", { persisted: true }),
      ],
      ["frozen and resumed", (page) => page.freeze(), (page) => page.resume()],
    ]) {
      test(`is ${name} again, over ${transports}`, async (t) => {
        const { page, proxy, channel, told, theirs } = await begin(
          t,
          `room/${name.replaceAll(" ", "")}-${transports}`,
          { transports },
        );
        away(page);
        assert.deepEqual([channel.state, channel.transport], ["resting", null]);
        await until(() => proxy.open === 0, "no connection to be left");
        for (const text of ["one", "two"]) await theirs.post(text);
        const { length } = proxy.attempts;
        page.show("visible");
        assert.equal(proxy.attempts.length, length);
        back(page);
        back(page);
        await until(() => told.data.length === 3);
        assert.deepEqual(told.data, ["before", "one", "two"]);
        assert.deepEqual([channel.state, told.errors, told.gaps], ["open", [], []]);
        assert.deepEqual(told.opens.length, 2);
      });
    }
  }

  test("put away with a WebSocket it is gone at once", async (t) => {
    const { page, seen } = await begin(t, "room/hidden", { transports: ["ws"] });
    const start = performance.now();
    page.tell("pagehide", { persisted: true });
    await until(() => seen.users.at(-1).count === 1);
    assert.ok(performance.now() - start < 4000, "before it would have lingered to its end");
  });

  test("left for good it logs out", async (t) => {
    const { page, proxy, seen } = await begin(t, "room/left", { transports: ["sse"] });
    page.tell("pagehide", { persisted: false });
    await until(() => seen.users.at(-1).count === 1);
    assert.equal(proxy.count("logout"), 1);
  });

  for (const [name, act] of [
    ["looked at again", (page) => page.show("visible")],
    ["online again", (page) => page.tell("online")],
  ]) {
    test(`${name} it does not wait any longer`, async (t) => {
      const { page, proxy, channel, told } = await begin(t, `room/${name.replaceAll(" ", "")}`, { random: () => 1 });
      await proxy.down();
      await until(() => told.errors.length >= 2);
      await proxy.up();
      page.show("hidden");
      const { length } = proxy.attempts;
      act(page);
      await next(channel, "open", () => true, 5);
      assert.ok(proxy.attempts.length > length);
      assert.equal(told.errors.length, 2);
    });
  }

  test("looked at again in the midst of a try, it goes on trying", async (t) => {
    const { page, proxy, channel, told } = await begin(t, "room/midst", { patience: 2 });
    proxy.ws = "swallow";
    proxy.cut();
    await until(() => proxy.count("ws") === 2);
    page.show("visible");
    page.show("visible");
    assert.equal(channel.state, "connecting");
    const { transport } = await next(channel, "open");
    assert.equal(transport, "sse");
    assert.deepEqual([proxy.count("ws"), told.errors.length], [2, 1]);
  });

  test("what the gateway asked for holds, whatever happens to the page", async (t) => {
    const { page, proxy, channel, told } = await begin(t, "room/asked", { random: () => 0 });
    proxy.answer = () => problem(429, "rate-limited", { "retry-after": "2" });
    proxy.cut();
    await until(() => told.errors.some(({ error }) => error.status === 429));
    const asked = proxy.attempts.at(-1).at;
    const { length } = proxy.attempts;
    page.show("visible");
    page.tell("online");
    page.resume();
    page.tell("pagehide", { persisted: true });
    page.tell("pageshow", { persisted: true });
    assert.equal(channel.state, "waiting");
    proxy.answer = () => null;
    await next(channel, "open");
    assert.ok(proxy.attempts[length].at - asked >= 1990);
  });

  test("of a closed channel nothing is heard any more", async (t) => {
    const { page, proxy, channel, told } = await begin(t, "room/over");
    channel.close();
    const { length } = proxy.attempts;
    page.tell("online");
    page.show("visible");
    page.resume();
    page.freeze();
    page.tell("pageshow", { persisted: true });
    await until(() => proxy.open === 0);
    assert.deepEqual([channel.state, proxy.attempts.length, told.closes], ["closed", length, [null]]);
  });
});
