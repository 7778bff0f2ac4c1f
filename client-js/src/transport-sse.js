// Server-Sent Events, read with `fetch`: unlike an EventSource that tells the status of an answer, and
// Node has it, too.

import { closedWith, failureOf, silent, unreachable } from "./errors.js";

/** The gateway sends a comment every 15 s: after this long it is silently gone. */
const SILENCE = 40;

/** Opens a stream over SSE; the contract is that of `openWebSocket`, and `hear.id(id)` tells of ids. */
export function openEventStream({ address, token, query, patience, fetch }, hear) {
  const url = new URL(address.href);
  for (const [name, value] of query) url.searchParams.set(name, value);
  if (token) url.searchParams.set("token", token);
  const abort = new AbortController();
  const events = new EventReader();
  let isOver = false;
  let timer;
  const end = (error) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    abort.abort();
    hear.end(error);
  };
  const wait = (seconds) => {
    clearTimeout(timer);
    timer = setTimeout(() => end(silent()), seconds * 1000);
  };
  const read = async () => {
    wait(patience);
    const response = await fetch(url.href, { signal: abort.signal, cache: "no-store", credentials: "omit" });
    if (!response.ok) return end(await failureOf(response));
    if (!/^text\/event-stream/.test(response.headers.get("content-type") ?? "") || !response.body) {
      return end(unreachable(new Error("what came is no event stream")));
    }
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let isOpen = false;
    for (;;) {
      const { done, value } = await reader.read();
      if (isOver) return undefined;
      if (done) return end(unreachable(undefined, events.retry));
      // It opens with a block of its own: where nothing comes at first, a proxy holds the stream back.
      wait(SILENCE);
      if (!isOpen) {
        isOpen = true;
        hear.open();
      }
      for (const event of events.read(decoder.decode(value, { stream: true }))) {
        if (event.id) hear.id(event.id, event.data === null);
        if (event.type === "close") return end(closedWith(closeCode(event.data), events.retry));
        if (event.data !== null) hear.text(event.data);
        if (isOver) return undefined;
      }
    }
  };
  read().catch((cause) => end(unreachable(cause, events.retry)));
  return () => {
    isOver = true;
    clearTimeout(timer);
    abort.abort();
  };
}

function closeCode(data) {
  try {
    const { code } = JSON.parse(data);
    if (Number.isInteger(code)) return code;
  } catch {
    // Of a later version, perhaps: it has ended all the same.
  }
  return 1006;
}

/** Takes an event stream apart. Source: WHATWG HTML section 9.2.6. */
export class EventReader {
  /** Seconds to wait before coming back, if the stream said so. */
  retry = null;
  #rest = "";
  #event = blank();

  /** The events that end within this piece; one without data is a bare id. */
  read(text) {
    const events = [];
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (this.#event.data !== null || this.#event.id) events.push(this.#event);
        this.#event = blank();
      } else {
        this.#field(line);
      }
    }
    return events;
  }

  #field(line) {
    const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
    const { data } = this.#event;
    if (name === "data") this.#event.data = data === null ? value : `${data}\n${value}`;
    else if (name === "id") this.#event.id = value;
    else if (name === "event") this.#event.type = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retry = Number(value) / 1000;
  }
}

function blank() {
  return { type: "message", data: null, id: "" };
}
