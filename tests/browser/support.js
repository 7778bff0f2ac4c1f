// What the tests of a real browser share: a gateway, a proxy in front of it, sites of other origins.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const BINARY = process.env.PUSHGATE_BINARY ?? new URL("../../target/debug/pushgate", import.meta.url).pathname;
const CHROMIUM = process.env.CHROMIUM ?? execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim();
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** All clients come from one address here. */
const CONFIG = '[limits]\nexempt = ["127.0.0.0/8", "::1/128"]\n';

/** A gateway of its own, which ends with the test `t`. `stop` and `start` are a restart. */
export async function gateway(t, config = "") {
  const directory = mkdtempSync(join(tmpdir(), "pushgate-browser-"));
  const file = join(directory, "config.toml");
  writeFileSync(file, CONFIG + config);
  const node = { port: 0, child: null };
  node.start = async () => {
    const args = ["serve", "--bind", "127.0.0.1", "--port", String(node.port), "--data-dir", directory, "--config", file];
    node.child = spawn(BINARY, args, { stdio: ["ignore", "pipe", "pipe"], env: cleanEnvironment() });
    node.child.stderr.resume();
    node.port = await new Promise((found, failed) => {
      let printed = "";
      node.child.stdout.on("data", (data) => {
        printed += data;
        const match = /listening on http:\/\/[^\s]*?:(\d+)/.exec(printed);
        if (match) found(Number(match[1]));
      });
      node.child.on("exit", (code) => failed(new Error(`the gateway ended with ${code}: ${printed}`)));
    });
    node.url = `http://127.0.0.1:${node.port}`;
  };
  node.stop = async (signal = "SIGTERM") => {
    const { child } = node;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    await ended;
  };
  await node.start();
  t.after(async () => {
    await node.stop("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  });
  return node;
}

function cleanEnvironment() {
  const ours = ([name]) => !name.startsWith("PUSHGATE_") && !["PORT", "REDIS_URL", "DATABASE_URL"].includes(name);
  return Object.fromEntries(Object.entries(process.env).filter(ours));
}

/** A browser for all tests of a file. */
export function browser() {
  return chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
}

/** A site of another origin that answers with these files; `headers` go with each. */
export async function site(t, files, headers = {}) {
  const server = http.createServer((request, response) => {
    const path = new URL(request.url, "http://x").pathname;
    if (!(path in files)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": "text/html; charset=utf-8", ...headers });
    return response.end(files[path]);
  });
  return listen(t, server);
}

/**
 * A proxy in front of a gateway. `blocks(path)` says what becomes of a request: `refuse` (403), `hold`
 * (an answer that never comes), anything else passes.
 */
export async function proxy(t, node, blocks) {
  const server = http.createServer((request, response) => {
    const fate = blocks(request.url);
    if (fate === "refuse") return response.writeHead(403).end("refused by a proxy");
    if (fate === "hold") return undefined;
    const { method, url, headers } = request;
    const onward = http.request({ port: node.port, host: "127.0.0.1", method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.statusMessage, answer.headers);
      answer.pipe(response);
      answer.on("error", () => response.destroy());
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
    return undefined;
  });
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => {});
    if (blocks(request.url) === "refuse") return socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    if (blocks(request.url) === "hold") return undefined;
    const lines = [`${request.method} ${request.url} HTTP/1.1`];
    for (let index = 0; index < request.rawHeaders.length; index += 2) {
      lines.push(`${request.rawHeaders[index]}: ${request.rawHeaders[index + 1]}`);
    }
    const onward = net.connect(node.port, "127.0.0.1", () => onward.write(`${lines.join("\r\n")}\r\n\r\n`));
    onward.on("error", () => socket.destroy());
    onward.write(head);
    onward.pipe(socket).pipe(onward);
    socket.on("close", () => onward.destroy());
    onward.on("close", () => socket.destroy());
    return undefined;
  });
  return listen(t, server);
}

async function listen(t, server) {
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** A page that reports what goes wrong in it. */
export async function open(t, context, address) {
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(error.message));
  page.on("console", (message) => {
    // A policy of the page that was broken says so here, and nowhere else.
    if (/Content Security Policy/i.test(message.text())) page.problems.push(message.text());
  });
  t.after(() => page.close().catch(() => {}));
  await page.goto(address);
  return page;
}

/** Whether nothing serious stands in the way of whoever does not see, or uses the keyboard. */
export async function isAccessible(page) {
  await page.evaluate(AXE);
  // What is just appearing is transparent for a moment, and would be measured as that.
  await page.emulateMedia({ reducedMotion: "reduce" });
  const { violations } = await page.evaluate(() => axe.run());
  await page.emulateMedia({ reducedMotion: null });
  const found = violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  assert.deepEqual(found, []);
}

/** Whether nothing of a page lies beyond its right edge. */
export async function fits(page) {
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, page.url());
}

/** Waits until that holds. */
export async function until(holds) {
  const end = Date.now() + 15_000;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `in 15 seconds: ${holds}`);
    await new Promise((done) => setTimeout(done, 30));
  }
}
