// From one connection to the next on a network that works: nothing that is on its way is lost, comes twice, or
// changes its place; and nobody sees the client go.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { OPEN, page } from "./old-page.js";
import { Proxy } from "./proxy.js";
import { BACKEND, Gateway, askAs, client, numbers, record, until } from "./support.js";
import { WebSocket } from "./websocket.js";

let gateway;
before(async () => (gateway = await Gateway.start(undefined, BACKEND)));
after(() => gateway?.end());

const ask = (verb, fields) => askAs(gateway, verb, fields);

/** A backend that sends 0, 1, 2, … to a client, each once the one before it is answered. */
class Sender {
  sent = 0;
  #isOver = false;
  #done;

  constructor(t, client_id) {
    t.after(() => (this.#isOver = true));
    this.#done = this.#run(client_id);
  }

  async #run(client_id) {
    while (!this.#isOver) {
      const answer = await ask("send_message", { client_id, message: String(this.sent) });
      assert.equal(answer.status, 200);
      this.sent += 1;
      await new Promise((done) => setTimeout(done, Math.random() * 6));
    }
  }

  /** Ends it; all that it sent. */
  async all() {
    this.#isOver = true;
    await this.#done;
    return numbers(0, this.sent - 1).map(String);
  }
}

/** A client behind a proxy, a backend that writes to it, and somebody who sees who is there. */
async function begin(t, rules, options = {}) {
  const proxy = Object.assign(await Proxy.start(t, gateway), rules);
  const scope = new EventTarget();
  const gate = client(t, proxy.url, { scope, wakePause: 0, ...options });
  await gate.login();
  const watcher = client(t, gateway.url);
  await watcher.login();
  const seen = record(watcher.channel(""));
  const channel = gate.channel("");
  const told = record(channel);
  await until(() => channel.state === "open");
  return { proxy, scope, gate, channel, told, seen, sender: new Sender(t, gate.clientId) };
}

async function verify({ gate, told, seen, sender }, moves) {
  const all = await sender.all();
  await until(() => told.data.length >= all.length, "all messages");
  assert.deepEqual(told.data, all);
  assert.ok(told.messages.every(({ direct }) => direct));
  assert.deepEqual([told.errors, told.gaps, told.closes], [[], [], []]);
  assert.ok(told.opens.length > moves, `${told.opens}`);
  assert.ok(!seen.users.flatMap(({ left }) => left).includes(gate.clientId), "it was never gone");
}

describe("direct messages all the time", { concurrency: true }, () => {
  for (const transport of ["ws", "sse", "poll"]) {
    test(`online again and again, over ${transport}`, async (t) => {
      const scene = await begin(t, {}, { transports: [transport] });
      const { scope, told, sender } = scene;
      for (let move = 1; move <= 15; move += 1) {
        const { sent } = sender;
        scope.dispatchEvent(new Event("online"));
        await until(() => told.opens.length > move, `move ${move}`);
        await until(() => sender.sent > sent + 3 && told.data.length > sent);
      }
      await verify(scene, 15);
      // What is left is one connection.
      if (transport !== "poll") await until(() => scene.proxy.open === 1);
    });
  }

  for (const [name, rules, way] of [
    ["from polls to SSE to WebSocket", { ws: "refuse", sse: "refuse" }, ["poll", "sse", "ws"]],
    ["from polls to WebSocket", { ws: "refuse", sse: "hold" }, ["poll", "ws"]],
    ["from SSE to WebSocket", { ws: "swallow" }, ["sse", "ws"]],
  ]) {
    for (const round of [1, 2, 3]) {
      test(`upward ${name}, ${round}`, async (t) => {
        const scene = await begin(t, rules, { upwardAfter: 0.1, patience: 4 });
        const { proxy, channel, sender } = scene;
        for (const [index, transport] of way.entries()) {
          if (index > 0) proxy[transport] = "pass";
          await until(() => channel.transport === transport, transport);
          const { sent } = sender;
          await until(() => sender.sent > sent + 20);
        }
        await verify(scene, way.length - 1);
      });
    }
  }

  test("a way upward that stays blocked costs nothing", async (t) => {
    const scene = await begin(t, { ws: "refuse", sse: "refuse" }, { upwardAfter: 0.05 });
    await until(() => scene.proxy.count("ws") >= 6, "tries upward");
    await verify(scene, 0);
    assert.equal(scene.told.opens.length, 1);
  });

  test("back from WebSocket to SSE where the network asks for it, and up again", async (t) => {
    const scene = await begin(t, {}, { upwardAfter: 0.1, patience: 3 });
    const { proxy, scope, channel, told, sender } = scene;
    for (const ws of ["refuse", "pass", "swallow", "pass", "mute", "pass"]) {
      proxy.ws = ws;
      const { length } = told.opens;
      if (ws !== "pass") scope.dispatchEvent(new Event("online"));
      await until(() => told.opens.length > length, ws);
      assert.equal(channel.transport, ws === "pass" ? "ws" : "sse");
      const { sent } = sender;
      await until(() => sender.sent > sent + 20);
    }
    await verify(scene, 6);
  });

  for (const transport of ["ws", "sse"]) {
    test(`nothing but polls is to be had beside ${transport}, which goes on`, async (t) => {
      const scene = await begin(t, {}, { transports: [transport, "poll"] });
      const { proxy, scope, channel, told, sender } = scene;
      proxy[transport] = "refuse";
      scope.dispatchEvent(new Event("online"));
      await until(() => proxy.count("poll") > 0);
      const { sent } = sender;
      await until(() => sender.sent > sent + 50 && channel.transport === transport);
      proxy[transport] = "pass";
      assert.ok(told.opens.length <= 2);
      await verify(scene, 0);
    });
  }

  test("to the page of a private line", async (t) => {
    const pages = await Promise.all(
      numbers(1, 8).map(async (number) => {
        const id = `line ${number}`;
        const { token } = await (await ask("create_channel", { client_id: id })).json();
        const rules = [{}, { ws: "refuse" }, { ws: "refuse", sse: "refuse" }][number % 3];
        const proxy = Object.assign(await Proxy.start(t, gateway), rules);
        const src = `${proxy.url}/_ah/channel/jsapi`;
        const it = page({ src, given: { WebSocket, fetch, token } });
        t.after(() => it.run("socket.close()"));
        it.run(OPEN.replace("'a.b.c'", "token"));
        await until(() => it.log().length > 0);
        return { it, proxy, sender: new Sender(t, id) };
      }),
    );
    for (const { it, proxy, sender } of pages) {
      await until(() => sender.sent > 10);
      const { length } = proxy.attempts;
      it.document.dispatchEvent(new Event("resume"));
      await until(() => proxy.attempts.length > length);
      Object.assign(proxy, { ws: "pass", sse: "pass" });
    }
    const { sent } = pages[0].sender;
    await until(() => pages[0].sender.sent > sent + 100);
    for (const { it, sender } of pages) {
      const all = await sender.all();
      const heard = () => it.log().filter(([what]) => what === "message");
      await until(() => heard().length >= all.length, "all messages");
      assert.deepEqual(
        heard().map(([, data]) => data),
        all,
      );
      assert.equal(it.log().length, all.length + 1, "and nothing but that");
    }
  });
});
