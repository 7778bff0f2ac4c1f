// `goog.appengine.Channel`: the script, and old pages before the real gateway.

import assert from "node:assert/strict";
import { after, before, describe, mock, test } from "node:test";
import vm from "node:vm";

import { INVALID, OPEN, SCRIPT, page, standIn } from "./old-page.js";
import { Proxy } from "./proxy.js";
import { settle } from "./stand-in.js";
import { Gateway, until } from "./support.js";
import { WebSocket } from "./websocket.js";

describe("the script", () => {
  const asked = async (t, what) => {
    const { there, run } = standIn(t, what);
    run(OPEN);
    await settle();
    return there.socket.url.replace(/\?.*/, "");
  };

  test("knows from where it came", async (t) => {
    const cases = {
      "http://gate.test/_ah/channel/jsapi": "ws://gate.test/ws",
      "https://gate.test/_ah/channel/jsapi?v=1#x": "wss://gate.test/ws",
      "https://gate.test:8443/talkgadget/channel.js": "wss://gate.test:8443/ws",
      "https://other.test/push/_ah/channel/jsapi/": "wss://other.test/push/ws",
    };
    for (const [src, expected] of Object.entries(cases)) {
      assert.equal(await asked(t, { src }), expected);
      mock.timers.reset();
    }
    const scripts = [{ src: "http://page.test/jquery.js" }, { src: "http://gate.test/talkgadget/channel.js" }];
    assert.equal(await asked(t, { src: "", scripts }), "ws://gate.test/ws");
    mock.timers.reset();
    // Where nothing tells, it is the page's own server.
    assert.equal(await asked(t, { src: "http://page.test/copied.js" }), "ws://page.test/ws");
  });

  test("keeps what the page has, and comes late, and twice", async (t) => {
    const goog = { mine: 1, appengine: { mine: 2, Channel: "another one" } };
    const { scope, run, load } = standIn(t, { given: { goog }, isLate: true });
    load();
    const { Channel } = scope.goog.appengine;
    load();
    assert.equal(scope.goog.appengine.Channel, Channel);
    assert.deepEqual([scope.goog, scope.goog.mine, scope.goog.appengine.mine], [goog, 1, 2]);
    assert.equal(run("typeof goog.appengine.Channel"), "function");
    run("var goog = goog || {};");
    assert.equal(scope.goog.appengine.Channel, Channel);
  });

  test("leaves nothing else behind in the page", (t) => {
    const { scope } = standIn(t, { isLate: true });
    const before = new Set(Object.keys(scope));
    vm.runInContext(SCRIPT, scope);
    assert.deepEqual(
      Object.keys(scope).filter((name) => !before.has(name)),
      ["goog"],
    );
  });

  test("says so where the platform can do nothing", async (t) => {
    const { run, log } = standIn(t, { given: { WebSocket: undefined, fetch: undefined } });
    run(OPEN);
    await settle();
    assert.deepEqual(
      log().map(([what]) => what),
      ["error", "close"],
    );
  });
});

describe("against the gateway", { concurrency: true }, () => {
  let gateway;
  before(async () => {
    gateway = await Gateway.start();
  });
  after(() => gateway?.end());

  /** An old page on another origin. */
  async function oldPage(t, url, token) {
    const it = page({ src: `${url}/_ah/channel/jsapi`, given: { WebSocket, fetch, token } });
    t.after(() => it.run("try { socket.close(); } catch (e) {}"));
    it.run(OPEN.replace("'a.b.c'", "token"));
    return it;
  }
  for (const length of [4096, 8300]) {
    test(`a token of ${length} characters that is none is told at once`, async (t) => {
      const it = await oldPage(t, gateway.url, "x".repeat(length));
      await until(() => it.log().length === 2);
      assert.deepEqual(it.log(), [
        ["error", 401, INVALID, 2],
        ["close", 3],
      ]);
    });
  }

  const login = async () => (await fetch(`${gateway.url}/login`, { method: "POST" })).json();
  const texts = (it) =>
    it
      .log()
      .filter(([what]) => what === "message")
      .map(([, data]) => JSON.parse(data));

  for (const [transport, rules] of Object.entries({
    ws: {},
    sse: { ws: "refuse" },
    poll: { ws: "refuse", sse: "refuse" },
  })) {
    test(`two pages, users and messages, over ${transport}`, async (t) => {
      const proxy = Object.assign(await Proxy.start(t, gateway), rules);
      const [one, two] = [await login(), await login()];
      const first = await oldPage(t, proxy.url, one.token);
      await until(() => first.run("socket.readyState") === 1);
      const second = await oldPage(t, proxy.url, two.token);
      await until(() => second.run("socket.readyState") === 1);
      const lists = (it) =>
        texts(it)
          .filter(({ users }) => users)
          .map(({ users }) => users.map(({ client_id }) => client_id));
      await until(() => lists(first).at(-1)?.includes(two.client_id));
      assert.ok(lists(first).at(-1).includes(one.client_id), "whole lists");
      const posted = await fetch(`${proxy.url}/post`, {
        method: "POST",
        body: new URLSearchParams({ value: "hi \u2028 <b>", token: two.token }),
      });
      const answer = await posted.json();
      for (const it of [first, second]) {
        const heard = () => texts(it).filter(({ message }) => message?.client_id === two.client_id);
        await until(() => heard().length > 0);
        assert.deepEqual(heard(), [answer]);
      }
      proxy.cut();
      await fetch(`${gateway.url}/post`, {
        method: "POST",
        body: new URLSearchParams({ value: "meanwhile", token: two.token }),
      });
      const isMeanwhile = ({ message }) => message?.value === "meanwhile" && message.client_id === two.client_id;
      await until(() => texts(first).some(isMeanwhile));
      second.run("socket.close()");
      await until(() => second.log().at(-1)[0] === "close");
      await fetch(`${gateway.url}/logout`, { method: "POST", body: new URLSearchParams({ token: two.token }) });
      await until(() => !lists(first).at(-1).includes(two.client_id));
      assert.deepEqual(
        first.log().filter(([what]) => what !== "message"),
        [["open", 1]],
      );
    });
  }

  test("a token that is none is told at once, whatever is wrong with it", async (t) => {
    const { token } = await login();
    const start = performance.now();
    for (const bad of [
      "x",
      "a.b.c",
      `${token}x`,
      "with space, comma",
      "\u2028",
      "x".repeat(20_000),
      "x".repeat(60_000),
    ]) {
      const it = await oldPage(t, gateway.url, bad);
      await until(() => it.log().length >= 2);
      assert.deepEqual(
        it.log(),
        [
          ["error", 401, INVALID, 2],
          ["close", 3],
        ],
        bad.slice(0, 20),
      );
    }
    assert.ok(performance.now() - start < 10_000);
  });

  test("a socket lives on while the gateway restarts", async (t) => {
    const own = await Gateway.start(t);
    const { token } = await (await fetch(`${own.url}/login`, { method: "POST" })).json();
    const it = await oldPage(t, own.url, token);
    await until(() => it.log().length >= 1);
    await own.stop();
    await own.run();
    const post = () =>
      fetch(`${own.url}/post`, { method: "POST", body: new URLSearchParams({ value: "again", token }) });
    await until(async () => {
      await post();
      return texts(it).some(({ message }) => message?.value === "again");
    });
    assert.deepEqual(
      it.log().filter(([what]) => what !== "message"),
      [["open", 1]],
    );
  });

  test("the page's own server can serve it", async (t) => {
    const served = await fetch(`${gateway.url}/_ah/channel/jsapi`);
    assert.equal(served.status, 200);
    const script = await served.text();
    const { token } = await login();
    const it = page({ src: `${gateway.url}/talkgadget/channel.js`, given: { WebSocket, fetch, token }, script });
    t.after(() => it.run("socket.close()"));
    it.run(OPEN.replace("'a.b.c'", "token"));
    await until(() => it.log()[0]?.[0] === "open");
    assert.match(served.headers.get("content-type"), /^text\/javascript/);
  });
});
