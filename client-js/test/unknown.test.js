// What a later gateway may say, and what a page may do wrong: neither stops the client.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, mock, test } from "node:test";

import { Position } from "../src/position.js";
import { Users } from "../src/presence.js";
import { Pushgate } from "../src/pushgate.js";
import { EventReader } from "../src/transport-sse.js";
import { SRC, record } from "./support.js";
import { StandIn, eventStream, pass, settle } from "./stand-in.js";

async function opened(t, transport, options = {}) {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_000_000 });
  t.after(() => mock.timers.reset());
  const there = new StandIn();
  const gate = new Pushgate("http://gate.test/", { ...there.options, transports: [transport], ...options });
  t.after(() => gate.close());
  const channel = gate.channel("room");
  const told = record(channel);
  await settle();
  return { there, gate, channel, told };
}

const message = (number) => ({ message: { value: `m${number}`, client_id: "c", id: `e-${number}` } });

/** Texts that no gateway sends today. */
const ODD = [
  "",
  "not JSON",
  "null",
  "7",
  "true",
  '"text"',
  "[]",
  '[{"message":1}]',
  "{}",
  '{"unknown":{"deep":[1]}}',
  '{"message":null}',
  '{"message":7}',
  '{"message":{}}',
  '{"message":{"id":7,"value":null}}',
  '{"message":{"id":"no id","value":"x"}}',
  '{"users":"no"}',
  '{"users":{}}',
  '{"joined":7}',
  '{"left":"x","count":1}',
  '{"count":"many"}',
  '{"count":-1}',
  '{"gap":1}',
  '{"gap":{}}',
  '{"gap":{"next":7}}',
  '{"gap":{"next":"x"}}',
  '{"gap":{"inbox":3}}',
  '{"error":5}',
  '{"error":{}}',
  '{"since":7}',
  '{"id":"e"}',
  '{"id":"e-"}',
  '{"id":"-1","data":1}',
  '{"data":1}',
  '{"close":{"code":1}}',
  '{"__proto__":{"x":1}}',
  '{"constructor":1}',
  '{"type":"ping"}',
];

describe("what is not known is harmless", () => {
  test("messages over WebSocket", async (t) => {
    const { there, channel, told } = await opened(t, "ws");
    there.socket.tell({ since: "e-0", more: "to come" });
    there.socket.tell(
      ...ODD,
      { ...message(1), more: [1] },
      { message: { value: "m2", id: "e-2", new: "field" }, newer: 1 },
    );
    assert.deepEqual(told.data.slice(-2), ["m1", "m2"]);
    assert.equal(told.messages.at(-1).new, "field");
    assert.deepEqual([channel.state, channel.since, told.closes], ["open", "e-2", []]);
  });

  test("messages over SSE, and events, fields and comments", async (t) => {
    const { there, channel, told } = await opened(t, "sse");
    const stream = eventStream();
    there.of("sse")[0].answer(stream.body, 200, stream.headers);
    stream.tell("retry: 1000\nid: e-0\n\n: comment\n\nfield: x\nnew\n\nevent: news\n\nretry: soon\n\nid\n\n");
    for (const odd of ODD) stream.tell(`data: ${odd}\n\n`);
    stream.tell(`id: e-1\ndata: ${JSON.stringify(message(1))}\n\n`);
    await settle();
    assert.equal(told.data.at(-1), "m1");
    assert.deepEqual([channel.state, channel.since], ["open", "e-1"]);
  });

  test("messages in answers to polls", async (t) => {
    const { there, channel, told } = await opened(t, "poll");
    const odd = ODD.flatMap((text) => {
      try {
        return [JSON.parse(text)];
      } catch {
        return [];
      }
    });
    there.of("poll")[0].answer({ messages: [...odd, message(1)], since: "opaque.1.2", more: true });
    await settle();
    assert.equal(told.data.at(-1), "m1");
    assert.deepEqual([channel.state, channel.since], ["open", "opaque.1.2"]);
    assert.match(there.of("poll")[0].url, /since=opaque\.1\.2/);
  });

  for (const code of [1000, 1001, 1005, 1011, 1012, 3000, 4000, 4004, 4008, 4009, 4555, 4999]) {
    test(`an end by ${code} is followed by another try`, async (t) => {
      const { there, told } = await opened(t, "ws");
      there.socket.tell({ since: "e-0" });
      there.socket.end(code);
      await pass(10);
      assert.equal(there.sockets.length, 2);
      assert.deepEqual(
        told.errors.map(({ error }) => error.closeCode),
        [code === 1005 ? 0 : code],
      );
    });
  }

  for (const code of [4002, 4003]) {
    for (const transport of ["ws", "sse"]) {
      test(`an end by ${code} over ${transport} is the end`, async (t) => {
        const { there, channel, told } = await opened(t, transport);
        if (transport === "ws") {
          there.socket.tell({ since: "e-0" });
          there.socket.end(code);
        } else {
          const stream = eventStream();
          there.of("sse")[0].answer(stream.body, 200, stream.headers);
          stream.tell(`id: e-0\n\nevent: close\ndata: {"code":${code},"more":1}\n\n`);
          await settle();
        }
        assert.deepEqual([channel.state, told.closes.length, told.closes[0]?.closeCode], ["closed", 1, code]);
        await pass(120);
        assert.equal(there.sockets.length + there.requests.length, transport === "ws" ? 1 : 0);
      });
    }
  }

  test("an end of an event stream that says nothing we know", async (t) => {
    for (const data of ["", "null", "{}", '{"code":"x"}', "[]", '{"code":4555}']) {
      const { there, told } = await opened(t, "sse");
      const stream = eventStream();
      there.of("sse")[0].answer(stream.body, 200, stream.headers);
      stream.tell(`retry: 3000\nid: e-0\n\nevent: close\ndata: ${data}\n\n`);
      await settle();
      assert.deepEqual([told.errors.length, told.closes], [1, []], data);
      assert.ok(told.errors[0].retryIn >= 3);
      await pass(10);
      assert.equal(there.of("sse").length, 1);
      mock.timers.reset();
    }
  });

  test("problems of any form", async (t) => {
    const bodies = [
      "",
      "<html>",
      "null",
      "[]",
      "7",
      '{"code":7}',
      '{"type":"/problems#new-code","code":"new-code","detail":7}',
      '{"code":"new-code","detail":"of something else that speaks JSON"}',
      '{"type":"about:blank","code":"new-code"}',
      '{"detail":{"deep":1}}',
    ];
    for (const [index, body] of bodies.entries()) {
      const { there, told } = await opened(t, "sse");
      there.of("sse")[0].answer(body, 503);
      await settle();
      assert.equal(told.errors.length, 1, body);
      assert.equal(told.errors[0].error.code, index === 6 ? "new-code" : "http-503");
      mock.timers.reset();
    }
  });
});

describe("silence", () => {
  test("of an event stream that sends no sign of life is its end", async (t) => {
    const { there, told } = await opened(t, "sse");
    const stream = eventStream();
    there.of("sse")[0].answer(stream.body, 200, stream.headers);
    stream.tell("id: e-0\n\n");
    await settle();
    for (let time = 0; time < 60; time += 15) {
      await pass(15);
      stream.tell(": \n\n");
      await settle();
    }
    assert.deepEqual(told.errors, []);
    await pass(41);
    assert.equal(told.errors[0].error.detail, "the stream fell silent");
    await pass(1);
    assert.match(there.of("sse")[0].url, /since=e-0/);
  });

  test("of a poll, too", async (t) => {
    const { there, told } = await opened(t, "poll");
    there.of("poll")[0].answer({ messages: [], since: "e-0" });
    await settle();
    await pass(41);
    assert.equal(told.errors[0].error.detail, "a poll was not answered");
  });

  test("of event streams time and again leads to polls", async (t) => {
    const { there, channel } = await opened(t, "sse", { transports: ["sse", "poll"] });
    for (let round = 0; round < 3; round += 1) {
      const stream = eventStream();
      there.of("sse")[0].answer(stream.body, 200, stream.headers);
      stream.tell("id: e-0\n\n");
      await settle();
      await pass(41);
      await pass(5);
    }
    there.of("poll")[0].answer({ messages: [], since: "e-0" });
    await settle();
    assert.equal(channel.transport, "poll");
  });
});

describe("what a page does wrong", () => {
  test("listeners that throw do not stop delivery", () => {
    const script = `
      import { Pushgate } from ${JSON.stringify(`${SRC}/pushgate.js`)};
      import { StandIn, pass, settle } from ${JSON.stringify(new URL("./stand-in.js", import.meta.url).pathname)};
      let thrown = 0;
      process.on("uncaughtException", ({ message }) => (thrown += message === "the page's own"));
      const there = new StandIn();
      const gate = new Pushgate("http://gate.test/", { ...there.options, transports: ["ws"] });
      const channel = gate.channel("room");
      const told = [];
      for (const type of ["open", "users", "gap", "message", "error", "close"]) {
        channel.addEventListener(type, () => { throw new Error("the page's own"); });
        channel.addEventListener(type, () => told.push(type));
      }
      await settle();
      there.socket.tell({ since: "e-0" }, { users: [], count: 0, version: 1 }, { gap: { channel: "room" } });
      for (let number = 1; number <= 3; number += 1) there.socket.tell({ message: { value: "x", id: "e-" + number } });
      there.socket.end(4008);
      channel.close();
      await settle();
      console.log(JSON.stringify([told, thrown]));
    `;
    const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
    const told = ["open", "users", "gap", "message", "message", "message", "error", "close"];
    assert.deepEqual(JSON.parse(output), [told, told.length]);
  });

  test("whoever iterates too slowly is told, and nobody else suffers", async (t) => {
    const { there, channel, told } = await opened(t, "ws");
    there.socket.tell({ since: "e-0" });
    const reader = channel[Symbol.asyncIterator]();
    const first = reader.next();
    for (let number = 1; number <= 10_010; number += 1) there.socket.tell(message(number));
    assert.equal((await first).value.data, "m1");
    let count = 1;
    await assert.rejects(
      (async () => {
        for await (const _ of reader) count += 1;
      })(),
      { code: "slow-consumer" },
    );
    assert.ok(count >= 10_000 && count <= 10_001, `${count}`);
    assert.equal(told.data.length, 10_010);
  });

  test("posts that nobody takes do not pile up without end", async (t) => {
    const { channel } = await opened(t, "ws");
    const posts = Array.from({ length: 10_001 }, () => channel.post("x"));
    await assert.rejects(posts.at(-1), { code: "too-many-posts" });
    for (const post of posts) post.catch(() => {});
  });
});

describe("a position", () => {
  test("takes each message once, within an epoch in order", () => {
    const position = new Position();
    assert.equal(position.since, null);
    const taken = ["a-1", "a-2", "a-2", "a-1", "a-4", "a-3", "b-1", "b-1", "b-2"].filter((id) => position.advance(id));
    assert.deepEqual(taken, ["a-1", "a-2", "a-4", "b-1", "b-2"]);
    assert.equal(position.since, "b-2");
  });

  test("a poll's since is handed back, and nothing comes twice behind it", () => {
    const position = new Position();
    position.advance("a-7");
    position.continueWith("a-7.3.99");
    assert.equal(position.since, "a-7.3.99");
    assert.equal(position.advance("a-7"), false);
    position.startAt("a-5");
    assert.equal(position.advance("a-6"), false);
    assert.equal(position.advance("a-8"), true);
    assert.equal(position.since, "a-8");
    // A poll that brought nothing knows as much as the one before.
    position.continueWith("a-8.4.99");
    position.startAt("a-8");
    assert.equal(position.since, "a-8");
  });

  test("a gap leads to what is kept", () => {
    const position = new Position("a-3");
    position.skipTo("b-5");
    assert.equal(position.since, "b-4");
    assert.equal(position.advance("b-4"), false);
    assert.equal(position.advance("b-5"), true);
    for (const odd of [undefined, null, 7, "", "b", "b-0", "b-x"]) position.skipTo(odd);
    assert.equal(position.since, "b-5");
  });

  test("goes back in no way but by another epoch", () => {
    const position = new Position("a-9");
    position.startAt("a-8");
    assert.equal(position.since, "a-9");
    position.startAt("c-0");
    assert.equal(position.since, "c-0");
  });
});

describe("the list of users", () => {
  const user = (client_id, name) => ({ client_id, ip: "127.0.0.1", ...(name && { name }) });

  test("is made of a list and what changes", () => {
    const users = new Users();
    assert.deepEqual(users.take({ users: [user("a")], count: 1, version: 3 }), { joined: [user("a")], left: [] });
    assert.equal(users.take({ users: [user("a")], count: 1, version: 4 }), null, "the same again");
    assert.deepEqual(users.take({ joined: [user("b", "B")], left: ["a", "z"], count: 1, version: 5 }), {
      joined: [user("b", "B")],
      left: ["a"],
    });
    assert.deepEqual(users.whole(), { users: [user("b", "B")], count: 1, version: 5 });
    assert.deepEqual(users.take({ users: [user("b", "C")], count: 1, version: 6 }), {
      joined: [user("b", "C")],
      left: [],
    });
    assert.equal(users.get("b").name, "C");
    assert.deepEqual(users.take({ users: [], count: 0, version: 7 }), { joined: [], left: ["b"] });
  });

  test("may be a part of it, or only a number", () => {
    const users = new Users();
    users.take({ users: [user("a")], count: 900, version: 1, partial: true });
    assert.deepEqual(users.whole(), { users: [user("a")], count: 900, version: 1, partial: true });
    assert.deepEqual(users.take({ joined: [user("b")], left: [], count: 901, version: 2 }), {
      joined: [user("b")],
      left: [],
    });
    assert.deepEqual(users.take({ count: 2500 }), { joined: [], left: ["a", "b"] });
    assert.deepEqual([users.list, users.count, users.take({ count: 2500 })], [[], 2500, null]);
    assert.equal(
      new Users().take({ users: [], count: 0, version: 1 }) === null,
      false,
      "the first list is told, though it is empty",
    );
  });

  test("says nothing of messages", () => {
    for (const message of [{ message: "x", count: 3 }, { count: 1.5 }, { contents: [] }, { users: "x" }]) {
      assert.equal(new Users().take(message), null);
    }
  });
});

describe("an event stream", () => {
  const text =
    'retry: 1500\r\nid: a-1\r\n\r\ndata: é👩‍👩‍👧\rdata:  two\r\revent: close\ndata: {"code":4001}\n\n:c\nid: a-2\ndata\n\ndata: cut';
  const expected = [
    { type: "message", data: null, id: "a-1" },
    { type: "message", data: "é👩‍👩‍👧\n two", id: "" },
    { type: "close", data: '{"code":4001}', id: "" },
    { type: "message", data: "", id: "a-2" },
  ];

  test("is the same however it is cut into pieces", () => {
    const bytes = new TextEncoder().encode(text);
    for (let size = 1; size <= bytes.length; size += 1) {
      const reader = new EventReader();
      const decoder = new TextDecoder();
      const events = [];
      for (let at = 0; at < bytes.length; at += size) {
        events.push(...reader.read(decoder.decode(bytes.subarray(at, at + size), { stream: true })));
      }
      assert.deepEqual(events, expected, `pieces of ${size}`);
      assert.equal(reader.retry, 1.5);
    }
  });
});
