// The verbs of backends, and what their clients get.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { INVALID, OPEN, page } from "./old-page.js";
import { Proxy } from "./proxy.js";
import { BACKEND, Gateway, askAs, client, next, record, until } from "./support.js";
import { WebSocket } from "./websocket.js";

let gateway;
before(async () => (gateway = await Gateway.start(undefined, BACKEND)));
after(() => gateway?.end());

const ask = (verb, fields) => askAs(gateway, verb, fields);

async function tokenFor(id, fields = {}) {
  const { token } = await (await ask("create_channel", { client_id: id, ...fields })).json();
  return token;
}

function oldPage(t, url, token) {
  const it = page({ src: `${url}/_ah/channel/jsapi`, given: { WebSocket, fetch, token } });
  t.after(() => it.run("socket.close()"));
  it.run(OPEN.replace("'a.b.c'", "token"));
  return it;
}

const heard = (it) => it.log().filter(([what]) => what === "message");

/** Texts that could be taken for something else. */
const TEXTS = [
  "plain",
  '{"users":[]}',
  '{"since":"e-7"}',
  '{"gap":{"next":"e-7"}}',
  '{"message":{"value":"x","id":"e-1"}}',
  '{"id":"e-1","client_id":"c","data":1}',
  '"quoted"',
  "7",
  "null",
  " ",
  "a\u2028b\u2029c\n\r\n\tdata: x\n\nevent: close",
  "<script>alert(1)</script>",
  "로비 👩‍👩‍👧‍👦",
  "x".repeat(32_767),
];

const TRANSPORTS = Object.entries({ ws: {}, sse: { ws: "refuse" }, poll: { ws: "refuse", sse: "refuse" } });

describe("a private line", { concurrency: true }, () => {
  for (const [transport, rules] of TRANSPORTS) {
    test(`brings a page exactly what the backend sends, over ${transport}`, async (t) => {
      const proxy = Object.assign(await Proxy.start(t, gateway), rules);
      const id = `line ${transport}`;
      const token = await tokenFor(id);
      await ask("send_message", { client_id: id, message: "while nobody was there" });
      const it = oldPage(t, proxy.url, token);
      await until(() => heard(it).length === 1);
      assert.deepEqual(it.log(), [
        ["open", 1],
        ["message", "while nobody was there"],
      ]);
      for (const message of TEXTS) assert.equal((await ask("send_message", { client_id: id, message })).status, 200);
      await until(() => heard(it).length === TEXTS.length + 1);
      assert.deepEqual(
        heard(it)
          .slice(1)
          .map(([, data]) => data),
        TEXTS,
      );
      // A drop is none of the page's business. What the gateway sends before it knows of it is lost: a line has
      // no ids to resume from.
      proxy.cut();
      const { length } = proxy.attempts;
      await until(() => proxy.attempts.length > length && proxy.open === 1);
      await until(async () => {
        await ask("send_message", { client_id: id, message: "again" });
        return heard(it).length >= TEXTS.length + 2;
      });
      assert.deepEqual(
        it.log().filter(([what]) => what !== "message"),
        [["open", 1]],
      );
    });

    test(`is ended by its backend, over ${transport}`, async (t) => {
      const proxy = Object.assign(await Proxy.start(t, gateway), rules);
      const id = `ended ${transport}`;
      const token = await tokenFor(id);
      const it = oldPage(t, proxy.url, token);
      await until(() => it.log().length === 1);
      await ask("disconnect", { client_id: id });
      await until(() => it.log().at(-1)[0] === "close");
      // Between two polls there is nothing to tell it by but the next refusal.
      if (transport !== "poll")
        assert.deepEqual(it.log(), [
          ["open", 1],
          ["close", 3],
        ]);
      it.run("log = []; socket = channel.open(handlers);");
      await until(() => it.log().length === 2);
      assert.deepEqual(it.log(), [
        ["error", 401, INVALID, 2],
        ["close", 3],
      ]);
    });
  }

  test("belongs to the newest page of a client", async (t) => {
    const older = oldPage(t, gateway.url, await tokenFor("renewed"));
    await until(() => older.log().length === 1);
    const newer = oldPage(t, gateway.url, await tokenFor("renewed"));
    await until(() => older.log().at(-1)[0] === "close");
    await ask("send_message", { client_id: "renewed", message: "hello" });
    await until(() => heard(newer).length === 1);
    assert.deepEqual(older.log(), [
      ["open", 1],
      ["close", 3],
    ]);
  });

  test("is a channel of the client, too", async (t) => {
    for (const [transport] of TRANSPORTS) {
      const id = `module ${transport}`;
      const gate = client(t, gateway.url, { token: () => tokenFor(id), transports: [transport] });
      const channel = gate.channel();
      const told = record(channel);
      await until(() => channel.state === "open");
      await ask("send_message", { client_id: id, message: '{"users":[]}' });
      await until(() => told.messages.length === 1);
      assert.deepEqual(told.messages, [{ data: '{"users":[]}', id: null, direct: true }]);
      assert.deepEqual(told.users, []);
    }
  });
});

describe("a stream", { concurrency: true }, () => {
  for (const [transport] of TRANSPORTS) {
    test(`knows from its first moment where it is, over ${transport}`, async (t) => {
      const proxy = await Proxy.start(t, gateway);
      const gate = client(t, proxy.url, { transports: [transport], random: () => 0 });
      await gate.login();
      const channel = gate.channel(`room/start-${transport}`, { users: "none" });
      const told = record(channel);
      await next(channel, "open");
      await until(() => channel.since !== null);
      // Cut before anything was said: what is said meanwhile is not lost.
      proxy.answer = () => ({ status: 502 });
      proxy.cut();
      const poster = client(t, gateway.url);
      await poster.login();
      await poster.channel(channel.name).post("meanwhile");
      proxy.answer = () => null;
      await until(() => told.data.length === 1);
      assert.deepEqual([told.data, told.gaps], [["meanwhile"], []]);
    });
  }
});
