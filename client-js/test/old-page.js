// A page that was written for `goog.appengine.Channel`: a global scope of its own, and ES5.

import { mock } from "node:test";
import vm from "node:vm";

import { MODULES, classic } from "./support.js";
import { StandIn } from "./stand-in.js";

/** What such a page loads. */
export const SCRIPT = classic([...MODULES.client, "jsapi"]);

/** What it finds on every platform that is new enough for us. */
const PLATFORM = "AbortController Event EventTarget TextDecoder URL URLSearchParams crypto queueMicrotask".split(" ");

/** A page: a global scope of its own, in which `run` runs what a page of 2010 says. */
export function page({
  src = "http://gate.test/_ah/channel/jsapi",
  given = {},
  script = SCRIPT,
  scripts = [],
  isLate = false,
} = {}) {
  const document = Object.assign(new EventTarget(), { visibilityState: "visible", currentScript: { src } });
  document.querySelectorAll = () => scripts;
  const scope = {
    ...Object.fromEntries(PLATFORM.map((name) => [name, globalThis[name]])),
    document,
    console,
    // Those of the moment: they may be mocked.
    setTimeout: (...args) => setTimeout(...args),
    clearTimeout: (...args) => clearTimeout(...args),
    setInterval: (...args) => setInterval(...args),
    clearInterval: (...args) => clearInterval(...args),
    location: { href: "http://page.test/old.html", origin: "http://page.test" },
    log: [],
    ...given,
  };
  vm.createContext(scope);
  const run = (code) => vm.runInContext(code, scope);
  const load = () => vm.runInContext(script, scope);
  if (!isLate) load();
  document.currentScript = null;
  return { scope, document, run, load, log: () => JSON.parse(JSON.stringify(scope.log)) };
}

/** What every page does: logs each callback with the state that it sees. */
export const HANDLERS = `
  var handlers = {
    onopen: function () { log.push(['open', socket.readyState]); },
    onmessage: function (message) { log.push(['message', message.data]); },
    onerror: function (error) { log.push(['error', error.code, error.description, socket.readyState]); },
    onclose: function () { log.push(['close', socket.readyState]); }
  };
  var channel = new goog.appengine.Channel('a.b.c');
`;

/** And opens its channel. */
export const OPEN = `${HANDLERS} var socket = channel.open(handlers);`;

export const EXPIRED = "Token+timed+out.";
export const INVALID = "Invalid+token.";

/** A page before a gateway that does what the test says, on a clock of its own. */
export function standIn(t, what = {}) {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_000_000 });
  t.after(() => mock.timers.reset());
  const there = new StandIn();
  const { WebSocket, fetch } = there.options;
  return { there, ...page({ given: { WebSocket, fetch }, ...what }) };
}
