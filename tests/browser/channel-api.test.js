// Pages as they were written for `goog.appengine.Channel`, on other origins and from a file.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser, gateway, open, proxy, site } from "./support.js";

let chromium;
before(async () => (chromium = await browser()));
after(() => chromium.close());

/** An old page: logs in, opens its channel, keeps what it is told; posts by a form's fields. */
function oldPage(gate) {
  return `<!doctype html><meta charset="utf-8"><title>old</title>
<script src="${gate}/_ah/channel/jsapi"></script>
<script>
var me, users = [], messages = [], events = [], socket;
function login(done) {
  var request = new XMLHttpRequest();
  request.open("GET", "${gate}/login");
  request.onload = function () { me = JSON.parse(request.responseText); done(); };
  request.send();
}
function post(value) {
  var request = new XMLHttpRequest();
  request.open("POST", "${gate}/post");
  request.setRequestHeader("Content-Type", "application/x-www-form-urlencoded");
  request.send("value=" + encodeURIComponent(value) + "&token=" + encodeURIComponent(me.token));
}
login(function () {
  var channel = new goog.appengine.Channel(me.token);
  socket = channel.open({
    onopen: function () { events.push("open"); },
    onmessage: function (message) {
      var data = JSON.parse(message.data);
      if (data.users) users = data.users;
      if (data.message) messages.push(data.message.value);
    },
    onerror: function (error) { events.push("error " + error.code + " " + error.description); },
    onclose: function () { events.push("close"); }
  });
  events.push("opening " + socket.readyState);
});
</script>`;
}

async function exchange(t, first, second) {
  const count = (page, number) => page.waitForFunction((n) => users.length === n, number, { timeout: 10_000 });
  await count(first, 2);
  await count(second, 2);
  for (const page of [first, second]) {
    assert.deepEqual(await page.evaluate(() => events), ["opening 0", "open"]);
  }
  const text = 'hello <b>"\u2028 로비';
  await first.evaluate((text) => post(text), text);
  for (const page of [first, second]) {
    await page.waitForFunction(() => messages.length === 1, null, { timeout: 10_000 });
    assert.deepEqual(await page.evaluate(() => messages), [text]);
    assert.deepEqual(page.problems, []);
  }
}

test("two old pages of other origins, one of them a file, meet and part", async (t) => {
  const node = await gateway(t);
  const directory = mkdtempSync(join(tmpdir(), "pushgate-page-"));
  t.after(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "old.html"), oldPage(node.url));
  const other = await site(t, { "/": oldPage(node.url) });
  const context = await chromium.newContext();
  t.after(() => context.close());
  const first = await open(t, context, other);
  const second = await open(t, context, `file://${directory}/old.html`);
  await exchange(t, first, second);

  await second.close();
  const left = Date.now();
  await first.waitForFunction(() => users.length === 1, null, { timeout: 10_000, polling: 20 });
  // The wire says at once; a second leaves room for a busy machine.
  assert.ok(Date.now() - left < 1000, `${Date.now() - left} ms`);
});

for (const [name, blocked] of [
  ["ws", []],
  ["sse", ["/ws"]],
  ["poll", ["/ws", "/sse"]],
]) {
  test(`old pages meet over ${name} where the others are blocked`, async (t) => {
    const node = await gateway(t);
    const seen = new Set();
    const gate = await proxy(t, node, (path) => {
      const verb = path.split("?")[0];
      if (blocked.includes(verb)) return "refuse";
      seen.add(verb);
      return "pass";
    });
    const other = await site(t, { "/": oldPage(gate) });
    const context = await chromium.newContext();
    t.after(() => context.close());
    const [first, second] = [await open(t, context, other), await open(t, context, other)];
    await exchange(t, first, second);
    assert.ok(seen.has(`/${name}`), [...seen].join());
    await second.close({ runBeforeUnload: true });
    const left = Date.now();
    await first.waitForFunction(() => users.length === 1, null, { timeout: 10_000, polling: 20 });
    assert.ok(Date.now() - left < 1000, `${Date.now() - left} ms`);
  });
}

test("a page whose library gives arrays and strings a toJSON gets lists and texts all the same", async (t) => {
  const node = await gateway(t);
  const library = "<script>Array.prototype.toJSON = String.prototype.toJSON = function () { return 'no'; };</script>";
  for (const blocked of [[], ["/ws", "/sse"]]) {
    const gate = await proxy(t, node, (path) => (blocked.includes(path.split("?")[0]) ? "refuse" : "pass"));
    const other = await site(t, { "/": library + oldPage(gate) });
    const context = await chromium.newContext();
    t.after(() => context.close());
    const page = await open(t, context, other);
    await page.waitForFunction(() => users.length === 1, null, { timeout: 10_000 });
    await page.evaluate(() => post('say "hello"'));
    await page.waitForFunction(() => messages.length === 1, null, { timeout: 10_000 });
    assert.deepEqual(await page.evaluate(() => messages.concat(users[0].client_id === me.client_id)), ['say "hello"', true]);
    await context.close();
  }
});

test("a restart in mid-stream loses and repeats nothing", async (t) => {
  const node = await gateway(t);
  const other = await site(t, { "/": oldPage(node.url) });
  const context = await chromium.newContext();
  t.after(() => context.close());
  const page = await open(t, context, other);
  await page.waitForFunction(() => users.length === 1);
  const said = [];
  const token = await page.evaluate(() => me.token);
  const say = async (text) => {
    // Tried until it is acknowledged, as any client would.
    for (;;) {
      const answer = await fetch(`${node.url}/post`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ value: text }),
      }).catch(() => null);
      if (answer?.ok) break;
      await new Promise((done) => setTimeout(done, 50));
    }
    said.push(text);
  };
  for (let number = 0; number < 50; number += 1) await say(`before ${number}`);
  await node.stop();
  await node.start();
  for (let number = 0; number < 50; number += 1) await say(`after ${number}`);
  await page.waitForFunction((count) => messages.length >= count, said.length, { timeout: 30_000 });
  assert.deepEqual(await page.evaluate(() => messages), said);
  assert.deepEqual(await page.evaluate(() => events), ["opening 0", "open"]);
});

test("a bad token is told at once, and the channel can be opened again", async (t) => {
  const node = await gateway(t);
  const other = await site(t, { "/": `<script src="${node.url}/_ah/channel/jsapi"></script>` });
  const context = await chromium.newContext();
  t.after(() => context.close());
  const page = await open(t, context, other);
  const told = await page.evaluate(async () => {
    const told = [];
    const channel = new goog.appengine.Channel("none");
    for (let time = 0; time < 2; time += 1) {
      await new Promise((done) => {
        const socket = channel.open();
        socket.onerror = ({ code, description }) => {
          told.push([code, description]);
          socket.close();
        };
        socket.onclose = () => done(told.push(socket.readyState));
      });
    }
    return told;
  });
  assert.deepEqual(told, [[401, "Invalid+token."], 3, [401, "Invalid+token."], 3]);
});
