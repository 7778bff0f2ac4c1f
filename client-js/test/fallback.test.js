// What is on the way lets some transports through and others not.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Route } from "../src/routes.js";
import { Gateway, client, numbers, record, until } from "./support.js";
import { Proxy } from "./proxy.js";

let gateway;
before(async () => {
  gateway = await Gateway.start();
});
after(() => gateway?.end());

/** A logged-in client behind a proxy with these rules. */
async function behind(t, rules, options = {}) {
  const proxy = Object.assign(await Proxy.start(t, gateway), rules);
  const gate = client(t, proxy.url, { patience: 3, ...options });
  await gate.login();
  return { proxy, gate };
}

describe("behind a proxy", { concurrency: true }, () => {
  describe("what is blocked is passed by", { concurrency: true }, () => {
    const cases = [
      [{ ws: "refuse" }, "sse"],
      [{ ws: "swallow" }, "sse"],
      [{ ws: "mute" }, "sse"],
      [{ ws: "refuse", sse: "hold" }, "poll"],
      [{ ws: "swallow", sse: "hold" }, "poll"],
      [{ ws: "refuse", sse: "refuse" }, "poll"],
    ];
    for (const [rules, expected] of cases) {
      test(`${JSON.stringify(rules)} leads to ${expected}, and is remembered`, async (t) => {
        const { proxy, gate } = await behind(t, rules);
        const room = `room/${JSON.stringify(rules).replace(/[^a-z]/g, "")}`;
        const first = gate.channel(room);
        const told = record(first);
        await until(() => first.state === "open");
        assert.equal(first.transport, expected);
        assert.deepEqual(told.errors, [], "a transport that is blocked is no failure");
        const tried = proxy.count("ws", "sse");
        const second = gate.channel(`${room}2`);
        await until(() => second.state === "open");
        assert.equal(second.transport, expected);
        assert.equal(proxy.count("ws"), 1);
        if (expected === "poll") assert.equal(proxy.count("ws", "sse"), tried);
        await first.post("through");
        await until(() => told.data.length === 1);
        assert.deepEqual(told.data, ["through"]);
      });
    }
  });

  describe("what opens and does not hold is passed by", { concurrency: true }, () => {
    for (const verb of ["ws", "sse"]) {
      test(`${verb} that is cut each time`, async (t) => {
        const transports = verb === "ws" ? ["ws", "poll"] : ["sse", "poll"];
        const { proxy, gate } = await behind(
          t,
          { cutAfter: (of) => (of === verb ? 700 : Infinity) },
          { transports, random: () => 0 },
        );
        const channel = gate.channel(`long/cut-${verb}`, { since: "0" });
        const told = record(channel);
        const posting = gate.channel(`long/cut-${verb}`);
        for (const number of numbers(1, 50)) await posting.post(String(number));
        await until(() => channel.transport === "poll", "polls to be used");
        await posting.post("51");
        await until(() => told.data.length >= 51, "all messages");
        assert.deepEqual(told.data, numbers(1, 51).map(String));
        assert.ok(proxy.count(verb) <= 8, `${proxy.count(verb)} tries`);
      });
    }
  });

  describe("upward again", { concurrency: true }, () => {
    test("while somebody posts all the time: nothing is lost, nothing comes twice", async (t) => {
      const options = { upwardAfter: 0.3, patience: 2 };
      const { proxy, gate } = await behind(t, { ws: "refuse", sse: "hold" }, options);
      const poster = client(t, gateway.url);
      await poster.login();
      let isOver = false;
      t.after(() => (isOver = true));
      const rooms = ["long/up-1", "long/up-2"].map((name) => {
        const channel = gate.channel(name);
        return { channel, told: record(channel), posting: poster.channel(name), posted: 0 };
      });
      await until(() => rooms.every(({ channel }) => channel.transport === "poll"));
      const posts = rooms.map(async (room) => {
        while (!isOver) await room.posting.post(String((room.posted += 1)));
      });
      // One of them tries for all; while it does not get through, the others stay as they are.
      await until(() => proxy.count("ws") > 1, "a try upward");
      proxy.sse = "pass";
      await until(() => rooms.every(({ channel }) => channel.transport === "sse"), "SSE everywhere");
      proxy.ws = "pass";
      await until(() => rooms.every(({ channel }) => channel.transport === "ws"), "WebSocket everywhere");
      isOver = true;
      await Promise.all(posts);
      for (const { told, posted } of rooms) {
        await until(() => told.data.length >= posted, "all posts");
        assert.deepEqual(told.data, numbers(1, posted).map(String));
        assert.deepEqual([told.errors, told.gaps], [[], []]);
      }
      assert.ok(proxy.count("ws") < 20, `${proxy.count("ws")} tries`);
    });

    test("a move to a better transport is not seen by others", async (t) => {
      const { proxy, gate } = await behind(t, { ws: "refuse" }, { upwardAfter: 0.3 });
      const channel = gate.channel("room/moving");
      await until(() => channel.transport === "sse");
      const other = client(t, gateway.url);
      await other.login();
      const told = record(other.channel("room/moving"));
      await until(() => told.users.at(-1)?.count === 2);
      proxy.ws = "pass";
      await until(() => channel.transport === "ws");
      await channel.post("here");
      await until(() => told.data.length === 1);
      assert.deepEqual(
        told.users.flatMap(({ left }) => left),
        [],
      );
    });
  });
});

describe("the route of several streams", () => {
  const platform = { WebSocket: class {}, fetch() {} };
  const names = (plan) => plan.map(({ name }) => name);

  test("what all of them find counts once", () => {
    const route = new Route(platform, undefined, 100);
    for (let stream = 0; stream < 10; stream += 1) {
      assert.deepEqual(names(route.plan(0)), ["ws", "sse", "poll"]);
    }
    for (let stream = 0; stream < 10; stream += 1) route.worked("sse", 0);
    assert.ok(route.untilUpward(0) <= 125_000);
    assert.deepEqual(names(route.plan(1000)), ["sse", "poll", "ws"]);
  });

  test("one tries upward at a time, and less and less often", () => {
    const route = new Route(platform, undefined, 100);
    route.worked("poll", 0);
    let now = 0;
    let pause = 100_000;
    for (let round = 0; round < 4; round += 1) {
      now += route.untilUpward(now);
      assert.deepEqual(names(route.plan(now)), ["ws", "sse", "poll"]);
      assert.deepEqual(names(route.plan(now)), ["poll", "ws", "sse"], "the next one waits");
      route.worked("poll", now);
      route.worked("poll", now);
      pause *= 2;
      const until = route.untilUpward(now);
      assert.ok(until >= pause * 0.75 && until <= pause * 1.25, `${until} is about ${pause}`);
    }
    // Whoever tried may be gone before it knew: the next one tries at its time.
    now += route.untilUpward(now);
    route.plan(now);
    assert.notEqual(route.untilUpward(now), null);
    route.worked("ws", now);
    assert.equal(route.untilUpward(now), null);
    assert.deepEqual(names(route.plan(now)), ["ws", "sse", "poll"]);
  });

  test("what does not hold is not trusted sooner for having opened", () => {
    const route = new Route(platform, undefined, 100);
    route.distrust("ws", 0);
    assert.equal(route.best, "sse");
    const now = route.untilUpward(0);
    route.plan(now);
    route.worked("ws", now);
    route.distrust("ws", now);
    assert.ok(route.untilUpward(now) > 125_000, "a longer pause than the first");
    route.worked("ws", now);
    route.held("ws");
    route.distrust("ws", now);
    assert.ok(route.untilUpward(now) <= 125_000);
    route.distrust("sse", now);
    route.distrust("poll", now);
    assert.equal(route.best, "poll");
    route.forget();
    assert.deepEqual(names(route.plan(now)), ["ws", "sse", "poll"]);
  });

  test("what was on its way when another found that it does not hold is no better for opening", () => {
    const route = new Route(platform, undefined, 100);
    route.worked("ws", 0);
    route.distrust("ws", 1000);
    route.worked("ws", 1001, 999);
    assert.deepEqual([route.best, names(route.plan(1002))], ["sse", ["sse", "poll", "ws"]]);
    route.worked("ws", 3000, 2000);
    assert.equal(route.best, "ws");
    // After a change of the network all of that counts for nothing.
    route.distrust("ws", 4000);
    route.forget();
    route.worked("sse", 4001, 3999);
    route.worked("ws", 4002, 3999);
    assert.equal(route.best, "ws");
  });

  test("only what the platform has and the page wants", () => {
    assert.deepEqual(names(new Route({ fetch() {} }).plan()), ["sse", "poll"]);
    assert.deepEqual(names(new Route(platform, ["poll", "ws"]).plan()), ["ws", "poll"]);
    assert.throws(() => new Route({}, ["ws"]), TypeError);
  });
});
