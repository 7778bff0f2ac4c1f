// `goog.appengine.Channel`: the state machine, line by line of the contract, by pages as old as it is.

import assert from "node:assert/strict";
import { after, before, describe, mock, test } from "node:test";
import vm from "node:vm";

import { Gateway, MODULES, classic, until } from "./support.js";
import { Proxy } from "./proxy.js";
import { StandIn, eventStream, pass, settle } from "./stand-in.js";
import { WebSocket } from "./websocket.js";

const SCRIPT = classic([...MODULES.client, "jsapi"]);

/** A page: a global scope of its own, in which `run` runs what a page of 2010 says. */
function page({ src = "http://gate.test/_ah/channel/jsapi", given = {}, script = SCRIPT, scripts = [], isLate = false } = {}) {
  const document = Object.assign(new EventTarget(), { visibilityState: "visible", currentScript: { src } });
  document.querySelectorAll = () => scripts;
  const { AbortController, Event, EventTarget: Target, TextDecoder, URL, URLSearchParams, crypto, queueMicrotask } = globalThis;
  const scope = {
    AbortController, Event, EventTarget: Target, TextDecoder, URL, URLSearchParams, crypto, queueMicrotask, document, console,
    // Those of the moment: they may be mocked.
    setTimeout: (...args) => setTimeout(...args),
    clearTimeout: (...args) => clearTimeout(...args),
    setInterval: (...args) => setInterval(...args),
    clearInterval: (...args) => clearInterval(...args),
    location: { href: "http://page.test/old.html", origin: "http://page.test" },
    log: [],
    ...given,
  };
  vm.createContext(scope);
  const run = (code) => vm.runInContext(code, scope);
  const load = () => vm.runInContext(script, scope);
  if (!isLate) load();
  document.currentScript = null;
  return { scope, document, run, load, log: () => JSON.parse(JSON.stringify(scope.log)) };
}

/** What every page does: logs each callback with the state that it sees. */
const HANDLERS = `
  var handlers = {
    onopen: function () { log.push(['open', socket.readyState]); },
    onmessage: function (message) { log.push(['message', message.data]); },
    onerror: function (error) { log.push(['error', error.code, error.description, socket.readyState]); },
    onclose: function () { log.push(['close', socket.readyState]); }
  };
  var channel = new goog.appengine.Channel('a.b.c');
`;
const OPEN = `${HANDLERS} var socket = channel.open(handlers);`;
const EXPIRED = "Token+timed+out.";
const INVALID = "Invalid+token.";

function standIn(t, what = {}) {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_000_000 });
  t.after(() => mock.timers.reset());
  const there = new StandIn();
  const { WebSocket, fetch } = there.options;
  return { there, ...page({ given: { WebSocket, fetch }, ...what }) };
}

/** Refuses every transport with this answer. */
async function refuse(there, status, body) {
  there.socket.end(1006);
  await settle();
  there.of("sse")[0].answer(body, status);
  await settle();
}

/** Each row: the page's own code, what happens then step by step, and what it has logged in the end. */
const TABLE = [
  ["open returns a socket that connects, before any callback", OPEN + "log.push(['returned', socket.readyState]);", [], [["returned", 0]]],
  ["it is open once the gateway has answered", OPEN, [{ since: "e-0" }], [["open", 1]]],
  ["data is the string that was sent", OPEN, [{ since: "e-0" }, { message: { value: "hi", client_id: "c", id: "e-1" } }],
    [["open", 1], ["message", '{"message":{"value":"hi","client_id":"c","id":"e-1"}}']]],
  ["a text of a backend comes as it is", OPEN, [{ since: "e-0" }, JSON.stringify('{"users":[]}\u2028'), JSON.stringify("")],
    [["open", 1], ["message", '{"users":[]}\u2028'], ["message", ""]]],
  ["line separators in JSON are escaped, for those who eval", OPEN, [{ since: "e-0" }, '{"message":{"value":"\u2028\u2029"}}'],
    [["open", 1], ["message", '{"message":{"value":"\\u2028\\u2029"}}']]],
  ["what a root of another kind brings is as it was sent, to the digit", OPEN,
    [{ since: "e-0" }, '{"id":"e-1","client_id":"a\\"data\\":","data":{"x":1.00,"data":[2e0]}}'], [["open", 1], ["message", '{"x":1.00,"data":[2e0]}']]],
  ["users come as whole lists, made of what changes", OPEN,
    [{ since: "e-0" }, { users: [{ client_id: "a", ip: "" }], count: 1, version: 1 }, { joined: [{ client_id: "b", ip: "" }], left: [], count: 2, version: 2 },
      { joined: [], left: ["a"], count: 1, version: 3 }],
    [["open", 1], ["message", '{"users":[{"client_id":"a","ip":""}],"count":1,"version":1}'],
      ["message", '{"users":[{"client_id":"a","ip":""},{"client_id":"b","ip":""}],"count":2,"version":2}'],
      ["message", '{"users":[{"client_id":"b","ip":""}],"count":1,"version":3}']]],
  ["a message comes once", OPEN, [{ since: "e-0" }, { message: { value: "hi", id: "e-1" } }, { message: { value: "hi", id: "e-1" } }],
    [["open", 1], ["message", '{"message":{"value":"hi","id":"e-1"}}']]],
  ["a gap is none of an old page's messages", OPEN, [{ since: "e-0" }, { gap: { channel: "", next: "f-1" } }], [["open", 1]]],
  ["close() leads to CLOSED, and to onclose once", OPEN, [{ since: "e-0" }, "socket.close(); log.push(['returned', socket.readyState]); socket.close();"],
    [["open", 1], ["returned", 2], ["close", 3]]],
  ["close() before it is open", OPEN + "socket.close(); log.push(['returned', socket.readyState]);", [{ since: "e-0" }], [["returned", 2], ["close", 3]]],
  ["close() while it connects", OPEN, ["socket.close()", { since: "e-0" }], [["close", 3]]],
  ["close() from inside onopen", OPEN + "handlers.onopen = function () { log.push('open'); socket.close(); };",
    [{ since: "e-0" }, { message: { value: "x", id: "e-1" } }], ["open", ["close", 3]]],
  ["close() from inside onmessage", OPEN + "handlers.onmessage = function () { log.push('message'); socket.close(); };",
    [{ since: "e-0" }, { message: { value: "x", id: "e-1" } }, { message: { value: "y", id: "e-2" } }], [["open", 1], "message", ["close", 3]]],
  ["close() from inside onclose", OPEN + "handlers.onclose = function () { log.push('close'); socket.close(); };",
    [{ since: "e-0" }, "socket.close()"], [["open", 1], "close"]],
  ["close() from inside onerror is harmless", OPEN + "handlers.onerror = function (e) { log.push(e.code); socket.close(); };",
    [{ since: "e-0" }, 4001], [["open", 1], 401, ["close", 3]]],
  ["an expired token of an open socket", OPEN, [{ since: "e-0" }, 4001], [["open", 1], ["error", 401, EXPIRED, 2], ["close", 3]]],
  ["kicked by the backend: closed, and no error", OPEN, [{ since: "e-0" }, 4003], [["open", 1], ["close", 3]]],
  ["logged out elsewhere: closed, and no error", OPEN, [{ since: "e-0" }, 4002], [["open", 1], ["close", 3]]],
  ["a bad token: onerror, then onclose, and closed it stays", OPEN, [[401, { code: "token-invalid" }]], [["error", 401, INVALID, 2], ["close", 3]]],
  ["no token at all to the gateway", OPEN, [[401, { code: "unauthorized" }]], [["error", 401, INVALID, 2], ["close", 3]]],
  ["an expired token", OPEN, [[401, { code: "token-expired" }]], [["error", 401, EXPIRED, 2], ["close", 3]]],
  ["a token that does not allow this", OPEN, [[403, { code: "forbidden", detail: "no" }]], [["error", 403, "no", 2], ["close", 3]]],
  ["a token that is too long for any request", OPEN, [[414, { code: "too-large" }]], [["error", 401, INVALID, 2], ["close", 3]]],
  ["callbacks assigned as properties", `${HANDLERS} var socket = channel.open();
      for (var name in handlers) socket[name] = handlers[name];`,
    [{ since: "e-0" }, { message: { value: "x", id: "e-1" } }, 4001],
    [["open", 1], ["message", '{"message":{"value":"x","id":"e-1"}}'], ["error", 401, EXPIRED, 2], ["close", 3]]],
  ["handlers in part", `${HANDLERS} var socket = channel.open({ onclose: handlers.onclose });`, [{ since: "e-0" }, { message: { value: "x" } }, 4001], [["close", 3]]],
  ["no handlers at all", `${HANDLERS} var socket = channel.open();`, [{ since: "e-0" }, { message: { value: "x" } }, 4001, "log.push(socket.readyState)"], [3]],
  ["handlers that are null", `${HANDLERS} var socket = channel.open(null);`, [{ since: "e-0" }, "log.push(socket.readyState)"], [1]],
  ["callbacks are looked up when they fire: assigned later", OPEN, ["socket.onopen = function () { log.push('later'); }", { since: "e-0" }], ["later"]],
  ["callbacks are looked up when they fire: changed where they were given", OPEN, ["handlers.onopen = function () { log.push('changed'); }", { since: "e-0" }], ["changed"]],
  ["callbacks are looked up when they fire: taken away", OPEN, ["socket.onopen = null; socket.onmessage = undefined", { since: "e-0" }, { message: { value: "x", id: "e-1" } }, "socket.close()"],
    [["close", 3]]],
  ["what was given can be called, too: they are the socket's", OPEN, ["log.push(socket.onopen === handlers.onopen)"], [true]],
  ["`this` is the socket", OPEN + "socket.onopen = function () { log.push(this === socket); };", [{ since: "e-0" }], [true]],
  ["a callback that throws changes nothing", OPEN + "handlers.onopen = handlers.onmessage = function () { throw new Error('mine'); };",
    [{ since: "e-0" }, { message: { value: "x", id: "e-1" } }, "socket.close()"], [["close", 3]]],
  ["channel.open() again works, after an error and within onclose", OPEN + `
      handlers.onclose = function () { log.push('close'); handlers.onclose = null; socket = channel.open(handlers); };`,
    [{ since: "e-0" }, 4001, { since: "e-0" }], [["open", 1], ["error", 401, EXPIRED, 2], "close", ["open", 1]]],
  ["two sockets of one channel", `${OPEN} var other = channel.open({ onopen: function () { log.push('other'); } });
      log.push(other !== socket);`, [], [true]],
  ["the states have names", "var S = goog.appengine.Socket.ReadyState; log.push(S.CONNECTING, S.OPEN, S.CLOSING, S.CLOSED);", [], [0, 1, 2, 3]],
];

describe("the state machine", () => {
  for (const [name, code, steps, expected] of TABLE) {
    test(name, async (t) => {
      const { there, run, log } = standIn(t);
      run(code);
      await settle();
      for (const step of steps) {
        if (typeof step === "number") there.socket.end(step);
        else if (Array.isArray(step)) await refuse(there, ...step);
        else if (typeof step === "object" || /^["{]/.test(step)) there.socket?.tell(step);
        else run(step);
        await settle();
      }
      // A page's own errors are thrown where nobody is in the way.
      try {
        mock.timers.tick(1);
      } catch (error) {
        assert.equal(error.message, "mine");
      }
      assert.deepEqual(log(), expected);
      const closed = run("typeof socket === 'undefined' || socket.readyState") === 3;
      const { length } = there.sockets;
      if (closed) {
        try {
          await pass(120);
        } catch (error) {
          assert.equal(error.message, "mine");
        }
        assert.equal(there.sockets.length, length, "closed it stays");
        assert.deepEqual(log(), expected);
      }
    });
  }

  for (const [what, code] of Object.entries({ undefined: "undefined", null: "null", "an empty one": "''", "a number": "7", "an object": "{}" })) {
    test(`no token, but ${what}: told at once`, async (t) => {
      const { there, run, log } = standIn(t);
      run(`var socket = new goog.appengine.Channel(${code}).open({
        onerror: function (e) { log.push(e.code, e.description); }, onclose: function () { log.push(socket.readyState); } });
        log.push('returned');`);
      await settle();
      assert.deepEqual(log(), ["returned", 401, INVALID, 3]);
      assert.equal(there.sockets.length, 0);
    });
  }

  test("short drops, and a gateway that is away, are none of the page's business", async (t) => {
    const { there, run, log } = standIn(t);
    run(`Math.random = function () { return 0; }; ${OPEN}`);
    await settle();
    there.socket.tell({ since: "e-0" }, { message: { value: "1", id: "e-1" } });
    for (let drop = 0; drop < 2; drop += 1) {
      there.socket.end(1006);
      await pass(2);
      there.socket.tell({ since: "e-1" });
    }
    there.socket.end(1001);
    await pass(2);
    there.socket.end(1006);
    await settle();
    there.of("sse")[0].fail();
    await settle();
    there.of("poll")[0].fail();
    await settle();
    await pass(4);
    assert.match(there.socket.url, /since=e-1/);
    there.socket.tell({ since: "e-1" }, { message: { value: "2", id: "e-2" } });
    assert.deepEqual(log().map(([what]) => what), ["open", "message", "message"]);
    assert.equal(run("socket.readyState"), 1);
  });

  test("an event stream says the same as a WebSocket", async (t) => {
    const { there, run, log } = standIn(t);
    run(OPEN);
    await settle();
    there.socket.end(1006);
    await settle();
    const stream = eventStream();
    there.of("sse")[0].answer(stream.body, 200, stream.headers);
    stream.tell('id: e-0\n\ndata: {"users":[],"count":0,"version":1}\n\nid: e-1\ndata: {"message":{"value":"x","id":"e-1"}}\n\n');
    stream.tell('event: close\ndata: {"code":4001}\n\n');
    await settle();
    assert.deepEqual(log(), [["open", 1], ["message", '{"users":[],"count":0,"version":1}'],
      ["message", '{"message":{"value":"x","id":"e-1"}}'], ["error", 401, EXPIRED, 2], ["close", 3]]);
  });
});

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
    assert.deepEqual(Object.keys(scope).filter((name) => !before.has(name)), ["goog"]);
  });

  test("says so where the platform can do nothing", async (t) => {
    const { run, log } = standIn(t, { given: { WebSocket: undefined, fetch: undefined } });
    run(OPEN);
    await settle();
    assert.deepEqual(log().map(([what]) => what), ["error", "close"]);
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
  const login = async () => (await fetch(`${gateway.url}/login`, { method: "POST" })).json();
  const texts = (it) => it.log().filter(([what]) => what === "message").map(([, data]) => JSON.parse(data));

  for (const [transport, rules] of Object.entries({ ws: {}, sse: { ws: "refuse" }, poll: { ws: "refuse", sse: "refuse" } })) {
    test(`two pages, users and messages, over ${transport}`, async (t) => {
      const proxy = Object.assign(await Proxy.start(t, gateway), rules);
      const [one, two] = [await login(), await login()];
      const first = await oldPage(t, proxy.url, one.token);
      await until(() => first.run("socket.readyState") === 1);
      const second = await oldPage(t, proxy.url, two.token);
      await until(() => second.run("socket.readyState") === 1);
      const lists = (it) => texts(it).filter(({ users }) => users).map(({ users }) => users.map(({ client_id }) => client_id));
      await until(() => lists(first).at(-1)?.includes(two.client_id));
      assert.ok(lists(first).at(-1).includes(one.client_id), "whole lists");
      const posted = await fetch(`${proxy.url}/post`, { method: "POST", body: new URLSearchParams({ value: "hi \u2028 <b>", token: two.token }) });
      const answer = await posted.json();
      for (const it of [first, second]) {
        const heard = () => texts(it).filter(({ message }) => message?.client_id === two.client_id);
        await until(() => heard().length > 0);
        assert.deepEqual(heard(), [answer]);
      }
      proxy.cut();
      await fetch(`${gateway.url}/post`, { method: "POST", body: new URLSearchParams({ value: "meanwhile", token: two.token }) });
      const isMeanwhile = ({ message }) => message?.value === "meanwhile" && message.client_id === two.client_id;
      await until(() => texts(first).some(isMeanwhile));
      second.run("socket.close()");
      await until(() => second.log().at(-1)[0] === "close");
      await fetch(`${gateway.url}/logout`, { method: "POST", body: new URLSearchParams({ token: two.token }) });
      await until(() => !lists(first).at(-1).includes(two.client_id));
      assert.deepEqual(first.log().filter(([what]) => what !== "message"), [["open", 1]]);
    });
  }

  test("a token that is none is told at once, whatever is wrong with it", async (t) => {
    const { token } = await login();
    const start = performance.now();
    for (const bad of ["x", "a.b.c", `${token}x`, "with space, comma", "\u2028", "x".repeat(20_000), "x".repeat(60_000)]) {
      const it = await oldPage(t, gateway.url, bad);
      await until(() => it.log().length >= 2);
      assert.deepEqual(it.log(), [["error", 401, INVALID, 2], ["close", 3]], bad.slice(0, 20));
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
    const post = () => fetch(`${own.url}/post`, { method: "POST", body: new URLSearchParams({ value: "again", token }) });
    await until(async () => {
      await post();
      return texts(it).some(({ message }) => message?.value === "again");
    });
    assert.deepEqual(it.log().filter(([what]) => what !== "message"), [["open", 1]]);
  });

  test("the page's own server can serve it", async (t) => {
    const served = await fetch(`${gateway.url}/_ah/channel/jsapi`);
    if (!served.ok) return t.skip("this gateway serves no pages yet");
    const script = await served.text();
    const { token } = await login();
    const it = page({ src: `${gateway.url}/talkgadget/channel.js`, given: { WebSocket, fetch, token }, script });
    t.after(() => it.run("socket.close()"));
    it.run(OPEN.replace("'a.b.c'", "token"));
    await until(() => it.log()[0]?.[0] === "open");
    assert.match(served.headers.get("content-type"), /^text\/javascript/);
    return undefined;
  });
});
