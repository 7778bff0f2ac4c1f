// What goes wrong: told, survived, and never made worse by trying too hard.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Gateway, client, next, record, until } from "./support.js";
import { Proxy, problem } from "./proxy.js";

let gateway;
before(async () => {
  gateway = await Gateway.start();
});
after(() => gateway?.end());

const login = async () => (await fetch(`${gateway.url}/login`, { method: "POST" })).json();

/** A proxy, a client behind it that is logged in, and its channel, open. */
async function behind(t, room, options = {}) {
  const proxy = await Proxy.start(t, gateway);
  const gate = client(t, proxy.url, { random: () => 0, ...options });
  const identity = options.token === undefined ? await gate.login() : null;
  const channel = gate.channel(room);
  const told = record(channel);
  await until(() => channel.state === "open");
  return { proxy, gate, identity, channel, told };
}

/** Milliseconds between the attempts of these verbs. */
function pauses(proxy, ...verbs) {
  const times = proxy.attempts.filter(({ verb }) => verbs.includes(verb)).map(({ at }) => at);
  return times.slice(1).map((at, index) => at - times[index]);
}

describe("trouble", { concurrency: true }, () => {
  test("a gateway that is down is told, and tried until it is back", async (t) => {
    const { proxy, channel, told } = await behind(t, "room/down");
    await proxy.down();
    await until(() => told.errors.length >= 4);
    assert.equal(channel.state, "waiting");
    assert.equal(channel.transport, null);
    for (const { error, retryIn } of told.errors) {
      assert.deepEqual([error.name, error.code, error.status, error.closeCode], ["PushgateError", "unreachable", 0, 0]);
      assert.ok(retryIn > 0);
    }
    assert.deepEqual(
      told.errors.slice(0, 4).map(({ retryIn }) => retryIn),
      [0.1, 0.2, 0.4, 0.8],
    );
    await proxy.up();
    await next(channel, "open");
    await channel.post("back");
    await until(() => told.data.length === 1);
    assert.deepEqual(told.closes, []);
  });

  for (const transports of [["ws", "sse", "poll"], ["ws"], ["sse"], ["poll"]]) {
    test(`429 over ${transports}: as long as it asks for`, async (t) => {
      const { proxy, channel, told } = await behind(t, "room/fast", { transports });
      proxy.answer = () => problem(429, "rate-limited", { "retry-after": "2" });
      proxy.cut();
      await until(() => told.errors.some(({ error }) => error.status === 429));
      const limited = told.errors.at(-1);
      assert.equal(limited.error.code, "rate-limited");
      assert.equal(limited.error.detail, "told rate-limited");
      assert.equal(limited.error.retryAfter, 2);
      assert.ok(limited.retryIn >= 2);
      const { length } = proxy.attempts;
      const asked = proxy.attempts.at(-1).at;
      proxy.answer = () => null;
      await next(channel, "open");
      assert.ok(proxy.attempts[length].at - asked >= 1990, "not before its time");
      assert.equal(channel.transport, transports[0]);
    });
  }

  test("503 is tried again, and a date is understood", async (t) => {
    const { proxy, channel, told } = await behind(t, "room/busy", { transports: ["sse"] });
    const soon = () => ({ "retry-after": new Date(Date.now() + 3000).toUTCString() });
    const answers = [
      () => problem(503, "draining"),
      () => problem(503, "over-capacity", soon()),
      () => ({ status: 502 }),
    ];
    proxy.answer = () => answers.shift()?.() ?? null;
    proxy.cut();
    await next(channel, "open");
    const [, draining, full, foreign] = told.errors.map(({ error }) => error);
    assert.deepEqual([draining.code, full.code, foreign.code], ["draining", "over-capacity", "http-502"]);
    assert.ok(full.retryAfter > 0 && full.retryAfter <= 3, `${full.retryAfter}`);
    assert.ok([draining, full, foreign].every(({ isTemporary }) => isTemporary));
    const [wait] = pauses(proxy, "sse").slice(-2);
    assert.ok(wait >= full.retryAfter * 1000 - 10, `${wait}`);
  });

  test("what a proxy says of its own blocks one transport, and not all", async (t) => {
    const { proxy, channel } = await behind(t, "room/foreign");
    proxy.answer = ({ url }) => (url.startsWith("/poll") ? null : { status: 504, body: "<html>" });
    proxy.cut();
    const { transport } = await next(channel, "open");
    assert.equal(transport, "poll");
  });

  for (const transports of [["ws", "sse", "poll"], ["ws"], ["sse"], ["poll"]]) {
    test(`what a gateway has not said is an outage, over ${transports}`, async (t) => {
      const { proxy, channel, told } = await behind(t, `room/outage-${transports.join("-")}`, { transports });
      const answers = [
        { status: 404, body: "<html>" },
        { status: 401, headers: { "www-authenticate": "Basic" } },
        { status: 403, headers: { "content-type": "application/json" }, body: '{"code":"FORBIDDEN"}' },
      ];
      for (const answer of answers) {
        const before = told.errors.length;
        proxy.answer = () => answer;
        proxy.cut();
        // The end of what was open, and what a new try met.
        await until(() => told.errors.length >= before + 2);
        proxy.answer = () => null;
        await until(() => channel.state === "open", `the way back from ${answer.status}`);
      }
      assert.deepEqual(told.closes, []);
      assert.ok(told.errors.every(({ error, retryIn }) => error.isTemporary && !error.isAnswer && retryIn > 0));
      if (transports[0] !== "ws") {
        const foreign = told.errors.find(({ error }) => error.code === "http-404");
        assert.match(foreign.error.detail, /is no gateway/);
      }
      await channel.post("through");
      await until(() => told.data.length === 1);
    });
  }

  test("where there is no gateway, posts and logins fail in their time, and channels go on", async (t) => {
    const { proxy, gate, channel, told } = await behind(t, "room/nowhere");
    proxy.answer = () => ({ status: 404, headers: { "content-type": "text/html" }, body: "<html>" });
    proxy.cut();
    const delays = [];
    gate.addEventListener("error", ({ error, retryIn }) => delays.push([error.code, retryIn > 0]));
    await assert.rejects(channel.post("nobody hears"), { code: "http-404", isAnswer: false });
    assert.equal(proxy.count("post"), 6);
    proxy.answer = () => ({ status: 200, body: "<html>" });
    await assert.rejects(gate.login(), { code: "unreachable", detail: "what answered is no gateway" });
    assert.deepEqual(delays, Array.from({ length: 5 }, () => ["unreachable", true]));
    proxy.answer = () => null;
    await until(() => channel.state === "open");
    assert.deepEqual(told.closes, []);
  });

  test("a login that has to wait is told, here and on the channels", async (t) => {
    const proxy = await Proxy.start(t, gateway);
    const gate = client(t, proxy.url, { random: () => 0 });
    await proxy.down();
    const delays = [];
    gate.addEventListener("error", ({ error, retryIn }) => delays.push({ error, retryIn }));
    const login = gate.login();
    const channel = gate.channel("room/waiting");
    const told = record(channel);
    await until(() => told.errors.length === 2);
    assert.deepEqual(told.errors, delays.slice(0, 2));
    assert.deepEqual(
      delays.slice(0, 2).map(({ error, retryIn }) => [error.code, retryIn]),
      [
        ["unreachable", 0.1],
        ["unreachable", 0.2],
      ],
    );
    proxy.answer = () => problem(429, "rate-limited", { "retry-after": "1" });
    await proxy.up();
    await until(() => told.errors.some(({ error }) => error.code === "rate-limited"));
    assert.equal(told.errors.at(-1).retryIn, 1);
    proxy.answer = () => null;
    await login;
    await until(() => channel.state === "open");
    assert.deepEqual(told.closes, []);
  });

  test("whoever may not is told so, once", async (t) => {
    const { proxy, gate } = await behind(t, "room/may");
    const off = gate.channel("room/may/not/be/so/deep");
    const told = record(off);
    await until(() => told.closes.length === 1);
    assert.deepEqual([told.closes[0].status, told.closes[0].isTemporary], [400, false]);
    assert.deepEqual(told.errors, [{ error: told.closes[0], retryIn: null }]);
    const { length } = proxy.attempts;
    await assert.rejects(
      (async () => {
        for await (const message of off) assert.fail(message);
      })(),
      (error) => error === told.closes[0],
    );
    off.close();
    assert.deepEqual([off.state, told.closes.length, proxy.attempts.length], ["closed", 1, length]);
  });

  test("an expired token: logs in again", async (t) => {
    const { proxy, gate, channel, told } = await behind(t, "room/expired");
    const before = gate.clientId;
    proxy.answer = ({ url }) => (url.startsWith("/login") ? null : problem(401, "token-expired"));
    proxy.cut();
    await until(() => proxy.count("login") >= 2);
    proxy.answer = () => null;
    await next(channel, "open");
    assert.notEqual(gate.clientId, before);
    assert.notEqual(gate.clientId, null);
    assert.ok(told.errors.some(({ error, retryIn }) => error.code === "token-expired" && retryIn !== null));
    const { client_id } = await channel.post("as somebody new");
    assert.equal(client_id, gate.clientId);
  });

  test("an expired token: the function is called again", async (t) => {
    const tokens = [];
    const token = async () => {
      tokens.push((await login()).token);
      return tokens.at(-1);
    };
    const { proxy, channel, told } = await behind(t, "room/brought", { token, transports: ["sse"] });
    assert.equal(tokens.length, 1);
    proxy.answer = ({ url }) => (url.includes(tokens[0]) ? problem(401, "token-expired") : null);
    proxy.cut();
    await next(channel, "open");
    assert.equal(tokens.length, 2);
    assert.deepEqual(told.closes, []);
    // A post finds out for itself, too.
    proxy.answer = ({ headers }) => (headers.authorization?.includes(tokens[1]) ? problem(401, "token-expired") : null);
    await channel.post("with the third");
    assert.equal(tokens.length, 3);
  });

  test("a token that is given and has ended is the end", async (t) => {
    const { token } = await login();
    for (const source of [token, () => token]) {
      const { proxy, told } = await behind(t, "room/given", { token: source });
      proxy.answer = () => problem(401, "token-expired");
      proxy.cut();
      await until(() => told.closes.length === 1);
      assert.equal(told.closes[0].code, "token-expired");
      assert.equal(told.errors.at(-1).retryIn, null);
    }
  });

  test("a token function that fails is tried again", async (t) => {
    const { token } = await login();
    const results = [
      () => {
        throw new Error("not yet");
      },
      () => Promise.reject(new Error("nor now")),
      () => undefined,
      () => token,
    ];
    const gate = client(t, gateway.url, { token: () => results.shift()(), random: () => 0 });
    const channel = gate.channel("room/late-token");
    const told = record(channel);
    await until(() => channel.state === "open");
    assert.deepEqual(
      told.errors.map(({ error }) => error.detail),
      ["not yet", "nor now", "there is no token"],
    );
  });

  for (const transport of ["ws", "sse"]) {
    test(`logged out from elsewhere, over ${transport}: the end`, async (t) => {
      const { proxy, identity, channel, told } = await behind(t, "room/out", { transports: [transport] });
      await fetch(`${gateway.url}/logout`, { method: "POST", headers: { authorization: `Bearer ${identity.token}` } });
      await until(() => told.closes.length === 1);
      const [error] = told.closes;
      assert.deepEqual([error.closeCode, error.code, error.isTemporary], [4002, "closed", false]);
      assert.deepEqual(told.errors, [{ error, retryIn: null }]);
      assert.equal(channel.state, "closed");
      assert.equal(proxy.count(transport), 1);
    });
  }

  test("a second login is another client, and the channels follow", async (t) => {
    const { gate, identity, channel, told } = await behind(t, "room/second");
    const other = client(t, gateway.url);
    await other.login();
    const seen = record(other.channel("room/second"));
    await until(() => seen.users.at(-1)?.count === 2);
    await gate.login({ name: "Somebody else" });
    assert.notEqual(gate.clientId, identity.client_id);
    await until(() => told.opens.length === 2 && channel.state === "open");
    await until(() => seen.users.at(-1).users.some(({ name }) => name === "Somebody else"));
    await until(() => !seen.users.at(-1).users.some(({ client_id }) => client_id === identity.client_id));
    assert.equal((await channel.post("me")).client_id, gate.clientId);
    assert.deepEqual(told.closes, []);
  });

  test("logout ends the channels, and everything that is under way", async (t) => {
    const { gate, channel, told } = await behind(t, "room/logout");
    const other = client(t, gateway.url);
    await other.login();
    const seen = record(other.channel("room/logout"));
    await until(() => seen.users.at(-1)?.count === 2);
    await gate.logout();
    assert.deepEqual([told.closes, channel.state, gate.clientId], [[null], "closed", null]);
    await until(() => seen.users.at(-1).count === 1);
    await assert.rejects(channel.post("after all"), { code: "logged-out" });
    await gate.logout();
    await gate.login();
    const again = gate.channel("room/logout");
    await until(() => again.state === "open");
  });

  test("a post whose answer is lost is published once", async (t) => {
    const { proxy, channel, told } = await behind(t, "room/once");
    let losses = 3;
    proxy.loseAnswer = (verb) => verb === "post" && losses-- > 0;
    const answer = await channel.post("once");
    const after = await channel.post("after");
    await until(() => told.data.length >= 2);
    assert.deepEqual(told.data, ["once", "after"]);
    assert.deepEqual(
      told.messages.map(({ id }) => id),
      [answer.id, after.id],
    );
    assert.equal(proxy.count("post"), 5);
  });

  test("posts honour Retry-After, and give up after a few tries", async (t) => {
    const { proxy, channel } = await behind(t, "room/posts");
    let refusals = 1;
    proxy.answer = () => (refusals-- > 0 ? problem(429, "rate-limited", { "retry-after": "1" }) : null);
    await channel.post("later");
    assert.ok(pauses(proxy, "post")[0] >= 990);
    proxy.answer = () => problem(503, "over-capacity");
    const before = proxy.count("post");
    await assert.rejects(channel.post("never"), { code: "over-capacity", status: 503 });
    assert.equal(proxy.count("post") - before, 6);
    proxy.answer = () => null;
    await channel.post("the next one is not held up");
  });

  test("a post is called back, whether it waits, is on its way or is tried again", async (t) => {
    const { proxy, channel, told } = await behind(t, "room/back");
    const reason = new Error("changed my mind");
    await assert.rejects(channel.post("no", { signal: AbortSignal.abort(reason) }), reason);
    assert.equal(proxy.count("post"), 0);
    proxy.answer = () => problem(503, "draining", { "retry-after": "600" });
    const abort = new AbortController();
    const posting = channel.post("no", { signal: abort.signal });
    const behindIt = channel.post("no", { signal: abort.signal });
    const last = channel.post("yes");
    await until(() => proxy.count("post") === 1);
    proxy.answer = () => null;
    abort.abort(reason);
    await assert.rejects(posting, reason);
    await assert.rejects(behindIt, reason);
    await last;
    await until(() => told.data.length === 1);
    assert.deepEqual(told.data, ["yes"]);
  });

  test("an idempotency key is any text of up to 128 characters", async (t) => {
    const { proxy, channel, told } = await behind(t, "room/keys");
    for (const key of ["열쇠", "🗝".repeat(128), "k", "\u0000\n"]) {
      const [first, again] = [await channel.post(key, { key }), await channel.post(key, { key })];
      assert.equal(first.id, again.id, key);
    }
    await until(() => told.data.length >= 4);
    const { length } = proxy.attempts;
    for (const key of ["", "🗝".repeat(129), 7, null, "\ud800"]) {
      await assert.rejects(channel.post("no", { key }), { code: "bad-request", isTemporary: false });
    }
    assert.equal(proxy.attempts.length, length, "nobody need be asked for that");
    await assert.rejects(channel.post("another", { key: "열쇠" }), { code: "key-reused", status: 409 });
    assert.equal(told.data.length, 4);
  });

  test("a value is posted as it was when it was posted", async (t) => {
    const { channel, told } = await behind(t, "json/value");
    const value = { n: 1 };
    const posts = [channel.post(value)];
    value.n = 2;
    posts.push(channel.post(value));
    await Promise.all(posts);
    await until(() => told.data.length === 2);
    assert.deepEqual(told.data, [{ n: 1 }, { n: 2 }]);
  });

  test("two with one token that poll one channel do not chase each other", async (t) => {
    const { token } = await login();
    const proxy = await Proxy.start(t, gateway);
    const gates = [1, 2].map(() => client(t, proxy.url, { token, transports: ["poll"] }));
    const channels = gates.map((gate) => gate.channel("room/both"));
    const told = channels.map(record);
    await until(() => channels.every(({ state }) => state === "open"));
    const start = performance.now();
    for (let number = 1; number <= 2; number += 1) {
      await channels[0].post(String(number));
      await until(() => told.every(({ data }) => data.length === number), `post ${number} at both`);
    }
    await until(() => performance.now() - start > 3000, "a while");
    const seconds = (performance.now() - start) / 1000;
    const polls = proxy.count("poll");
    // Each pauses 1 to 3 seconds; each post brings both an answer.
    assert.ok(polls <= 8 + 4 + seconds * 2, `${polls} polls in ${seconds} s`);
  });
});

test("a WebSocket that is cut without a word is noticed, and its stream resumes", async (t) => {
  const own = await Gateway.start(t, "[heartbeat]\ninterval = 0.2\ntimeout = 0.2\n");
  const proxy = await Proxy.start(t, own);
  const gate = client(t, proxy.url, { transports: ["ws"] });
  await gate.login();
  const channel = gate.channel("");
  const told = record(channel);
  await until(() => channel.state === "open");
  await channel.post("before");
  await until(() => told.data.length === 1);
  proxy.hole();
  await channel.post("behind the hole");
  await until(() => told.data.length === 2);
  assert.deepEqual(told.data, ["before", "behind the hole"]);
});
