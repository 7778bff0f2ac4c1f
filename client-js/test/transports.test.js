// Each transport alone: the same messages in the same order, whatever they come over.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Pushgate } from "../src/pushgate.js";
import { Gateway, client, next, numbers, record, until } from "./support.js";

let gateway;
before(async () => {
  gateway = await Gateway.start();
});
after(() => gateway.end());

/** A channel that is open, and what it tells. */
async function opened(gate, name, options) {
  const channel = gate.channel(name, options);
  const told = record(channel);
  await until(() => channel.state === "open", `${name} to open`);
  return { channel, told };
}

describe("transports", { concurrency: true }, () => {
  test("a thousand posts arrive in their order, once each, over all of them", async (t) => {
    const room = "long/order";
    const listen = async (transport) => {
      const gate = client(t, gateway.url, { transports: [transport] });
      await gate.login();
      return opened(gate, room);
    };
    const listeners = await Promise.all(["ws", "sse", "poll"].map(listen));
    const [{ channel }] = listeners;
    const answers = await Promise.all(numbers(1, 1000).map((number) => channel.post(String(number))));
    for (const { told } of listeners) {
      await until(() => told.data.length >= 1000, "1000 messages");
      assert.deepEqual(told.data, numbers(1, 1000).map(String));
      assert.deepEqual(
        told.messages.map(({ id }) => id),
        answers.map(({ id }) => id),
      );
      assert.deepEqual(
        told.messages.map(({ client_id }) => client_id),
        answers.map(({ client_id }) => client_id),
      );
    }
  });

  for (const transport of ["ws", "sse", "poll"]) {
    describe(`over ${transport}`, { concurrency: true }, () => {
      const join = async (t, name) => {
        const gate = client(t, gateway.url, { transports: [transport] });
        await gate.login({ name });
        return gate;
      };

      test("who is there is told as whole lists, made of what changes", async (t) => {
        const alice = await join(t, "Alice");
        const room = `room/who-${transport}`;
        const { channel, told } = await opened(alice, room);
        assert.equal(channel.transport, transport);
        await until(() => channel.count === 1);
        const bob = await join(t, "Bob");
        await opened(bob, room);
        await until(() => channel.count === 2);
        assert.deepEqual(channel.users.map(({ name }) => name).sort(), ["Alice", "Bob"]);
        assert.deepEqual(
          told.users.at(-1).joined.map(({ client_id }) => client_id),
          [bob.clientId],
        );
        const gone = bob.clientId;
        await bob.logout();
        await until(() => channel.count === 1);
        assert.deepEqual(
          channel.users.map(({ client_id }) => client_id),
          [alice.clientId],
        );
        assert.deepEqual(told.users.at(-1).left, [gone]);
        assert.deepEqual(told.errors, []);
      });

      test("a direct message reaches one client, and has no place in the order", async (t) => {
        const [alice, bob, carol] = await Promise.all([join(t, "Alice"), join(t, "Bob"), join(t, "Carol")]);
        const room = `room/private-${transport}`;
        const [a, b, c] = await Promise.all([alice, bob, carol].map((gate) => opened(gate, room)));
        const answer = await b.channel.post("for your eyes", { to: alice.clientId });
        assert.equal(answer.direct, true);
        await b.channel.post("for all");
        await until(() => [a, b, c].every(({ told }) => told.data.includes("for all")));
        assert.deepEqual(a.told.messages[0], { ...answer, data: "for your eyes", id: null, direct: true });
        assert.deepEqual(
          [b, c].map(({ told }) => told.data),
          [["for all"], ["for all"]],
        );
        assert.equal(a.told.messages[1].direct, false);
        const error = await a.channel.post("hello?", { to: "nobody" }).catch((caught) => caught);
        assert.deepEqual([error.code, error.status, error.isTemporary], ["unknown-client", 404, false]);
      });

      const kinds = [
        [
          `json/${transport}`,
          [{ deep: [1, "two", null, { three: 3 }] }, "text", 7, false, null, { users: [] }, { since: "x" }],
        ],
        [`chat/${transport}`, ["hello", '{"message":1}']],
        [`camera/${transport}`, [{ x: 1, y: -2.5, z: 3e10 }]],
      ];
      for (const [name, values] of kinds) {
        test(`${name} takes what it is made for`, async (t) => {
          const gate = await join(t);
          const { channel, told } = await opened(gate, name);
          for (const value of values) {
            const { id } = await channel.post(value);
            await until(
              () => told.messages.some((message) => message.id === id),
              `${JSON.stringify(value)} on ${name}`,
            );
          }
          assert.deepEqual(told.data, values, name);
          assert.ok(
            told.messages.every((message) => message.client_id === gate.clientId && !message.direct),
            name,
          );
          if (!name.startsWith("camera")) return;
          const error = await channel.post({ x: "left" }).catch((caught) => caught);
          assert.equal(error.status, 400);
        });
      }

      test("rooms have names in any script, compared as people do", async (t) => {
        const [gate, writer] = await Promise.all([join(t), join(t)]);
        for (const name of ["로비", "東京", "é", "a~b.c_d"].map((room) => `open/${room}${transport}`)) {
          const { channel, told } = await opened(gate, name.normalize("NFD"));
          await writer.channel(name).post(`in ${name}`);
          await until(() => told.data.length === 1);
          assert.deepEqual(told.data, [`in ${name}`]);
          channel.close();
        }
      });

      test("texts come as they were sent", async (t) => {
        const gate = await join(t);
        const { channel, told } = await opened(gate, `room/texts-${transport}`);
        const texts = [
          "x".repeat(32768),
          "é".repeat(16384),
          Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join(""),
          "a\u2028b\u2029c\u0000d\u007f\u202e\ufeff",
          "\r\n\n\rdata: x\n\nevent: close\n",
          "👩‍👩‍👧‍👦 <img src=x onerror=alert(1)> \" \\ ' </script>",
          '{"users":[]}',
          " ",
        ];
        for (const text of texts) await channel.post(text);
        await until(() => told.data.length >= texts.length);
        assert.deepEqual(told.data, texts);
        const error = await channel.post("x".repeat(32769)).catch((caught) => caught);
        assert.equal(error.code, "too-large");
      });

      test("what is sent to one client alone is direct, in a room as well", async (t) => {
        const [gate, writer] = await Promise.all([join(t), join(t)]);
        for (const name of [`chat/direct-${transport}`, `room/direct-${transport}`, `json/direct-${transport}`]) {
          const { channel, told } = await opened(gate, name);
          const there = writer.channel(name);
          const sent = await there.post("to you", { to: gate.clientId });
          await there.post("to all");
          await until(() => told.data.length === 2);
          const shown = told.messages.map(({ data, id, direct }) => [data, id !== null, direct]);
          assert.deepEqual(shown, [
            ["to you", false, true],
            ["to all", true, false],
          ]);
          assert.equal(sent.direct, true, name);
          for (const done of [channel, there]) done.close();
        }
      });

      test("what it cannot be asked for is told at once", async (t) => {
        const gate = await join(t);
        for (const options of [{ since: "junk" }, { history: -1 }, { users: "junk" }, { maxRate: 5 }]) {
          const channel = gate.channel(`room/asked-${transport}`, options);
          const told = record(channel);
          await until(() => told.closes.length === 1, JSON.stringify(options));
          assert.deepEqual([told.closes[0].code, told.closes[0].status], ["bad-request", 400]);
          assert.deepEqual(told.errors, [{ error: told.closes[0], retryIn: null }]);
        }
      });

      test("what history does not hold any more is told as a gap", async (t) => {
        const gate = await join(t);
        const room = `short/${transport}`;
        const { channel } = await opened(gate, room);
        const first = await channel.post("0");
        await until(() => channel.since !== null);
        channel.close();
        const posting = gate.channel(room);
        for (const number of numbers(1, 10)) await posting.post(String(number));
        const { told } = await opened(gate, room, { since: first.id });
        const live = await posting.post("11");
        await until(() => told.data.includes("11"));
        assert.deepEqual(told.data, ["6", "7", "8", "9", "10", "11"]);
        assert.equal(told.gaps.length, 1);
        assert.equal(told.gaps[0].channel, room);
        assert.equal(told.gaps[0].since, first.id);
        assert.equal(told.gaps[0].next, told.messages[0].id);
        assert.equal(told.messages.at(-1).id, live.id);
      });

      test("a channel is iterated, until it is left or closed", async (t) => {
        const gate = await join(t);
        const { channel } = await opened(gate, `room/iterated-${transport}`);
        const heard = [];
        const reading = (async () => {
          for await (const { data } of channel) {
            heard.push(data);
            if (data === "stop") break;
          }
        })();
        const reader = (async () => {
          const all = [];
          for await (const { data } of channel) all.push(data);
          return all;
        })();
        for (const text of ["one", "two", "stop", "more"]) await channel.post(text);
        await reading;
        assert.deepEqual(heard, ["one", "two", "stop"]);
        const message = next(channel, "message", ({ data }) => data === "last");
        await channel.post("last");
        await message;
        channel.close();
        assert.deepEqual(await reader, ["one", "two", "stop", "more", "last"]);
      });

      test("the newest messages come first of all, where they are asked for", async (t) => {
        const gate = await join(t);
        const posting = gate.channel(`room/newest-${transport}`);
        for (const number of numbers(1, 5)) await posting.post(String(number));
        const { channel, told } = await opened(gate, posting.name, { history: 2 });
        await posting.post("6");
        await until(() => told.data.length >= 3);
        assert.deepEqual(told.data, ["4", "5", "6"]);
        channel.close();
        const all = await opened(gate, posting.name, { since: "0" });
        await until(() => all.told.data.length >= 6);
        assert.deepEqual(all.told.data, ["1", "2", "3", "4", "5", "6"]);
        const later = await opened(gate, posting.name, { since: channel.since });
        await posting.post("7");
        await until(() => later.told.data.length > 0);
        assert.deepEqual(later.told.data, ["7"]);
      });

      test("of what changes fast only the newest comes, as often as was asked", async (t) => {
        const gate = await join(t);
        const { channel, told } = await opened(gate, `latest/${transport}`, { maxRate: 2 });
        const start = performance.now();
        for (const number of numbers(1, 40)) await channel.post(number);
        await until(() => told.data.at(-1) === 40);
        const most = 2 + Math.ceil(((performance.now() - start) / 1000) * 2);
        // A poll is answered at once: its pace is that of who asks.
        if (transport !== "poll") assert.ok(told.data.length <= most, `${told.data.length} are more than ${most}`);
        assert.deepEqual(
          told.data,
          told.data.toSorted((one, other) => one - other),
        );
      });

      test("nobody in particular can listen where that is allowed", async (t) => {
        const gate = client(t, gateway.url, { transports: [transport] });
        const { channel, told } = await opened(gate, `open/anyone-${transport}`);
        assert.equal(gate.clientId, null);
        const other = await join(t);
        await other.channel(channel.name).post("hello");
        await until(() => told.data.length === 1);
        assert.deepEqual(told.data, ["hello"]);
        const closed = gate.channel("room/closed");
        const refused = record(closed);
        await until(() => refused.closes.length === 1);
        assert.equal(refused.closes[0].code, "unauthorized");
        assert.deepEqual(refused.errors, [{ error: refused.closes[0], retryIn: null }]);
      });
    });
  }
});

test("a Node without WebSocket uses SSE, and says so where nothing can be used", async (t) => {
  const gate = new Pushgate(gateway.url, { fetch: globalThis.fetch });
  t.after(() => gate.close());
  const channel = gate.channel("open/plain");
  const { transport } = await next(channel, "open");
  assert.equal(transport, globalThis.WebSocket ? "ws" : "sse");
  assert.throws(() => new Pushgate(gateway.url, { transports: [] }), /none of the transports/);
  assert.throws(() => new Pushgate(null), /say where the gateway is/);
});

test("no name of a channel leads elsewhere", (t) => {
  const gate = client(t, gateway.url);
  for (const name of ["..", "chat/..", "../login", "."]) assert.throws(() => gate.channel(name), TypeError, name);
});
