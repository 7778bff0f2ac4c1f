// A proxy before the gateway that can do what proxies do, and worse.

import { createServer, request } from "node:http";
import { connect } from "node:net";

/**
 * Its rules are properties, and may change at any time:
 *
 * - `ws`: `pass`, `refuse`, `swallow` (never answered) or `mute` (upgraded, and nothing after it)
 * - `sse`: `pass`, `refuse`, `hold` (the head comes, the body does not)
 * - `answer(request)`: what to answer instead, as `{ status, headers, body }`; null to pass it on
 * - `loseAnswer(verb)`: whether the request gets through, and its answer does not
 * - `retry`: milliseconds that event streams ask to wait, instead of the seconds that the gateway asks for
 * - `cutAfter(verb)`: after how many bytes a stream is cut; Infinity for never
 */
export class Proxy {
  ws = "pass";
  sse = "pass";
  answer = () => null;
  loseAnswer = () => false;
  retry = 50;
  cutAfter = () => Infinity;
  /** What came: `{ verb, path, method, at }`. */
  attempts = [];
  /** How many streams were cut by their rule. */
  cuts = 0;
  #target;
  #server;
  #sockets = new Set();
  #streams = new Set();
  #port = 0;

  static async start(t, target) {
    const proxy = new Proxy(target);
    t?.after(() => proxy.down());
    await proxy.up();
    return proxy;
  }

  constructor(target) {
    this.#target = target;
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** How many streams are open through it. */
  get open() {
    return this.#streams.size;
  }

  /** How often a verb was asked for. */
  count(...verbs) {
    return this.attempts.filter(({ verb }) => verbs.includes(verb)).length;
  }

  /** Listens, on the port that it had. */
  async up() {
    const server = createServer((asked, answered) => this.#forward(asked, answered));
    server.on("upgrade", (asked, socket, head) => this.#upgrade(asked, socket, head));
    server.on("connection", (socket) => this.#keep(this.#sockets, socket));
    // A port that was ours a moment ago may need one.
    await new Promise((done, fail) => {
      server.once("error", fail);
      server.listen(this.#port, "127.0.0.1", done);
    });
    this.#server = server;
    this.#port = server.address().port;
  }

  /** Refuses connections, and ends those that there are. */
  async down() {
    const closed = new Promise((done) => this.#server.close(done));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Lets nothing through any more on the streams that are open, and tells nobody: a network that is lost. */
  hole() {
    for (const socket of this.#streams) {
      socket.isHoled = true;
      socket.unpipe();
    }
  }

  /** Cuts every stream, in mid-word if need be. */
  cut() {
    for (const socket of this.#streams) socket.destroy();
  }

  #keep(set, socket) {
    set.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => set.delete(socket));
  }

  #note({ url, method }) {
    const verb = /^\/([a-z_]*)/.exec(url)[1];
    const attempt = { verb, path: url, method, at: performance.now() };
    this.attempts.push(attempt);
    return attempt;
  }

  #upgrade(asked, socket, head) {
    const { verb } = this.#note(asked);
    const given = this.answer(asked);
    if (this.ws === "swallow") return;
    if (given || this.ws === "refuse") {
      socket.end(`HTTP/1.1 ${given?.status ?? 403} No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    this.#keep(this.#streams, socket);
    const target = connect(this.#target.port, "127.0.0.1");
    const lines = [`${asked.method} ${asked.url} HTTP/1.1`];
    for (let index = 0; index < asked.rawHeaders.length; index += 2) {
      lines.push(`${asked.rawHeaders[index]}: ${asked.rawHeaders[index + 1]}`);
    }
    target.write(`${lines.join("\r\n")}\r\n\r\n`);
    target.write(head);
    socket.pipe(target);
    if (this.ws === "mute")
      target.once("data", (bytes) => socket.write(bytes.subarray(0, bytes.indexOf("\r\n\r\n") + 4)));
    else this.#carry(target, socket, socket, verb);
    socket.on("close", () => target.destroy());
    target.on("close", () => socket.isHoled || socket.end());
    target.on("error", () => socket.destroy());
  }

  #forward(asked, answered) {
    const { verb } = this.#note(asked);
    const given = this.answer(asked) ?? (verb === "sse" && this.sse === "refuse" ? { status: 403, body: "no" } : null);
    if (given) {
      asked.resume();
      answered.writeHead(given.status, { "content-type": "text/plain", ...given.headers });
      return answered.end(given.body ?? "");
    }
    const { url: path, method, headers } = asked;
    const isStream = verb === "sse" || verb === "poll";
    if (isStream) {
      this.#streams.add(asked.socket);
      answered.on("close", () => this.#streams.delete(asked.socket));
    }
    const passed = request(
      { host: "127.0.0.1", port: this.#target.port, path, method, headers, agent: false },
      (answer) => {
        if (this.loseAnswer(verb)) return asked.socket.destroy();
        answered.writeHead(answer.statusCode, answer.headers);
        answered.flushHeaders();
        answer.on("error", () => answered.destroy());
        if (verb === "sse" && this.sse === "hold") answer.resume();
        else this.#carry(answer, answered, asked.socket, isStream ? verb : null);
        answer.on("end", () => answered.end());
        return undefined;
      },
    );
    passed.on("error", () => asked.socket.destroy());
    answered.on("close", () => passed.destroy());
    asked.pipe(passed);
    return undefined;
  }

  /** Passes bytes on, as many as the rule lets through. */
  #carry(from, to, socket, verb) {
    let left = verb === null ? Infinity : this.cutAfter(verb);
    const retried = (bytes) =>
      Buffer.from(bytes.toString("latin1").replace(/^retry: \d+/, `retry: ${this.retry}`), "latin1");
    from.on("data", (whole) => {
      if (left <= 0 || to.isHoled) return;
      const bytes = verb === "sse" ? retried(whole) : whole;
      left -= bytes.length;
      if (left > 0) return to.write(bytes);
      this.cuts += 1;
      to.write(bytes.subarray(0, bytes.length + left), () => socket.destroy());
      return from.destroy();
    });
  }
}

/** A problem as the gateway tells it. */
export function problem(status, code, headers = {}) {
  const body = JSON.stringify({ type: `/problems#${code}`, title: code, status, detail: `told ${code}`, code });
  return { status, headers: { "content-type": "application/problem+json", ...headers }, body };
}
