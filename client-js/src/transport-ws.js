// WebSocket: a message a text frame.

import { closedWith, unreachable } from "./errors.js";

/**
 * Opens a stream over WebSocket.
 *
 * `hear` is told `open()`, `text(text)` for each message, and exactly once `end(error)`, unless it was
 * closed first. Answers a function that closes.
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
  const timer = setTimeout(() => {
    end(unreachable(new Error("no WebSocket within its time")));
    socket.close();
  }, patience * 1000);
  socket.onopen = () => {
    if (isOver) return;
    clearTimeout(timer);
    isOpen = true;
    hear.open();
  };
  socket.onmessage = ({ data }) => {
    if (!isOver) hear.text(String(data));
  };
  // Before it is open nobody is told why it failed: 1006 whatever the answer was.
  socket.onclose = ({ code }) => end(isOpen && code !== 1006 ? closedWith(code) : unreachable());
  socket.onerror = () => {};
  return () => {
    isOver = true;
    clearTimeout(timer);
    socket.close(1000);
  };
}
