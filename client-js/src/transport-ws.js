// WebSocket: a message a text frame.

import { closedWith, silent, unreachable } from "./errors.js";

/** A sign of life, and in how many seconds the next one comes; scripts do not see the pings. */
const HEARTBEAT = /^\{"heartbeat":(\d+(?:\.\d+)?)\}$/;
/** Seconds that it may be late. */
const LATE_BY = 10;

/** A close code that says nothing to the gateway: any but 1000 and 1001 leaves time to come back. */
const COMING_BACK = 4000;

/**
 * Opens a stream over WebSocket.
 *
 * `hear` is told `open()`, `text(text)` for each message, and exactly once `end(error)`, unless it was
 * closed first. Answers a function that closes: for good, or, with `true`, to come back in a moment.
 */
export function openWebSocket({ address, token, query, patience, WebSocket }, hear) {
  const url = new URL(address.href);
  url.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  for (const [name, value] of query) url.searchParams.set(name, value);
  // Not in the address, where proxies would log it.
  const protocols = token ? ["pushgate.v1", `bearer.${token}`] : ["pushgate.v1"];
  const socket = new WebSocket(url.href, protocols);
  let isOpen = false;
  let isOver = false;
  const end = (error) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    hear.end(error);
  };
  let timer = setTimeout(() => {
    end(unreachable(new Error("no WebSocket within its time")));
    socket.close();
  }, patience * 1000);
  // Cut without a word, as by a lost network, a socket stays open for ever.
  let most = Infinity;
  const expectMore = () => {
    clearTimeout(timer);
    if (most === Infinity) return;
    timer = setTimeout(() => {
      end(silent());
      socket.close(COMING_BACK);
    }, most * 1000);
    timer.unref?.();
  };
  socket.onmessage = ({ data }) => {
    if (isOver) return;
    // It begins with a message of its own: some proxies let the upgrade through and nothing after it.
    // And from here on we know where to resume.
    if (!isOpen) {
      isOpen = true;
      hear.open();
    }
    const text = String(data);
    const heartbeat = HEARTBEAT.exec(text);
    if (heartbeat) most = 2 * Number(heartbeat[1]) + LATE_BY;
    if (isOver) return;
    expectMore();
    if (!heartbeat) hear.text(text);
  };
  // Where it was refused nobody is told why: 1006 whatever the answer was.
  socket.onclose = ({ code }) => end(code === 1006 || code === 1005 ? unreachable() : closedWith(code));
  // A refused one closes right after this; in some versions of Node it does not.
  socket.onerror = () => {
    if (!isOpen) end(unreachable());
  };
  return (isComingBack = false) => {
    isOver = true;
    clearTimeout(timer);
    // A normal close ends the presence at once: others would see us go and come.
    socket.close(isComingBack ? COMING_BACK : 1000);
  };
}
