// Connections that are held for long. Over HTTP/1.1 a browser has six to one gateway for all tabs together:
// where streams hold all of them nothing can be posted any more.

/** How many may be held: the others are for what is answered at once. */
const SLOTS = 4;

/** One of them, until nobody uses it any more. */
class Slot {
  #users = 1;
  #release;

  constructor(release) {
    this.#release = release;
  }

  /** One more uses it, for the moment of a change. */
  share() {
    this.#users += 1;
    return this;
  }

  free() {
    this.#users -= 1;
    if (this.#users === 0) this.#release();
  }
}

/** Those to one gateway: of all tabs where there are Web Locks, else of the page. */
export class Slots {
  #origin;
  #most;
  #locks;
  #taken = 0;

  constructor(origin, most = SLOTS, locks = null) {
    this.#origin = origin;
    this.#most = most;
    this.#locks = locks;
  }

  /** Takes one; null where all are taken. */
  async take() {
    if (this.#most === Infinity || isMultiplexed(this.#origin)) return new Slot(() => {});
    try {
      if (this.#locks) return await this.#lock();
    } catch {
      // A page may have locks and not be allowed to use them, as in a sandbox.
      this.#locks = null;
    }
    if (this.#taken >= this.#most) return null;
    this.#taken += 1;
    return new Slot(() => (this.#taken -= 1));
  }

  async #lock() {
    for (let index = 0; index < this.#most; index += 1) {
      const slot = await this.#lockOne(`pushgate ${this.#origin} ${index}`);
      if (slot) return slot;
    }
    return null;
  }

  #lockOne(name) {
    return new Promise((taken, failed) => {
      const hold = (lock) => lock && new Promise((release) => taken(new Slot(release)));
      this.#locks.request(name, { ifAvailable: true }, hold).then(() => taken(null), failed);
    });
  }
}

/** Over HTTP/2 and HTTP/3 one connection carries everything; a page may not be told. */
function isMultiplexed(origin) {
  const loaded = globalThis.performance?.getEntriesByType?.("resource") ?? [];
  const ours = loaded.filter(({ name }) => name.startsWith(`${origin}/`));
  return /^h[23]/.test(ours.at(-1)?.nextHopProtocol ?? "");
}

const all = new Map();

/** Those of this page to the gateway at `origin`. Only browsers are short of connections. */
export function slotsTo(origin) {
  const { location, navigator } = globalThis;
  if (!all.has(origin)) all.set(origin, new Slots(origin, location ? SLOTS : Infinity, navigator?.locks));
  return all.get(origin);
}
