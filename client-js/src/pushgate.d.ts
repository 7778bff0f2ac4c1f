// The client of pushgate. Times are seconds; names of fields are those of the wire.

/** Somebody who is on a users list. */
export interface User {
  client_id: string;
  /** The address, as far as the gateway shows it. */
  ip: string;
  name?: string;
}

/** What somebody posted. */
export interface Message<Data = any> {
  /** What was posted: a text, or JSON where the channel's kind takes JSON. */
  data: Data;
  /** Its place in the channel's order; null for a direct message. */
  id: string | null;
  /** It was sent to this client alone. */
  direct: boolean;
  client_id?: string;
  /** RFC 3339, with microseconds. */
  datetime?: string;
  ip?: string;
}

/** Messages that are lost for good. */
export interface Gap {
  channel: string;
  since?: string;
  /** The first message behind the gap. */
  next?: string;
  /** How many direct messages were dropped from the inbox. */
  inbox?: number;
}

export type Transport = "ws" | "sse" | "poll";

export type State = "connecting" | "open" | "waiting" | "resting" | "closed";

/**
 * A failure that the gateway named (`token-expired`, `rate-limited`, …), or `unreachable`, or `closed`; or
 * `http-404` and the like where something else than a gateway answered.
 */
export class PushgateError extends Error {
  readonly code: string;
  readonly detail: string;
  /** The HTTP status, 0 where there was none. */
  readonly status: number;
  /** The close code of the stream, 0 where there was none. */
  readonly closeCode: number;
  /** Seconds that the gateway asks to wait. */
  readonly retryAfter: number | null;
  /** Whether the gateway itself said so, and not something on the way to it, or nobody. */
  readonly isAnswer: boolean;
  /** Whether the same may succeed later. */
  readonly isTemporary: boolean;
  /** Whether a new token may help. */
  readonly isAboutToken: boolean;
}

export interface ChannelEvents {
  open: Event & { readonly transport: Transport };
  message: Event & { readonly data: any; readonly message: Message };
  users: Event & {
    readonly users: User[];
    /** More than the list holds where the gateway tells a part of it. */
    readonly count: number;
    readonly joined: User[];
    readonly left: string[];
  };
  gap: Event & { readonly gap: Gap };
  /** It is tried again in `retryIn` seconds; null where it is not. */
  error: Event & { readonly error: PushgateError; readonly retryIn: number | null };
  /** Null where it was closed here. */
  close: Event & { readonly error: PushgateError | null };
}

export interface ChannelOptions {
  /** An id: begins with what came after it. */
  since?: string;
  /** Begins with the newest so many messages; 1 to 1000. */
  history?: number;
  /** What to be told of who is there; `diff`, from which whole lists are made. */
  users?: "diff" | "list" | "count" | "none";
  /** At most so many updates a second, of a channel that delivers the latest. */
  maxRate?: number;
}

export interface PostOptions {
  /** The client id to send to, and to nobody else. */
  to?: string;
  /** The idempotency key, of 1 to 128 characters; a random one by default. */
  key?: string;
  signal?: AbortSignal;
}

/** One channel, made by {@link Pushgate.channel}. */
export class Channel extends EventTarget implements AsyncIterable<Message> {
  private constructor();
  readonly name: string;
  readonly state: State;
  readonly transport: Transport | null;
  /** What a later channel could resume from. */
  readonly since: string | null;
  readonly users: User[];
  readonly count: number;
  /** Publishes; answered once the message has its place in the order. */
  post(value: unknown, options?: PostOptions): Promise<Message>;
  close(): void;
  [Symbol.asyncIterator](): AsyncIterator<Message>;
  addEventListener<Type extends keyof ChannelEvents>(
    type: Type,
    listener: (event: ChannelEvents[Type]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Type extends keyof ChannelEvents>(
    type: Type,
    listener: (event: ChannelEvents[Type]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

export interface PushgateOptions {
  /** A token from elsewhere, or a function that gets one each time a new one is needed. */
  token?: string | (() => string | Promise<string>);
  /** Those to use; all by default, `ws` before `sse` before `poll`. */
  transports?: Transport[];
  /** Seconds until a better transport that was blocked is tried again; 180. */
  upwardAfter?: number;
  /** Seconds that a transport gets to open, before the next one is tried; 8. */
  patience?: number;
  /** Where the platform has none. */
  WebSocket?: unknown;
  /** In the place of the platform's. */
  fetch?: typeof fetch;
}

export interface Identity {
  client_id: string;
  token: string;
  expires_in: number;
  users: User[];
}

export interface PushgateEvents {
  /**
   * A try of a login failed, or something in the background, as the renewal of a token; it is tried again in
   * `retryIn` seconds, or not where that is null.
   */
  error: Event & { readonly error: PushgateError; readonly retryIn: number | null };
}

/** A gateway, as one client of it. */
export class Pushgate extends EventTarget {
  /** By default the gateway that this script came from. */
  constructor(url?: string | URL, options?: PushgateOptions);
  readonly url: string;
  /** Null before a login. */
  readonly clientId: string | null;
  /**
   * Becomes present, under a name that others see; a second time as another client. Tried a few times, with an
   * `error` event for each try that failed, and then rejected; the channels go on trying.
   */
  login(who?: { name?: string }): Promise<Identity>;
  /** Ends the presence and all tokens, and closes the channels. */
  logout(): Promise<void>;
  /** Subscribes; `""` is the root channel. */
  channel(name?: string, options?: ChannelOptions): Channel;
  /** Closes the channels without logging out. */
  close(): void;
  addEventListener<Type extends keyof PushgateEvents>(
    type: Type,
    listener: (event: PushgateEvents[Type]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}
