// Names of rooms and scenes, and which rooms this browser has been in.

/** Rooms that are remembered. */
const REMEMBERED = 8;
/** Bounds of a channel's name: characters of a segment, bytes of the whole. */
const CHARACTERS = 64;
const BYTES = 255;

/** What is wrong with the name of a room, in words; null where nothing is. */
export function problemOf(room) {
  const name = room.normalize("NFC");
  const length = [...name].length;
  if (length === 0) return "A room needs a name.";
  if (length > CHARACTERS) return `A room’s name has at most ${CHARACTERS} characters; this one has ${length}.`;
  if (new TextEncoder().encode(`chat/${name}`).length > BYTES) return "This name is too long.";
  if (name === "." || name === "..") return "This is no name: it would lead elsewhere.";
  if (/^[\p{Alphabetic}\p{Number}_.~-]+$/u.test(name)) return null;
  const likely = name.trim().replace(/[^\p{Alphabetic}\p{Number}_.~-]+/gu, "-").replace(/^-+|-+$/g, "");
  const hint = likely !== "" && problemOf(likely) === null ? ` How about ${likely}?` : "";
  return `A room’s name has letters, digits and _ . ~ - only.${hint}`;
}

/** The address of a room. */
export function addressOf(room) {
  return `/chat/${encodeURIComponent(room.normalize("NFC"))}/`;
}

/** The channel that the address of a page names, such as `chat/lobby` or `camera`. */
export function channelOf(path) {
  const segments = path.split("/").filter((segment) => segment !== "");
  return segments.map((segment) => decodeURIComponent(segment).normalize("NFC")).join("/");
}

/** What this browser keeps for the pages; a browser that keeps nothing, or may not, is no trouble. */
export class Memory {
  #storage;

  constructor(find = () => globalThis.localStorage) {
    try {
      this.#storage = find();
    } catch {
      // Where cookies are blocked, the mere look at it throws.
    }
  }

  /** The rooms, the latest first. */
  get rooms() {
    let rooms;
    try {
      rooms = JSON.parse(this.#storage.getItem("pushgate.rooms"));
    } catch {
      // Nothing there, or nothing of ours.
    }
    if (!Array.isArray(rooms)) return [];
    return rooms.filter((room) => typeof room === "string" && problemOf(room) === null).slice(0, REMEMBERED);
  }

  /** Puts a room before all others. */
  visit(room) {
    const others = this.rooms.filter((other) => other !== room);
    this.#keep("pushgate.rooms", JSON.stringify([room, ...others].slice(0, REMEMBERED)));
  }

  forgetRooms() {
    try {
      this.#storage.removeItem("pushgate.rooms");
    } catch {
      // There is nothing to forget.
    }
  }

  /** The name under which one talks; empty where one has none. */
  get name() {
    try {
      return String(this.#storage.getItem("pushgate.name") ?? "");
    } catch {
      return "";
    }
  }

  set name(name) {
    this.#keep("pushgate.name", name);
  }

  #keep(key, value) {
    try {
      this.#storage.setItem(key, value);
    } catch {
      // Full, or forbidden: it is only for next time.
    }
  }
}
