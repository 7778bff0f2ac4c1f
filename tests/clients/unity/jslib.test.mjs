// The browser half of the Unity package, as emscripten would put it into a player: in a memory of bytes,
// with callbacks by number. Against the binary named in PUSHGATE_BINARY.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";

import { Gateway, until } from "../../../client-js/test/support.js";
import { WebSocket } from "../../../client-js/test/websocket.js";

const runtime = new URL("../../../clients/unity/Runtime/", import.meta.url);
const source = readFileSync(new URL("Plugins/WebGL/Pushgate.jslib", runtime), "utf8");
const bridge = readFileSync(new URL("Browser/BrowserBridge.cs", runtime), "utf8");

/** A player: the library in a world of its own, and what C# is told. */
class Player {
  told = [];
  globals = { WebSocket, fetch, AbortController, setTimeout, clearTimeout };
  #memory = Buffer.alloc(1 << 20);
  #used = 8;
  #allocated = new Set();

  constructor(globals = {}) {
    Object.assign(this.globals, globals);
    const merged = {};
    const compiled = {
      LibraryManager: { library: merged },
      mergeInto: (into, from) => Object.assign(into, from),
      autoAddDeps: (from, name) => assert.ok(name in from),
    };
    const run = {
      lengthBytesUTF8: (text) => Buffer.byteLength(text),
      stringToUTF8: (text, at, most) => this.#write(text, at, most),
      UTF8ToString: (at) => this.#read(at),
      _malloc: (size) => this.#allocate(size),
      _free: (at) => assert.ok(this.#allocated.delete(at), "freed once, and only what was allocated"),
      callback: (number, signature) => this.#callback(number, signature),
    };
    const script = source.replace(/\{\{\{ makeDynCall\('(\w+)', '([\w.]+)'\) \}\}\}/g, "callback($2, '$1')");
    assert.ok(!script.includes("{{{"), "no other macros");
    const names = Object.keys({ ...compiled, ...run, ...this.globals });
    const values = Object.values({ ...compiled, ...run, ...this.globals });
    // A member that begins with $ is a variable for the others; functions are its own.
    new Function(...names, `${script}\nvar pushgate = LibraryManager.library["$pushgate"];`)(...values);
    this.library = merged;
    this.library.PushgateListen(1, 2, 3);
  }

  /** Calls a function of the library as C# does: texts are in memory for as long as it takes. */
  call(name, ...values) {
    const texts = values.map((value) => (typeof value === "string" ? this.#text(value) : null));
    const answer = this.library[name](...values.map((value, index) => texts[index] ?? value));
    for (const at of texts) if (at !== null) this.#allocated.delete(at);
    return answer;
  }

  /** What is allocated and was not freed. */
  get leaks() {
    return this.#allocated.size;
  }

  /** The next thing that C# is told. */
  async next() {
    await until(() => this.told.length > 0, "a callback");
    assert.equal(this.leaks, 0);
    return this.told.shift();
  }

  #callback(number, signature) {
    const kind = { 1: "text", 2: "end", 3: "answer" }[number];
    return (...values) => {
      assert.equal(values.length + 1, signature.length, kind);
      assert.ok(values.every(Number.isInteger), `${kind}: ${values}`);
      const [at, length] = values.slice(-2);
      const text = this.#memory.toString("utf8", at, at + length);
      this.told.push([kind, ...values.slice(0, -2), text]);
    };
  }

  #allocate(size) {
    const at = this.#used;
    this.#used += size;
    assert.ok(this.#used < this.#memory.length);
    this.#allocated.add(at);
    return at;
  }

  #text(text) {
    const at = this.#allocate(Buffer.byteLength(text) + 1);
    return this.#write(text, at, Buffer.byteLength(text) + 1), at;
  }

  #write(text, at, most) {
    assert.ok(Buffer.byteLength(text) < most);
    this.#memory.write(`${text}\0`, at);
  }

  #read(at) {
    return this.#memory.toString("utf8", at, this.#memory.indexOf(0, at));
  }
}

/** Logs in by the library itself. */
async function login(player, url) {
  const request = player.call("PushgateRequest", "POST", `${url}/login?users=none`, "", "name=%C3%9Cn%C3%AFty");
  const [kind, number, status, retryAfter, body] = await player.next();
  assert.deepEqual([kind, number, status, retryAfter], ["answer", request, 200, -1]);
  return JSON.parse(body);
}

function open(player, url, token, channel = "camera") {
  const address = `${url.replace("http", "ws")}/ws/${channel}?ids=1&start=1&users=none&errors=1`;
  return player.call("PushgateSocketOpen", address, "pushgate.v1", `bearer.${token}`);
}

test("C# and JavaScript agree on names and numbers of arguments", () => {
  const { library } = new Player();
  const externs = [...bridge.matchAll(/static extern \w+ (\w+)\(([^)]*)\)/g)];
  assert.deepEqual(externs.map(([, name]) => name).sort(), Object.keys(library).filter((name) => !name.startsWith("$")).sort());
  for (const [, name, list] of externs) assert.equal(library[name].length, list.split(",").length, name);
  const delegates = [...bridge.matchAll(/delegate void (\w+)Callback\(([^)]*)\)/g)];
  const ours = delegates.map(([, name, list]) => `${name.toLowerCase()} v${"i".repeat(list.split(",").length)}`);
  const used = [...source.matchAll(/makeDynCall\('(\w+)', 'pushgate\.on(\w+)'\)/g)];
  assert.deepEqual(used.map(([, signature, name]) => `${name.toLowerCase()} ${signature}`).sort(), ours.sort());
});

test("it logs in, opens, sends, hears and closes", async (t) => {
  const gateway = await Gateway.start(t);
  const player = new Player();
  const { client_id, token } = await login(player, gateway.url);
  const socket = open(player, gateway.url, token, "chat/%EB%A1%9C%EB%B9%84");
  assert.equal(player.call("PushgateSocketUnsent", socket), -1);
  assert.equal(player.call("PushgateSocketSend", socket, "{}"), 0);
  const [kind, number, text] = await player.next();
  assert.deepEqual([kind, number, Object.keys(JSON.parse(text))], ["text", socket, ["since"]]);
  assert.equal(player.call("PushgateSocketUnsent", socket), 0);
  const said = { message: "größer 로비 \u{1F980} \u2028" };
  assert.equal(player.call("PushgateSocketSend", socket, JSON.stringify(said)), 1);
  const heard = JSON.parse((await player.next())[2]);
  assert.deepEqual([heard.message, heard.client_id], [said.message, client_id]);

  player.call("PushgateSocketClose", socket, 1000);
  player.call("PushgateSocketClose", socket, 1000);
  assert.equal(player.call("PushgateSocketSend", socket, "{}"), 0);
  await until(async () => {
    const request = player.call("PushgateRequest", "GET", `${gateway.url}/users/chat/%EB%A1%9C%EB%B9%84`, token, "");
    const [, answered, status, , body] = await player.next();
    assert.deepEqual([answered, status], [request, 200]);
    return JSON.parse(body).count === 0;
  }, "the presence to end");
  assert.deepEqual(player.told, [], "nothing is told of what was closed");
});

test("a close code is told, and a connection that breaks has none", async (t) => {
  const gateway = await Gateway.start(t);
  const player = new Player();
  const { token } = await login(player, gateway.url);
  const socket = open(player, gateway.url, token, "chat/a");
  await player.next();
  await gateway.stop("SIGTERM");
  assert.deepEqual((await player.next()).slice(0, 3), ["end", socket, 1001]);
  await gateway.run();
  const other = open(player, gateway.url, token, "chat/a");
  await player.next();
  await gateway.stop("SIGKILL");
  assert.deepEqual((await player.next()).slice(0, 3), ["end", other, 0]);
});

test("what is refused is told as an end, and why by an answer", async (t) => {
  const gateway = await Gateway.start(t);
  const player = new Player();
  const socket = open(player, gateway.url, "no.such.token", "chat/a");
  assert.deepEqual((await player.next()).slice(0, 3), ["end", socket, 0]);
  player.call("PushgateRequest", "GET", `${gateway.url}/users/chat/a?limit=1`, "no.such.token", "");
  const [, , status, , body] = await player.next();
  assert.equal(status, 401);
  assert.equal(typeof JSON.parse(body).code, "string");
});

test("an answer tells how long to wait, and none is told as such", async (t) => {
  const waits = ["7", "0", "", "soon", new Date(Date.now() + 90_000).toUTCString()];
  const server = createServer((request, response) => {
    const wait = waits[Number(request.url.slice(1))];
    response.writeHead(503, wait === "" ? {} : { "retry-after": wait }).end("later");
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${server.address().port}`;
  const player = new Player();
  const told = [];
  for (const index of waits.keys()) {
    player.call("PushgateRequest", "GET", `${url}/${index}`, "", "");
    const [, , status, retryAfter, body] = await player.next();
    assert.deepEqual([status, body], [503, "later"]);
    told.push(retryAfter);
  }
  assert.deepEqual(told.slice(0, 4), [7, 0, -1, -1]);
  assert.ok(told[4] > 80 && told[4] <= 91, String(told[4]));
  const gone = player.call("PushgateRequest", "GET", "http://127.0.0.1:9/", "", "");
  assert.deepEqual((await player.next()).slice(0, 4), ["answer", gone, 0, -1]);
});

test("a request that is not answered in time is given up", async (t) => {
  const server = createServer(() => {});
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => (server.closeAllConnections(), server.close()));
  const player = new Player();
  player.library.$pushgate.patience = 0.05;
  player.call("PushgateRequest", "POST", `http://127.0.0.1:${server.address().port}/`, "t", "a=b");
  assert.deepEqual((await player.next()).slice(2, 4), [0, -1]);
});

test("a page that forbids sockets is told behind the call", async () => {
  class Forbidden {
    constructor() {
      throw new Error("by policy");
    }
  }
  const player = new Player({ WebSocket: Forbidden });
  const socket = open(player, "http://127.0.0.1:9", "t");
  assert.deepEqual(player.told, []);
  assert.equal(player.call("PushgateSocketUnsent", socket), -1);
  const [kind, number, code, reason] = await player.next();
  assert.deepEqual([kind, number, code], ["end", socket, 0]);
  assert.match(reason, /by policy/);
  player.call("PushgateSocketClose", socket, 1000);
});

test("binary messages are passed over, and several sockets are told apart", async () => {
  const opened = [];
  class Fake {
    readyState = 1;
    bufferedAmount = 5;
    constructor(url, protocols) {
      opened.push(Object.assign(this, { url, protocols }));
    }
    close(code) {
      this.closed = code;
    }
  }
  const player = new Player({ WebSocket: Fake });
  const [one, two] = [open(player, "http://h", "t1"), open(player, "http://h", "t2")];
  assert.notEqual(one, two);
  assert.deepEqual(opened.map(({ protocols }) => protocols), [["pushgate.v1", "bearer.t1"], ["pushgate.v1", "bearer.t2"]]);
  assert.equal(player.call("PushgateSocketUnsent", two), 5);
  opened[0].onmessage({ data: new ArrayBuffer(3) });
  opened[1].onmessage({ data: "two" });
  opened[0].onmessage({ data: "" });
  assert.deepEqual(player.told.splice(0), [["text", two, "two"], ["text", one, ""]]);
  player.call("PushgateSocketClose", one, 4000);
  assert.equal(opened[0].closed, 4000);
  opened[0].onmessage({ data: "late" });
  opened[0].onclose({ code: 1000, reason: "" });
  assert.deepEqual(player.told, []);
  opened[1].onclose({ code: 4003, reason: "kicked" });
  assert.deepEqual(player.told, [["end", two, 4003, "kicked"]]);
  assert.equal(player.leaks, 0);
});
