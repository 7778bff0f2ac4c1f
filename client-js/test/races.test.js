// What happens to connections at the wrong moment: closed, frozen, overtaken while something is under way.

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";

import { record } from "./support.js";
import { begin, pass, settle } from "./stand-in.js";

const START = { since: "e-0" };
const message = (number) => ({ message: { value: `m${number}`, client_id: "c", id: `e-${number}` } });

describe("closed", () => {
  test("in the moment that it was made", async (t) => {
    const { there, gate } = begin(t);
    const channel = gate.channel("chat/x");
    const told = record(channel);
    channel.close();
    channel.close();
    await settle();
    assert.deepEqual([there.sockets.length, told.closes, channel.state], [0, [null], "closed"]);
  });

  test("while its token is on the way", async (t) => {
    let give;
    const { there, gate } = begin(t, { token: () => new Promise((done) => (give = done)) });
    const channel = gate.channel("chat/x");
    const told = record(channel);
    await settle();
    channel.close();
    give("late");
    await settle();
    await pass(60);
    assert.deepEqual([there.sockets.length, told.closes, told.errors], [0, [null], []]);
  });

  test("while its token fails", async (t) => {
    let fail;
    const { there, gate } = begin(t, { token: () => new Promise((_, failed) => (fail = failed)) });
    const channel = gate.channel("chat/x");
    const told = record(channel);
    await settle();
    channel.close();
    fail(new Error("late"));
    await pass(60);
    assert.deepEqual([there.sockets.length, told.closes, told.errors], [0, [null], []]);
  });

  test("while it connects: what comes late is not heard", async (t) => {
    const { there, gate } = begin(t);
    const channel = gate.channel("chat/x");
    const told = record(channel);
    await settle();
    const { socket } = there;
    channel.close();
    assert.equal(socket.closedWith, 1000);
    socket.tell(START, message(1));
    socket.end(1006);
    await pass(60);
    assert.deepEqual([there.sockets.length, there.requests.length, told.opens, told.data], [1, 0, [], []]);
    assert.deepEqual([told.closes, told.errors], [[null], []]);
  });

  test("by whoever hears of it", async (t) => {
    for (const type of ["open", "message", "users", "gap", "error"]) {
      const { there, gate } = begin(t);
      const channel = gate.channel("chat/x");
      const told = record(channel);
      channel.addEventListener(type, () => channel.close());
      await settle();
      there.socket.tell(START);
      there.socket.tell(
        { users: [], count: 0, version: 1 },
        { gap: { channel: "chat/x", next: "e-1" } },
        message(1),
        message(2),
      );
      there.socket.end(1006);
      await pass(60);
      assert.deepEqual([told.closes, there.sockets.length, there.requests.length], [[null], 1, 0], type);
      assert.ok(told.data.length <= (type === "error" ? 2 : 1), type);
      mock.timers.reset();
    }
  });

  test("in the midst of an answer to a poll", async (t) => {
    const { there, gate } = begin(t, { transports: ["poll"] });
    const channel = gate.channel("chat/x");
    const told = record(channel);
    channel.addEventListener("message", ({ data }) => data === "m2" && channel.close());
    await settle();
    there.of("poll")[0].answer({ messages: [message(1), message(2), message(3)], since: "e-3" });
    await settle();
    assert.deepEqual([told.data, there.requests.length], [["m1", "m2"], 0]);
  });
});

describe("put away", () => {
  test("while its token is on the way: it connects when it is back", async (t) => {
    const give = [];
    const { there, gate, page } = begin(t, { token: () => new Promise((done) => give.push(done)) });
    const channel = gate.channel("chat/x");
    await settle();
    page.document.dispatchEvent(new Event("freeze"));
    give[0]("token-1");
    await settle();
    assert.deepEqual([there.sockets.length, channel.state], [0, "resting"]);
    page.document.dispatchEvent(new Event("resume"));
    await settle();
    assert.deepEqual([there.sockets.length, give.length], [1, 1]);
    assert.deepEqual(there.socket.protocols, ["pushgate.v1", "bearer.token-1"]);
  });

  test("online again while its token is on the way: one connection", async (t) => {
    const give = [];
    const { there, gate, page } = begin(t, { token: () => new Promise((done) => give.push(done)) });
    const channel = gate.channel("chat/x");
    await settle();
    page.dispatchEvent(new Event("online"));
    await settle();
    for (const done of give) done("token-1");
    await settle();
    assert.deepEqual([there.sockets.length, give.length, channel.state], [1, 1, "connecting"]);
  });

});

describe("while another connection is tried", () => {
  const direct = (number) => ({ direct: `a${number}`, data: `d${number}` });

  async function online(t, options) {
    const scene = begin(t, options);
    const channel = scene.gate.channel("chat/x");
    const told = record(channel);
    await settle();
    const first = scene.there.socket;
    first.tell(START, message(1));
    scene.page.dispatchEvent(new Event("online"));
    await settle();
    return { ...scene, channel, told, first, second: scene.there.socket };
  }

  test("the one in use goes on, and is let go once both have brought the same", async (t) => {
    const { there, gate, told, first, second } = await online(t);
    assert.match(second.url, /[?&]since=e-1(&|$)/);
    first.tell(direct(1), message(2));
    second.tell(START, direct(3), message(2), message(3));
    first.tell(direct(2));
    assert.deepEqual([told.data, first.closedWith], [["m1", "d1", "m2", "d2"], null]);
    first.tell(direct(3), direct(4));
    // Not as one who leaves.
    assert.deepEqual([told.data.slice(4), first.closedWith], [["d3", "m3"], 4000]);
    second.tell(direct(4), direct(4), direct(3), message(4));
    first.end(1006);
    await settle();
    assert.deepEqual([told.data.slice(6), told.opens, told.errors, there.sockets.length], [["d4", "m4"], ["ws", "ws"], [], 2]);
    gate.close();
    assert.equal(second.closedWith, 1000);
  });

  test("the one in use is let go soon where it brings nothing", async (t) => {
    const { told, first, second } = await online(t);
    second.tell(START, direct(1), message(2));
    await pass(0.9);
    assert.deepEqual([told.data, first.closedWith], [["m1"], null]);
    await pass(0.2);
    assert.deepEqual([told.data, first.closedWith], [["m1", "d1", "m2"], 4000]);
  });

  test("what the one in use brings keeps it, for a while", async (t) => {
    const { told, first, second } = await online(t);
    second.tell(START, direct(99));
    for (let number = 1; number <= 11; number += 1) {
      if (first.closedWith === null) first.tell(direct(number));
      await pass(0.95);
    }
    assert.deepEqual([told.data.at(-1), first.closedWith], ["d99", 4000]);
    assert.equal(told.data.length, 13);
  });

  test("the one in use is cut where too much waits", async (t) => {
    const { told, first, second } = await online(t);
    second.tell(START);
    for (let number = 2; number <= 1002; number += 1) second.tell(message(number));
    assert.deepEqual([told.data.length, first.closedWith], [1002, 4000]);
  });

  test("it does not open: the one in use goes on, and it is tried again", async (t) => {
    const { there, channel, told, first, second } = await online(t, { transports: ["ws"] });
    second.refuse();
    await settle();
    there.of("ws")[0].answer({ users: [] });
    await settle();
    first.tell(direct(1));
    assert.deepEqual([told.data, channel.state, told.errors], [["m1", "d1"], "open", []]);
    await pass(1);
    assert.equal(there.sockets.length, 3);
    there.socket.tell(START);
    await pass(1.1);
    assert.deepEqual([first.closedWith, told.opens.length, channel.state], [4000, 2, "open"]);
  });

  test("it opens and breaks: the one in use goes on", async (t) => {
    const { channel, told, first, second } = await online(t);
    second.tell(START, direct(1));
    second.end(1006);
    first.tell(direct(2), direct(1));
    await pass(3);
    assert.deepEqual([told.data, channel.state, told.errors, first.closedWith], [["m1", "d1", "d2"], "open", [], null]);
  });

  test("the one in use breaks: the other one is waited for", async (t) => {
    const { there, channel, told, first, second } = await online(t);
    first.end(1006);
    await settle();
    assert.deepEqual([channel.state, channel.transport, told.errors], ["connecting", null, []]);
    second.tell(START, direct(1));
    assert.deepEqual([channel.state, told.data, there.sockets.length], ["open", ["m1", "d1"], 2]);
  });

  test("the one in use is ended for good: so is all", async (t) => {
    const { told, first, second } = await online(t);
    first.end(4003);
    await settle();
    assert.equal(told.closes[0].closeCode, 4003);
    assert.equal(second.closedWith, 1000);
  });

  test("closed by whoever hears of what has waited", async (t) => {
    const { channel, told, first, second } = await online(t);
    channel.addEventListener("message", ({ data }) => data === "d1" && channel.close());
    second.tell(START, direct(1), direct(2));
    await pass(2);
    assert.deepEqual([told.data, told.closes], [["m1", "d1"], [null]]);
    assert.deepEqual([first.closedWith, second.closedWith], [4000, 1000]);
  });

  test("put away, both are gone", async (t) => {
    const { page, channel, first, second } = await online(t);
    second.tell(START);
    page.document.dispatchEvent(new Event("freeze"));
    assert.deepEqual([first.closedWith, second.closedWith, channel.state], [1000, 1000, "resting"]);
  });

  test("what the last poll brings is told behind what the new one was given before it", async (t) => {
    const { there, gate } = begin(t, { upwardAfter: 0.5, patience: 5 });
    const channel = gate.channel("chat/x");
    const told = record(channel);
    await settle();
    there.socket.refuse();
    await settle();
    there.of("sse")[0].answer("", 502);
    await settle();
    there.of("poll")[0].answer({ messages: [], since: "e-0" });
    await pass(1);
    const [, probe] = there.sockets;
    probe.tell(START);
    await settle();
    const { socket } = there;
    assert.equal(there.sockets.length, 3, "and now in earnest");
    // It was shown to get through: it may take its time, also with what was sent over it.
    await pass(19);
    assert.equal(there.sockets.length, 3);
    // The gateway had the new one first, which got what had waited; the poll came before the next.
    there.of("poll")[0].answer({ messages: [direct(2)], since: "e-0" });
    await settle();
    socket.tell(START, direct(1), direct(2), message(1));
    await settle();
    assert.deepEqual([told.data, told.gaps, channel.transport], [["d1", "d2", "m1"], [], "ws"]);
  });

  test("a list of users that is older than what was told is none", async (t) => {
    const user = (client_id) => ({ client_id, ip: "" });
    const { told, first, second } = await online(t);
    first.tell({ users: [user("a")], count: 1, version: 1 });
    second.tell(START, { users: [user("a")], count: 1, version: 1 }, { joined: [user("b")], left: [], count: 2, version: 2 });
    first.tell({ joined: [user("b")], left: [], count: 2, version: 2 });
    await pass(1.1);
    second.tell({ joined: [], left: ["a"], count: 1, version: 3 });
    assert.deepEqual(
      told.users.map(({ joined, left, count }) => [joined.length, left.length, count]),
      [
        [1, 0, 1],
        [1, 0, 2],
        [0, 1, 1],
      ],
    );
  });

  test("a gap in what another one has brought is none", async (t) => {
    const { told, first, second } = await online(t);
    first.tell(message(2), message(3));
    second.tell({ since: "e-1" }, { gap: { channel: "chat/x", since: "e-1", next: "e-3" } }, message(3), message(4));
    await pass(1.1);
    assert.deepEqual([told.data, told.gaps], [["m1", "m2", "m3", "m4"], []]);
  });
});
