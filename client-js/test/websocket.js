// A WebSocket for Node before 22, which has none: as much of it as the client uses. RFC 6455.

import { randomBytes } from "node:crypto";
import { request } from "node:http";

class SmallWebSocket {
  readyState = 0;
  protocol = "";
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  #request;
  #socket = null;
  #rest = Buffer.alloc(0);
  #sentClose = false;
  #heardClose = 1006;

  constructor(url, protocols = []) {
    const { hostname, port, pathname, search } = new URL(url);
    if (protocols.some((name) => !/^[\w!#$%&'*+.^`|~-]+$/.test(name))) throw new SyntaxError("a protocol is no token");
    const headers = {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
    };
    if (protocols.length > 0) headers["Sec-WebSocket-Protocol"] = protocols.join(", ");
    this.#request = request({ host: hostname, port, path: pathname + search, headers, agent: false });
    this.#request.on("upgrade", (response, socket, head) => this.#upgraded(response, socket, head));
    this.#request.on("response", (response) => {
      response.resume();
      this.#closed();
    });
    this.#request.on("error", () => this.#closed());
    this.#request.end();
  }

  send(text) {
    this.#frame(1, Buffer.from(text));
  }

  close(code) {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999))
      throw new RangeError(`close code ${code}`);
    if (this.readyState >= 2) return;
    if (this.readyState === 0) this.#request.destroy();
    this.readyState = 2;
    this.#sendClose(code);
  }

  #upgraded({ headers }, socket, head) {
    if (this.readyState !== 0) return socket.destroy();
    this.#socket = socket;
    this.protocol = headers["sec-websocket-protocol"] ?? "";
    this.readyState = 1;
    socket.on("data", (bytes) => this.#take(bytes));
    socket.on("error", () => {});
    socket.on("close", () => this.#closed());
    this.onopen?.({ type: "open" });
    this.#take(head);
  }

  #take(bytes) {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const rest = this.#rest;
      if (rest.length < 2) return;
      let [length, at] = [rest[1] & 127, 2];
      if (length === 126) [length, at] = [rest.length < 4 ? Infinity : rest.readUInt16BE(2), 4];
      else if (length === 127) [length, at] = [rest.length < 10 ? Infinity : Number(rest.readBigUInt64BE(2)), 10];
      if (rest.length < at + length) return;
      this.#rest = rest.subarray(at + length);
      this.#heard(rest[0] & 15, rest.subarray(at, at + length));
    }
  }

  #heard(opcode, payload) {
    // The gateway does not fragment.
    if (opcode === 1 && this.readyState === 1) this.onmessage?.({ type: "message", data: payload.toString() });
    if (opcode === 9) this.#frame(10, payload);
    if (opcode !== 8) return;
    this.#heardClose = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
    this.#sendClose(this.#heardClose === 1005 ? undefined : this.#heardClose);
    this.#socket.end();
  }

  #sendClose(code) {
    if (this.#socket === null || this.#sentClose) return;
    this.#sentClose = true;
    const payload = Buffer.alloc(code === undefined ? 0 : 2);
    if (code !== undefined) payload.writeUInt16BE(code);
    this.#frame(8, payload);
  }

  #frame(opcode, payload) {
    if (this.#socket === null || this.#socket.destroyed) return;
    const { length } = payload;
    const head = length < 126 ? Buffer.alloc(2) : length < 65536 ? Buffer.alloc(4) : Buffer.alloc(10);
    head[0] = 128 | opcode;
    head[1] = 128 | (head.length === 2 ? length : head.length === 4 ? 126 : 127);
    if (head.length === 4) head.writeUInt16BE(length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
    const mask = randomBytes(4);
    const masked = Buffer.from(payload, 0, length).map((byte, index) => byte ^ mask[index % 4]);
    this.#socket.write(Buffer.concat([head, mask, masked]));
  }

  #closed() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    if (this.#socket === null) this.onerror?.({ type: "error" });
    this.onclose?.({ type: "close", code: this.#heardClose });
  }
}

/** The platform's where it has one. */
export const WebSocket = globalThis.WebSocket ?? SmallWebSocket;
