// The life of a page: hidden, frozen, offline, put away and taken out again.

/** How often the clock is looked at, and how late that may be before the machine must have slept. */
const TICK = 10_000;
const ASLEEP = 30_000;

/**
 * Tells `hear` what happens to the page; answers a function that ends this.
 *
 * - `wake()`: it may be worth while to try now (visible again).
 * - `doubt()`: what was open may be dead without having said so (another network, back from sleep).
 * - `rest()`: the page is put away or frozen, and may come back: connections would keep it from that,
 *   and nobody reads what they bring.
 * - `leave()`: the page is gone.
 */
export function watchPage(hear, scope = globalThis) {
  const heard = [];
  const on = (target, type, act) => {
    if (typeof target?.addEventListener !== "function") return;
    target.addEventListener(type, act);
    heard.push(() => target.removeEventListener(type, act));
  };
  const { document } = scope;
  on(scope, "online", () => hear.doubt());
  on(scope, "pagehide", ({ persisted }) => (persisted ? hear.rest() : hear.leave()));
  on(scope, "pageshow", ({ persisted }) => persisted && hear.doubt());
  on(document, "freeze", () => hear.rest());
  on(document, "resume", () => hear.doubt());

  // A machine that slept fires no event: only its clock has jumped.
  let last = Date.now();
  let wasHidden = false;
  const isHidden = () => document?.visibilityState === "hidden";
  on(document, "visibilitychange", () => {
    wasHidden = true;
    if (!isHidden()) hear.wake();
  });
  const timer = setInterval(() => {
    const late = Date.now() - last - TICK;
    last = Date.now();
    // In a hidden page timers come once a minute, and that is no sleep.
    const enough = wasHidden || isHidden() ? ASLEEP * 4 : ASLEEP;
    wasHidden = isHidden();
    if (late > enough) hear.doubt();
  }, TICK);
  // Node is not to stay alive for this.
  timer.unref?.();
  return () => {
    clearInterval(timer);
    for (const forget of heard) forget();
  };
}
