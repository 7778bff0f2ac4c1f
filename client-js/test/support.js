// What the tests share: a gateway of their own, waiting for conditions, and what a channel told.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { Pushgate } from "../src/pushgate.js";
import { WebSocket } from "./websocket.js";

const here = fileURLToPath(new URL(".", import.meta.url));

/** The gateway under test: `PUSHGATE_BINARY`, or what `cargo build` made. */
export const BINARY = process.env.PUSHGATE_BINARY ?? join(here, "../../target/debug/pushgate");

/** Where the modules of the client are. */
export const SRC = join(here, "../src");

/** Seconds within which everything that is waited for must be there. */
const PATIENCE = 60;

const CONFIG = `
[limits]
exempt = ["127.0.0.0/8"]
[server]
drain = 2
[channels.camera]
kind = "camera"
anonymous = true
delivery = "latest"
[channels."chat/*"]
kind = "chat"
anonymous = true
[channels."room/*"]
kind = "message"
[channels."open/*"]
kind = "message"
anonymous = true
[channels."short/*"]
kind = "message"
history = { messages = 5 }
[channels."long/*"]
kind = "message"
history = { messages = 100000, seconds = 600, bytes = 33554432 }
[channels."json/*"]
kind = "json"
[channels."latest/*"]
kind = "json"
delivery = "latest"
`;

/** A gateway process with a configuration and a data directory of its own. */
export class Gateway {
  #directory = mkdtempSync(join(tmpdir(), "pushgate-client-"));
  #process = null;
  #port = 0;

  /** Starts one; it ends with the test `t`, or with the suite that calls this in `before`. */
  static async start(t, config = "") {
    if (!existsSync(BINARY)) throw new Error(`there is no ${BINARY}: build it, or name it in PUSHGATE_BINARY`);
    const gateway = new Gateway();
    writeFileSync(join(gateway.#directory, "config.toml"), CONFIG + config);
    t?.after(() => gateway.end());
    await gateway.run();
    return gateway;
  }

  get port() {
    return this.#port;
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts the process, on the port that it had. */
  async run() {
    // Nothing that the caller has set for another one.
    const isForeign = (name) => /^(PUSHGATE_.*|PORT|REDIS_URL|DATABASE_URL)$/.test(name);
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !isForeign(name)));
    const flags = ["--config", "config.toml", "--bind", "127.0.0.1", "--port", this.#port, "--data-dir", "data"];
    const child = spawn(BINARY, flags.map(String), { cwd: this.#directory, env, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    let output = "";
    const heard = (bytes) => (output += bytes);
    child.stdout.on("data", heard);
    child.stderr.on("data", heard);
    const port = await until(() => {
      if (child.exitCode !== null) throw new Error(`the gateway did not start: ${output}`);
      return /listening on http:\/\/[^:]+:(\d+)/.exec(output)?.[1];
    }, "the gateway to start");
    this.#port = Number(port);
  }

  /** Sends a signal and waits for the end. */
  async stop(signal = "SIGTERM") {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    await ended;
  }

  async end() {
    await this.stop("SIGKILL");
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** The answer of `look` once it is something; throws where it takes too long. */
export async function until(look, what = String(look), seconds = PATIENCE) {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await new Promise((done) => realTimeout(done, 5));
  }
}

// Whatever the tests do to the clock.
const realTimeout = setTimeout;

/** Waits for the next event of a kind that fulfils `is`. */
export function next(target, type, is = () => true, seconds = PATIENCE) {
  return new Promise((done, fail) => {
    const timer = realTimeout(() => fail(new Error(`waited ${seconds} s for the event ${type}`)), seconds * 1000);
    target.addEventListener(type, function hear(event) {
      if (!is(event)) return;
      clearTimeout(timer);
      target.removeEventListener(type, hear);
      done(event);
    });
  });
}

/** A client that ends with the test, and has a WebSocket in every Node. */
export function client(t, url, options = {}) {
  const gate = new Pushgate(url, { WebSocket, ...options });
  t.after(() => gate.close());
  return gate;
}

/** Everything that a channel tells, from the beginning. */
export function record(channel) {
  const told = { data: [], messages: [], users: [], gaps: [], errors: [], opens: [], closes: [] };
  channel.addEventListener("message", ({ data, message }) => {
    told.data.push(data);
    told.messages.push(message);
  });
  channel.addEventListener("users", ({ users, count, joined, left }) =>
    told.users.push({ users, count, joined, left }),
  );
  channel.addEventListener("gap", ({ gap }) => told.gaps.push(gap));
  channel.addEventListener("error", ({ error, retryIn }) => told.errors.push({ error, retryIn }));
  channel.addEventListener("open", ({ transport }) => told.opens.push(transport));
  channel.addEventListener("close", ({ error }) => told.closes.push(error));
  return told;
}

/** The numbers from `first` to `last`. */
export function numbers(first, last) {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** What a script of several modules is made of, each behind those that it builds on; as the gateway does it. */
export const MODULES = {
  client: [
    "errors",
    "json",
    "backoff",
    "position",
    "presence",
    "transport-ws",
    "transport-sse",
    "transport-poll",
    "routes",
    "slots",
    "wake",
    "heard",
    "handover",
    "link",
    "attempt",
    "stream",
    "channel",
    "client",
  ],
  widget: ["shown", "widget-words", "widget-style"],
};

/** The text of a module of the client. */
export function source(name) {
  return readFileSync(join(SRC, `${name}.js`), "utf8");
}

const inner = (text) => {
  const lines = text.split("\n").filter((line) => !line.startsWith("import "));
  return lines.map((line) => line.replace(/^export /, "")).join("\n");
};

/** A classic script out of modules. */
export function classic(names) {
  return `(function () {\n"use strict";\n${names.map((name) => inner(source(name))).join("")}})();\n`;
}

/** A module out of modules; what the last one exports stays exported, and its imports from `kept` stay, too. */
export function module(names, kept) {
  const last = source(names.at(-1)).split("\n");
  const outer = last.filter((line) => !line.startsWith("import ") || (kept && line.includes(kept)));
  return (
    names
      .slice(0, -1)
      .map((name) => inner(source(name)))
      .join("") + outer.join("\n")
  );
}

/** A random source that is the same in each run. */
export function chance(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const KEY = "a-key-of-the-tests-of-the-client";

/** A configuration with a backend that may ask. */
export const BACKEND = `\n[api]\nkeys = ["${KEY}"]\n`;

/** What the backend asks `gateway` for. */
export function askAs(gateway, verb, fields) {
  const headers = { authorization: `Bearer ${KEY}` };
  return fetch(`${gateway.url}/api/${verb}`, { method: "POST", headers, body: new URLSearchParams(fields) });
}
