// Who is there: whole lists made from what is told, lists and differences.

/** The users list of one channel. */
export class Users {
  #present = new Map();
  #count = 0;
  #version = 0;
  #partial = false;
  #isTold = false;

  /** A copy, in the order in which they came. */
  get list() {
    return [...this.#present.values()];
  }

  /** How many there are; more than the list holds where that is partial. */
  get count() {
    return this.#count;
  }

  /** The entry of a client, if it is on the list. */
  get(clientId) {
    return this.#present.get(clientId);
  }

  /** Takes in a message. Answers what changed, or null if it tells of no users or nothing changed. */
  take(message) {
    if (Array.isArray(message.users)) return this.#replace(message);
    if (Array.isArray(message.joined) || Array.isArray(message.left)) return this.#change(message);
    const isCount = Object.keys(message).length === 1 && Number.isInteger(message.count);
    return isCount ? this.#counted(message) : null;
  }

  /** The list as the gateway would tell it whole. */
  whole() {
    const whole = { users: this.list, count: this.#count };
    if (this.#version > 0) whole.version = this.#version;
    if (this.#partial) whole.partial = true;
    return whole;
  }

  #replace({ users, count, version, partial }) {
    const before = this.#present;
    this.#present = new Map(users.map((user) => [user.client_id, user]));
    this.#partial = partial === true;
    const joined = users.filter((user) => !isSame(before.get(user.client_id), user));
    const left = [...before.keys()].filter((id) => !this.#present.has(id));
    return this.#told({ count: count ?? users.length, version }, joined, left);
  }

  #change({ joined = [], left = [], count, version }) {
    const gone = left.filter((id) => this.#present.delete(id));
    for (const user of joined) this.#present.set(user.client_id, user);
    return this.#told({ count: count ?? this.#present.size, version }, joined, gone);
  }

  #counted({ count }) {
    // Too many for lists: whoever was on one is not known to be there any more.
    const left = [...this.#present.keys()];
    this.#present.clear();
    this.#partial = true;
    return this.#told({ count }, [], left);
  }

  #told({ count, version }, joined, left) {
    const isChange = !this.#isTold || count !== this.#count || joined.length > 0 || left.length > 0;
    this.#isTold = true;
    this.#count = count;
    this.#version = version ?? this.#version;
    return isChange ? { joined, left } : null;
  }
}

function isSame(one, other) {
  return one !== undefined && one.name === other.name && one.ip === other.ip;
}
