// The state machine of `goog.appengine.Channel`, line by line of the contract.

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";

import { EXPIRED, HANDLERS, INVALID, OPEN, standIn } from "./old-page.js";
import { eventStream, pass, settle } from "./stand-in.js";

/** Refuses every transport with this answer. */
async function refuse(there, status, body) {
  there.socket.end(1006);
  await settle();
  there.of("sse")[0].answer(body, status);
  await settle();
}

/** What the gateway says, and what the handlers log of it. */
const START = { since: "e-0" };
const X = { message: { value: "x", id: "e-1" } };
const HEARD_X = ["message", '{"message":{"value":"x","id":"e-1"}}'];
const OPENED = ["open", 1];
const TOLD_EXPIRED = ["error", 401, EXPIRED, 2];
const TOLD_INVALID = ["error", 401, INVALID, 2];
const CLOSED = ["close", 3];

/** Each row: the page's own code, what happens then step by step, and what it has logged in the end. */
const TABLE = [
  [
    "open returns a socket that connects, before any callback",
    OPEN + "log.push(['returned', socket.readyState]);",
    [],
    [["returned", 0]],
  ],
  ["it is open once the gateway has answered", OPEN, [START], [OPENED]],
  [
    "data is the string that was sent",
    OPEN,
    [START, { message: { value: "hi", client_id: "c", id: "e-1" } }],
    [OPENED, ["message", '{"message":{"value":"hi","client_id":"c","id":"e-1"}}']],
  ],
  [
    "a text of a backend comes as it is",
    OPEN,
    [START, JSON.stringify('{"users":[]}\u2028'), JSON.stringify("")],
    [OPENED, ["message", '{"users":[]}\u2028'], ["message", ""]],
  ],
  [
    "line separators in JSON are escaped, for those who eval",
    OPEN,
    [START, '{"message":{"value":"\u2028\u2029"}}'],
    [OPENED, ["message", '{"message":{"value":"\\u2028\\u2029"}}']],
  ],
  [
    "what a root of another kind brings is as it was sent, to the digit",
    OPEN,
    [START, '{"id":"e-1","client_id":"a\\"data\\":","data":{"x":1.00,"data":[2e0]}}'],
    [OPENED, ["message", '{"x":1.00,"data":[2e0]}']],
  ],
  [
    "users come as whole lists, made of what changes",
    OPEN,
    [
      START,
      { users: [{ client_id: "a", ip: "" }], count: 1, version: 1 },
      { joined: [{ client_id: "b", ip: "" }], left: [], count: 2, version: 2 },
      { joined: [], left: ["a"], count: 1, version: 3 },
    ],
    [
      OPENED,
      ["message", '{"users":[{"client_id":"a","ip":""}],"count":1,"version":1}'],
      ["message", '{"users":[{"client_id":"a","ip":""},{"client_id":"b","ip":""}],"count":2,"version":2}'],
      ["message", '{"users":[{"client_id":"b","ip":""}],"count":1,"version":3}'],
    ],
  ],
  [
    "a message comes once",
    OPEN,
    [START, { message: { value: "hi", id: "e-1" } }, { message: { value: "hi", id: "e-1" } }],
    [OPENED, ["message", '{"message":{"value":"hi","id":"e-1"}}']],
  ],
  ["a gap is none of an old page's messages", OPEN, [START, { gap: { channel: "", next: "f-1" } }], [OPENED]],
  [
    "close() leads to CLOSED, and to onclose once",
    OPEN,
    [START, "socket.close(); log.push(['returned', socket.readyState]); socket.close();"],
    [OPENED, ["returned", 2], CLOSED],
  ],
  [
    "close() before it is open",
    OPEN + "socket.close(); log.push(['returned', socket.readyState]);",
    [START],
    [["returned", 2], CLOSED],
  ],
  ["close() while it connects", OPEN, ["socket.close()", START], [CLOSED]],
  [
    "close() from inside onopen",
    OPEN + "handlers.onopen = function () { log.push('open'); socket.close(); };",
    [START, X],
    ["open", CLOSED],
  ],
  [
    "close() from inside onmessage",
    OPEN + "handlers.onmessage = function () { log.push('message'); socket.close(); };",
    [START, X, { message: { value: "y", id: "e-2" } }],
    [OPENED, "message", CLOSED],
  ],
  [
    "close() from inside onclose",
    OPEN + "handlers.onclose = function () { log.push('close'); socket.close(); };",
    [START, "socket.close()"],
    [OPENED, "close"],
  ],
  [
    "close() from inside onerror is harmless",
    OPEN + "handlers.onerror = function (e) { log.push(e.code); socket.close(); };",
    [START, 4001],
    [OPENED, 401, CLOSED],
  ],
  ["an expired token of an open socket", OPEN, [START, 4001], [OPENED, TOLD_EXPIRED, CLOSED]],
  ["kicked by the backend: closed, and no error", OPEN, [START, 4003], [OPENED, CLOSED]],
  ["logged out elsewhere: closed, and no error", OPEN, [START, 4002], [OPENED, CLOSED]],
  [
    "a bad token: onerror, then onclose, and closed it stays",
    OPEN,
    [[401, { code: "token-invalid" }]],
    [TOLD_INVALID, CLOSED],
  ],
  ["no token at all to the gateway", OPEN, [[401, { code: "unauthorized" }]], [TOLD_INVALID, CLOSED]],
  ["an expired token", OPEN, [[401, { code: "token-expired" }]], [TOLD_EXPIRED, CLOSED]],
  [
    "a token that does not allow this",
    OPEN,
    [[403, { code: "forbidden", detail: "no" }]],
    [["error", 403, "no", 2], CLOSED],
  ],
  ["a token that is too long for any request", OPEN, [[414, { code: "too-large" }]], [TOLD_INVALID, CLOSED]],
  [
    "callbacks assigned as properties",
    `${HANDLERS} var socket = channel.open();
      for (var name in handlers) socket[name] = handlers[name];`,
    [START, X, 4001],
    [OPENED, HEARD_X, TOLD_EXPIRED, CLOSED],
  ],
  [
    "handlers in part",
    `${HANDLERS} var socket = channel.open({ onclose: handlers.onclose });`,
    [START, { message: { value: "x" } }, 4001],
    [CLOSED],
  ],
  [
    "no handlers at all",
    `${HANDLERS} var socket = channel.open();`,
    [START, { message: { value: "x" } }, 4001, "log.push(socket.readyState)"],
    [3],
  ],
  [
    "handlers that are null",
    `${HANDLERS} var socket = channel.open(null);`,
    [START, "log.push(socket.readyState)"],
    [1],
  ],
  [
    "callbacks are looked up when they fire: assigned later",
    OPEN,
    ["socket.onopen = function () { log.push('later'); }", START],
    ["later"],
  ],
  [
    "callbacks are looked up when they fire: changed where they were given",
    OPEN,
    ["handlers.onopen = function () { log.push('changed'); }", START],
    ["changed"],
  ],
  [
    "callbacks are looked up when they fire: taken away",
    OPEN,
    ["socket.onopen = null; socket.onmessage = undefined", START, X, "socket.close()"],
    [CLOSED],
  ],
  [
    "what was given can be called, too: they are the socket's",
    OPEN,
    ["log.push(socket.onopen === handlers.onopen)"],
    [true],
  ],
  ["`this` is the socket", OPEN + "socket.onopen = function () { log.push(this === socket); };", [START], [true]],
  [
    "a callback that throws changes nothing",
    OPEN + "handlers.onopen = handlers.onmessage = function () { throw new Error('mine'); };",
    [START, X, "socket.close()"],
    [CLOSED],
  ],
  [
    "channel.open() again works, after an error and within onclose",
    OPEN +
      `
      handlers.onclose = function () { log.push('close'); handlers.onclose = null; socket = channel.open(handlers); };`,
    [START, 4001, START],
    [OPENED, TOLD_EXPIRED, "close", OPENED],
  ],
  [
    "two sockets of one channel",
    `${OPEN} var other = channel.open({ onopen: function () { log.push('other'); } });
      log.push(other !== socket);`,
    [],
    [true],
  ],
  [
    "the states have names",
    "var S = goog.appengine.Socket.ReadyState; log.push(S.CONNECTING, S.OPEN, S.CLOSING, S.CLOSED);",
    [],
    [0, 1, 2, 3],
  ],
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

  for (const [what, code] of Object.entries({
    undefined: "undefined",
    null: "null",
    "an empty one": "''",
    "a number": "7",
    "an object": "{}",
    "one that is longer than any can be": "new Array(4098).join('x')",
  })) {
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
    assert.deepEqual(
      log().map(([what]) => what),
      ["open", "message", "message"],
    );
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
    stream.tell(
      'id: e-0\n\ndata: {"users":[],"count":0,"version":1}\n\nid: e-1\ndata: {"message":{"value":"x","id":"e-1"}}\n\n',
    );
    stream.tell('event: close\ndata: {"code":4001}\n\n');
    await settle();
    assert.deepEqual(log(), [
      ["open", 1],
      ["message", '{"users":[],"count":0,"version":1}'],
      ["message", '{"message":{"value":"x","id":"e-1"}}'],
      ["error", 401, EXPIRED, 2],
      ["close", 3],
    ]);
  });
});
