// Sends places: the newest, at most so many a second, one at a time.

/** Milliseconds between two places, and after which one that has not changed is sent again. */
const PAUSE = 100;
const AGAIN = 5000;

/**
 * `post(place)` sends one and answers a promise; `trouble(error)` is told what became of it, null where it
 * arrived. `clock` and `later` (as `setTimeout`) are for tests.
 */
export class Sender {
  #post;
  #trouble;
  #clock;
  #later;
  #place = null;
  #isNew = false;
  #isBusy = false;
  #isOver = false;
  #sentAt = -Infinity;
  #underWay = Promise.resolve();

  constructor(post, trouble, { clock = () => performance.now(), later = (run, wait) => setTimeout(run, wait) } = {}) {
    this.#post = post;
    this.#trouble = trouble;
    this.#clock = clock;
    this.#later = later;
    this.#remind();
  }

  /** This is the place now; what was not sent yet never will be. */
  offer(place) {
    const known = this.#place;
    if (known !== null && ["x", "y", "z"].every((name) => known[name] === place[name])) return;
    this.#place = { ...place };
    this.#isNew = true;
    this.#send();
  }

  /** Nothing more is sent; answers once nothing is on its way any more. */
  close() {
    this.#isOver = true;
    return this.#underWay;
  }

  async #send() {
    if (this.#isBusy || !this.#isNew || this.#isOver) return;
    this.#isBusy = true;
    const wait = this.#sentAt + PAUSE - this.#clock();
    if (wait > 0) await new Promise((go) => this.#later(go, wait));
    if (this.#isOver) return;
    this.#isNew = false;
    this.#sentAt = this.#clock();
    const posted = this.#post(this.#place);
    this.#underWay = posted.then(() => {}, () => {});
    try {
      await posted;
      if (!this.#isOver) this.#trouble(null);
    } catch (error) {
      if (!this.#isOver) this.#trouble(error);
    }
    this.#isBusy = false;
    this.#send();
  }

  /** Who stands still is there all the same. */
  #remind() {
    this.#later(() => {
      if (this.#isOver) return;
      if (this.#place !== null && !this.#isBusy && this.#clock() - this.#sentAt >= AGAIN) {
        this.#isNew = true;
        this.#send();
      }
      this.#remind();
    }, AGAIN / 2);
  }
}
