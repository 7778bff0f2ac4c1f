// One connection of a stream, over one transport.

export class Link {
  /** When it was asked for. */
  askedAt = Date.now();
  /** When it opened. */
  openedAt = 0;
  /** The position that it was to go on from. */
  asked = null;
  /** What it asks for. */
  query = [];
  /** Whether another one is still there. */
  isHeir = false;
  /** The transport that it stands for: a better one may only lack a slot. */
  standsFor;
  slot = null;
  #hasBrought = false;
  #isOver = false;
  #close = null;
  #isRetired = false;
  #idled = () => {};
  #go = null;

  constructor(name, token) {
    this.name = this.standsFor = name;
    this.token = token;
  }

  /** `open` opens it, and answers what closes it. */
  connect(open) {
    this.#close = open();
  }

  /** It has brought something; whether that is the first, which says where it starts. It may be told behind others. */
  brings() {
    const isFirst = !this.#hasBrought;
    this.#hasBrought = true;
    return isFirst;
  }

  /** Ends it: to come back, or for good. */
  close(isComingBack) {
    this.#close?.(isComingBack);
    this.#close = null;
    this.over();
  }

  /** It has ended. */
  over() {
    this.#isOver = true;
    this.slot?.free();
    this.slot = null;
  }

  /** Over polls: whether one may be held until there is something to tell. */
  async mayWait(slots) {
    if (this.slot) return true;
    const slot = await slots.take();
    if (this.#isOver) slot?.free();
    else this.slot = slot;
    return slot !== null;
  }

  /** Over polls: what was asked is still answered, and nothing more is asked; `idled` is told once that is so. */
  retire(idled = () => {}) {
    this.#isRetired = true;
    this.#idled = idled;
    if (this.#go) idled();
  }

  /** Goes on after all. */
  goOn() {
    this.#isRetired = false;
    this.#idled = () => {};
    this.#go?.();
    this.#go = null;
  }

  /** Over polls: waits until it may ask. */
  async turn() {
    if (!this.#isRetired) return;
    const turn = new Promise((go) => (this.#go = go));
    this.#idled();
    await turn;
  }
}
