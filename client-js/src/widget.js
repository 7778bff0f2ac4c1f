// `<push-gate channel="chat/lobby" name="Ada">`: who is there, what they say, and a line to answer.

import { Pushgate } from "./pushgate.js";
import { element, shown } from "./shown.js";
import { styleSheet } from "./widget-style.js";
import { awaited, explained, unsent, wordsFor } from "./widget-words.js";

/** Messages that stay on screen, and that wait for the next picture. */
const KEPT = 200;
/** People that are named; of more their number is told. */
const NAMED = 30;

/**
 * Attributes: `channel` (the root channel without it), `name` (as others see it), `gate` (the gateway; by
 * default where this script came from), `token` (from a backend, in the place of a login), `history` (how
 * many earlier messages; 50), `theme` (`light` or `dark`), `lang`. Events of its own bubble out of it:
 * `push-gate-message` and `push-gate-error`, each with a `detail`: the message, and the error as it was told.
 */
export class PushGateElement extends HTMLElement {
  static observedAttributes = ["channel", "name", "gate", "token", "history", "lang"];

  #words;
  #parts = null;
  #gate = null;
  #channel = null;
  #names = new Map();
  #fresh = [];
  #frame = 0;
  #isPlanned = false;
  #wasOpen = false;
  #trouble = null;

  connectedCallback() {
    if (this.#parts === null) this.#build();
    this.#plan();
  }

  disconnectedCallback() {
    this.#plan();
  }

  attributeChangedCallback(_name, before, after) {
    if (before !== after && this.isConnected) this.#plan();
  }

  /** Puts the cursor where one writes. */
  focus(options) {
    this.#parts?.input.focus(options);
  }

  /** What the widget receives, for whoever wants more of it. */
  get channelObject() {
    return this.#channel;
  }

  /** A frame that moves the element, or changes several attributes, opens one connection. */
  #plan() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(() => {
      this.#isPlanned = false;
      this.#close();
      if (this.isConnected && this.#parts !== null) this.#open();
    });
  }

  #wordsNow() {
    return wordsFor([this.closest("[lang]")?.lang, ...(navigator.languages ?? [navigator.language])]);
  }

  #build() {
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [styleSheet()];
    const parts = {
      status: element("p", { class: "status", part: "status", role: "status" }),
      people: element("ul", { class: "people", part: "people" }),
      messages: element("div", {
        class: "messages",
        part: "messages",
        role: "log",
        tabindex: "0",
      }),
      warning: element("p", { class: "warning", part: "warning", role: "alert" }),
      input: element("input", { id: "text", part: "input", autocomplete: "off", enterkeyhint: "send" }),
    };
    const label = element("label", { for: "text", class: "hidden" });
    const send = element("button", { part: "send" });
    const form = element("form", { part: "form" }, label, parts.input, send);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    root.append(element("header", { part: "header" }, parts.status, parts.people), parts.messages, parts.warning, form);
    this.#parts = { ...parts, label, send };
    this.#translate();
  }

  /** Everything that is said without being asked, in the reader's language. */
  #translate() {
    const words = (this.#words = this.#wordsNow());
    const { people, messages, input, label, send } = this.#parts;
    people.setAttribute("aria-label", words.peopleLabel);
    messages.setAttribute("aria-label", words.messages);
    input.placeholder = label.textContent = words.write;
    send.textContent = words.send;
    for (const child of this.shadowRoot.children) child.setAttribute("lang", words.language);
  }

  #open() {
    this.#parts.messages.replaceChildren();
    this.#parts.people.replaceChildren();
    this.#parts.warning.textContent = "";
    this.#names.clear();
    this.#translate();
    this.#wasOpen = false;
    this.#say("connecting");
    let part = "bad-gateway-address";
    try {
      const token = this.getAttribute("token") ?? undefined;
      this.#gate = new Pushgate(this.getAttribute("gate") ?? undefined, { token });
      part = "bad-channel";
      this.#subscribe(this.#gate, token);
    } catch (error) {
      this.#close();
      this.#over(error, explained(this.#words, { code: part }));
      this.#emit("push-gate-error", error);
    }
  }

  #subscribe(gate, token) {
    const history = Number(this.getAttribute("history") ?? 50);
    const channel = gate.channel(this.getAttribute("channel") ?? "", history > 0 ? { history } : {});
    this.#channel = channel;
    if (token === undefined) {
      const name = nameOf(this.getAttribute("name") ?? "");
      // What becomes of it the channel tells, too, and goes on trying for longer.
      gate.login({ name }).catch(() => {});
    }
    channel.addEventListener("open", () => {
      this.#wasOpen = true;
      this.#parts.warning.textContent = "";
      this.#say("open");
    });
    channel.addEventListener("users", ({ users, count }) => this.#showPeople(users, count));
    channel.addEventListener("message", ({ message }) => this.#take(message));
    channel.addEventListener("gap", () => this.#take(null));
    channel.addEventListener("error", ({ error, retryIn }) => {
      if (retryIn !== null && this.#channel === channel) this.#say("waiting", error);
      this.#emit("push-gate-error", error);
    });
    channel.addEventListener("close", ({ error }) => {
      if (this.#channel === channel) this.#over(error, error && explained(this.#words, error));
    });
  }

  /** It is over for good: nobody is known to be here any more. */
  #over(error, text) {
    this.#parts.people.replaceChildren();
    this.#say("closed");
    if (error) this.#parts.warning.textContent = text;
  }

  #close() {
    const gate = this.#gate;
    this.#gate = null;
    this.#channel = null;
    this.#fresh = [];
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (gate === null) return;
    if (this.hasAttribute("token")) gate.close();
    else gate.logout().catch(() => {});
  }

  #say(state, trouble = null) {
    this.#trouble = trouble;
    this.#parts.status.dataset.state = state;
    this.#showStatus();
  }

  #showStatus() {
    const { status } = this.#parts;
    const { state } = status.dataset;
    const count = this.#channel?.count ?? 0;
    let text = this.#words[state];
    if (state === "open" && count > 0) text = this.#words.people(count);
    else if (state === "waiting") text = awaited(this.#words, this.#trouble ?? {}, this.#wasOpen);
    if (status.textContent !== text) status.textContent = text;
  }

  #showPeople(users, count) {
    for (const { client_id: id, name } of users) this.#remember(id, name);
    const self = this.#gate?.clientId;
    const people = users.slice(0, NAMED).map(({ client_id: id, name }) => {
      const isSelf = id === self;
      const text = (name ? shown(name) : this.#words.unnamed) + (isSelf ? ` (${this.#words.you})` : "");
      return element("li", { class: "person", part: "person", "data-self": isSelf, dir: "auto" }, text);
    });
    if (count > people.length) {
      people.push(element("li", { class: "person", part: "person" }, `+${count - people.length}`));
    }
    this.#parts.people.replaceChildren(...people);
    this.#showStatus();
  }

  /** Names of those who left are still needed for what they wrote; not for ever. */
  #remember(id, name) {
    this.#names.delete(id);
    this.#names.set(id, name);
    if (this.#names.size > 10 * KEPT) this.#names.delete(this.#names.keys().next().value);
  }

  #take(message) {
    this.#fresh.push(message);
    // In a hidden page no picture is drawn: only what would be kept is.
    if (this.#fresh.length > KEPT) this.#fresh.splice(0, this.#fresh.length - KEPT);
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#showMessages());
    if (message !== null) this.#emit("push-gate-message", message);
  }

  #showMessages() {
    this.#frame = 0;
    const { messages } = this.#parts;
    const isAtEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 60;
    messages.append(...this.#fresh.map((message) => this.#line(message)));
    this.#fresh = [];
    while (messages.childElementCount > KEPT) messages.firstElementChild.remove();
    if (isAtEnd) messages.scrollTop = messages.scrollHeight;
  }

  #line(message) {
    if (message === null) return element("p", { class: "note", part: "note" }, this.#words.gap);
    const isSelf = message.client_id !== undefined && message.client_id === this.#gate?.clientId;
    const name = this.#names.get(message.client_id) || this.#words.unnamed;
    const line = element("div", { class: "line" }, element("bdi", { class: "name", part: "name" }, shown(name)));
    const time = message.datetime ? new Date(message.datetime) : null;
    if (time !== null && !Number.isNaN(time.getTime())) {
      const text = time.toLocaleTimeString(this.#words.language, { hour: "2-digit", minute: "2-digit" });
      line.append(element("time", { part: "time", datetime: message.datetime }, text));
    }
    const text = typeof message.data === "string" ? message.data : JSON.stringify(message.data);
    const said = element("p", { class: "text", part: "text", dir: "auto" }, shown(text));
    return element("div", { class: "message", part: "message", "data-self": isSelf }, line, said);
  }

  async #send() {
    const { input, warning } = this.#parts;
    const text = input.value;
    const channel = this.#channel;
    if (text.trim() === "" || channel === null) return;
    input.value = "";
    try {
      await channel.post(text);
      warning.textContent = "";
    } catch (error) {
      // What was not sent is not lost, unless something else is being written already.
      if (input.value === "") input.value = text;
      this.#fail(error);
    }
  }

  #fail(error) {
    this.#parts.warning.textContent = unsent(this.#words, error);
    this.#emit("push-gate-error", error);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

/** A name as a login takes it: no control characters, and 64 characters at most. */
function nameOf(text) {
  return [...text.replace(/\p{Cc}/gu, "").trim()].slice(0, 64).join("") || undefined;
}

if (!customElements.get("push-gate")) customElements.define("push-gate", PushGateElement);
