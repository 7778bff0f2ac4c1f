// Tokens are renewed before they end, and the client stays who it is.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Gateway, client, next, numbers, record, until } from "./support.js";
import { Proxy } from "./proxy.js";

let gateway;
before(async () => {
  gateway = await Gateway.start();
});
after(() => gateway?.end());

/** The platform's, but that a token seems to live for a few seconds only. */
async function hasty(url, request) {
  const response = await fetch(url, request);
  if (!new URL(url).pathname.endsWith("/login")) return response;
  const identity = await response.json();
  return Response.json({ ...identity, expires_in: 6.25 });
}

/** The token that is used in the place of `before`. */
async function renewed(gate, before) {
  return until(async () => {
    const token = await gate.token();
    return token !== before && token;
  });
}

describe("renewal", { concurrency: true }, () => {
  for (const transport of ["ws", "sse", "poll"]) {
    test(`keeps the client id and the channel, over ${transport}`, async (t) => {
      const proxy = await Proxy.start(t, gateway);
      const gate = client(t, proxy.url, { transports: [transport], fetch: hasty, random: () => 0 });
      const identity = await gate.login({ name: "Ada" });
      const room = `room/renewed-${transport}`;
      const channel = gate.channel(room);
      const told = record(channel);
      await until(() => channel.state === "open");
      const token = await renewed(gate, identity.token);
      assert.equal(gate.clientId, identity.client_id);
      // The one that is open goes on under the old token, which is good until another connects with the new one.
      assert.equal(channel.state, "open");
      const { client_id } = await channel.post("same");
      assert.equal(client_id, identity.client_id);
      await until(() => told.data.includes("same"));
      // What connects from now on uses the new one; what was open comes back with it by itself.
      const other = gate.channel(`${room}-other`);
      const others = record(other);
      await until(() => other.state === "open");
      await other.post("other");
      await until(() => others.data.length === 1);
      await channel.post("still there");
      await until(() => told.data.length === 2);
      for (const number of numbers(1, 5)) await channel.post(String(number));
      await until(() => told.data.length === 7);
      assert.deepEqual(told.data, ["same", "still there", "1", "2", "3", "4", "5"]);
      assert.deepEqual([told.closes, told.gaps, others.closes], [[], [], []]);
      assert.equal(gate.clientId, identity.client_id);
      assert.notEqual(token, identity.token);
      if (transport === "ws") {
        assert.ok(told.errors.every(({ error, retryIn }) => error.closeCode === 4002 && retryIn !== null));
      }
    });
  }

  test("a token that is replaced elsewhere is the end: two would take it from each other for ever", async (t) => {
    const ask = async (body) => (await fetch(`${gateway.url}/login`, { method: "POST", body })).json();
    const first = await ask();
    const tokens = [first.token];
    const token = async () => tokens.at(-1);
    const gate = client(t, gateway.url, { token, random: () => 0 });
    const channel = gate.channel("room/brought");
    const told = record(channel);
    await until(() => channel.state === "open");
    // As by another tab, whose page the backend has rendered with a token of its own.
    tokens.push((await ask(new URLSearchParams({ token: first.token }))).token);
    const elsewhere = client(t, gateway.url, { token: tokens[1] });
    const theirs = elsewhere.channel("room/brought");
    await next(theirs, "open");
    await until(() => told.closes.length === 1);
    assert.equal(told.closes[0].closeCode, 4002);
  });
});
