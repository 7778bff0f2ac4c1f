// Connections are cut, gateways restart: each message once, in order, and loss is told.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Gateway, chance, client, numbers, record, until } from "./support.js";
import { Proxy } from "./proxy.js";

const POSTS = 2000;

let gateway;
before(async () => {
  gateway = await Gateway.start();
});
after(() => gateway?.end());

/** Posts many values by several hands at once. Answers the messages in the order that they got. */
async function postMany(t, url, room, count) {
  const poster = client(t, url);
  await poster.login();
  const hands = numbers(1, 8).map(() => poster.channel(room, { users: "none" }));
  const answers = await Promise.all(
    numbers(1, count).map((number) => hands[number % hands.length].post(`post ${number}`)),
  );
  const offset = ({ id }) => Number(id.split("-")[1]);
  return answers.sort((one, other) => offset(one) - offset(other));
}

describe("resumed", { concurrency: true }, () => {
  test("cut again and again in the midst of many posts", async (t) => {
    const room = "long/cut";
    const listen = async ([transports, cuts]) => {
      const proxy = await Proxy.start(t, gateway);
      const random = chance(cuts);
      const listener = { name: transports.join(), proxy, cuts };
      // An answer to a poll is short.
      const least = { ws: 2000, sse: 2000, poll: 200 };
      proxy.cutAfter = (verb) => (proxy.cuts < cuts ? Math.floor(least[verb] * (1 + random() * 15)) : Infinity);
      const gate = client(t, proxy.url, { transports, random: () => 0 });
      await gate.login();
      listener.channel = gate.channel(room, { since: "0" });
      listener.told = record(listener.channel);
      await until(() => listener.channel.state === "open");
      return listener;
    };
    const all = ["ws", "sse", "poll"];
    const listeners = await Promise.all(
      [
        [["ws"], 6],
        [["sse"], 3],
        [["poll"], 6],
        [all, 7],
      ].map(listen),
    );
    const posted = await postMany(t, gateway.url, room, POSTS);
    for (const { name, told, proxy, cuts } of listeners) {
      await until(() => told.data.length >= POSTS, `${POSTS} messages over ${name}`);
      assert.deepEqual(
        told.messages.map(({ id }) => id),
        posted.map(({ id }) => id),
        name,
      );
      assert.deepEqual(
        told.data,
        posted.map(({ data }) => data),
        name,
      );
      assert.deepEqual(told.gaps, [], name);
      assert.equal(proxy.cuts, cuts, `${name} was cut`);
    }
    assert.ok(new Set(listeners[3].told.opens).size > 1, `moved between transports: ${listeners[3].told.opens}`);
  });

  describe("a gateway that restarts", { concurrency: true }, () => {
    for (const [signal, isGentle] of [
      ["SIGTERM", true],
      ["SIGKILL", false],
    ]) {
      test(`after ${signal}: nothing acknowledged is lost without a word, or repeated`, async (t) => {
        const own = await Gateway.start(t);
        const listeners = [];
        for (const transport of ["ws", "sse", "poll"]) {
          const gate = client(t, own.url, { transports: [transport], random: () => 0 });
          await gate.login();
          const channel = gate.channel("long/restart", { since: "0" });
          listeners.push({ transport, gate, channel, told: record(channel), clientId: gate.clientId });
        }
        await until(() => listeners.every(({ channel }) => channel.state === "open"));
        const poster = client(t, own.url, { random: () => 0.1 });
        await poster.login();
        const posting = poster.channel("long/restart");
        const acknowledged = [];
        let isOver = false;
        t.after(() => (isOver = true));
        const posts = (async () => {
          for (let number = 1; !isOver; number += 1) acknowledged.push(await posting.post(`post ${number}`));
        })();
        await until(() => acknowledged.length >= 100);
        await own.stop(signal);
        const before = acknowledged.length;
        await own.run();
        await until(() => acknowledged.length >= before + 100, "posts after the restart");
        // A poll that finds the gateway there again has nothing to tell but what it brings.
        const isNew = ({ id }) => id.split("-")[0] !== acknowledged[0].id.split("-")[0];
        await until(() => listeners.every(({ told }) => told.messages.some(isNew)), "everyone to be back");
        isOver = true;
        await posts;
        const last = acknowledged.at(-1).id;
        await until(() => listeners.every(({ told }) => told.messages.at(-1)?.id === last), "the last post");

        const ids = acknowledged.map(({ id }) => id);
        assert.equal(new Set(ids.map((id) => id.split("-")[0])).size, 2, "two epochs");
        for (const { transport, told, gate, clientId } of listeners) {
          const heard = told.messages.map(({ id }) => id);
          assert.equal(new Set(heard).size, heard.length, `${transport}: each once`);
          // A post whose answer was lost with the process is published again: it was not acknowledged.
          const known = heard.filter((id) => ids.includes(id));
          assert.ok(
            heard.length - known.length <= (isGentle ? 0 : 1),
            `${transport}: ${heard.length - known.length} unknown`,
          );
          assert.deepEqual(
            known,
            ids.filter((id) => known.includes(id)),
            `${transport}: in order`,
          );
          const lost = ids.filter((id) => !heard.includes(id));
          // Between two polls nobody holds what a process without a store takes with it.
          if (isGentle && transport !== "poll") assert.deepEqual(lost, [], transport);
          if (lost.length > 0) assert.ok(told.gaps.length > 0, `${transport} lost ${lost} without a word`);
          assert.equal(gate.clientId, clientId, "the token is good beyond the restart");
          assert.equal(told.closes.length, 0);
        }
      });
    }
  });
});
