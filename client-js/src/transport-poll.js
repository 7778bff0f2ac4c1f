// Long poll: a request that is answered once there is something to tell.

import { failureOf, unreachable } from "./errors.js";
import { jsonOf } from "./json.js";

/** Seconds that a poll waits for something to tell. */
const WAIT = 25;
/** Seconds beyond that in which the answer must be here. */
const GRACE = 15;
/** Seconds until the next poll where none may be held, and where one was answered early and with nothing:
 * another one of the same client, in another tab, ends it, and the two would chase each other. */
const PAUSE = 2;
/** The same answer so many times in a row comes from some cache on the way, and leads nowhere. */
const STUCK = 5;

/**
 * Opens a stream of polls; the contract is that of `openWebSocket`, and `hear.since(since)` tells what to
 * resume with, `await hear.turn()` is when to ask again, and `await hear.mayWait()` whether to wait for an
 * answer. Each message is handed on as the text that a WebSocket would have brought.
 */
export function openPolls({ address, token, query, patience, fetch }, hear) {
  const abort = new AbortController();
  let isOver = false;
  let timer;
  const end = (error) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    abort.abort();
    hear.end(error);
  };
  const ask = async (since, wait) => {
    const url = new URL(address.href);
    for (const [name, value] of query) url.searchParams.set(name, value);
    if (since !== null) {
      url.searchParams.delete("history");
      url.searchParams.set("since", since);
    }
    url.searchParams.set("wait", String(wait));
    if (token) url.searchParams.set("token", token);
    const most = wait === 0 ? patience : wait + GRACE;
    timer = setTimeout(() => end(unreachable(new Error("a poll was not answered"))), most * 1000);
    const response = await fetch(url.href, { signal: abort.signal, cache: "no-store", credentials: "omit" });
    if (!response.ok) throw await failureOf(response);
    const text = await response.text();
    clearTimeout(timer);
    const answer = JSON.parse(text);
    if (!Array.isArray(answer?.messages) || typeof answer.since !== "string") {
      throw unreachable(new Error("what came is no answer to a poll"));
    }
    return { ...answer, text };
  };
  const pause = () => new Promise((done) => (timer = setTimeout(done, PAUSE * (500 + Math.random() * 1000))));
  const run = async () => {
    let since = null;
    let before = "";
    let repeats = 0;
    for (let isFirst = true; !isOver; isFirst = false) {
      // The first is answered at once, and shows that polls get through.
      const isShort = isFirst || !(await hear.mayWait());
      if (isOver) return;
      const asked = Date.now();
      const answer = await ask(since, isShort ? 0 : WAIT);
      if (isOver) return;
      if (isFirst) hear.open();
      for (const message of answer.messages) {
        hear.text(jsonOf(message));
        if (isOver) return;
      }
      const isEarly = !isShort && Date.now() - asked < WAIT * 900;
      repeats = isEarly && answer.text === before ? repeats + 1 : 0;
      before = answer.text;
      since = answer.since;
      hear.since(since);
      await hear.turn();
      const isIdle = isEarly && (answer.messages.length === 0 || repeats >= STUCK);
      if (isIdle || (isShort && !isFirst)) await pause();
      // Another connection may have opened meanwhile.
      await hear.turn();
    }
  };
  run().catch((error) => end(error?.name === "PushgateError" ? error : unreachable(error)));
  return () => {
    isOver = true;
    clearTimeout(timer);
    abort.abort();
  };
}
