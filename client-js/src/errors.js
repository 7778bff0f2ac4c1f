// What goes wrong, as the page is told.

/** Seconds that a gateway, or what stands before it, can make us wait at most. */
const LONGEST_ASKED = 3600;

/**
 * A failure that the gateway named, or that the way to it caused.
 *
 * `code` is that of the problem document (`token-expired`, `rate-limited`, …), or `unreachable` where
 * no answer came, or `http-502` and the like where something else than a gateway answered, or `closed`
 * where the gateway ended a stream; `closeCode` is then the WebSocket code.
 */
export class PushgateError extends Error {
  constructor(code, detail, { status = 0, closeCode = 0, retryAfter = null } = {}) {
    super(detail ? `${code}: ${detail}` : code);
    this.name = "PushgateError";
    this.code = code;
    this.detail = detail ?? "";
    /** The HTTP status, 0 where there was none. */
    this.status = status;
    /** The close code of the stream, 0 where there was none. */
    this.closeCode = closeCode;
    /** Seconds that the gateway asks to wait; null where it does not say. */
    this.retryAfter = retryAfter === null ? null : Math.min(retryAfter, LONGEST_ASKED);
  }

  /** Whether the gateway itself said so, and not something on the way to it, or nobody. */
  get isAnswer() {
    if (this.closeCode !== 0) return this.closeCode === 1001 || this.closeCode >= 4000;
    return this.status !== 0 && !this.code.startsWith("http-");
  }

  /** Whether the same may succeed later: what the gateway has not said is an outage, whatever it looks like. */
  get isTemporary() {
    if (this.closeCode !== 0) return !FINAL_CLOSES.has(this.closeCode);
    return !this.isAnswer || this.status === 408 || this.status === 429 || this.status >= 500;
  }

  /** Whether a new token may help. */
  get isAboutToken() {
    return (this.status === 401 && this.isAnswer) || this.closeCode === 4001;
  }
}

/** Expired, logged out or replaced, and kicked: nothing to come back with, unless there is a new token. */
const FINAL_CLOSES = new Set([4001, 4002, 4003]);

/** The failure in an answer that is none of success. */
export async function failureOf(response) {
  const retryAfter = seconds(response.headers.get("retry-after"));
  const { status } = response;
  let problem = null;
  try {
    problem = JSON.parse(await response.text());
  } catch {
    // A proxy's own page, or nothing.
  }
  if (isProblem(problem)) return new PushgateError(problem.code, problem.detail, { status, retryAfter });
  return new PushgateError(`http-${status}`, `what answered ${status} is no gateway`, { status, retryAfter });
}

/** Whether a gateway says so: what stands before it may speak JSON, too. */
function isProblem(problem) {
  const { type, code } = problem ?? {};
  return typeof code === "string" && typeof type === "string" && type.endsWith(`#${code}`);
}

/** No answer, or none any more; `cause` is the exception behind it. */
export function unreachable(cause, retryAfter = null) {
  const isNoJson = cause instanceof SyntaxError;
  const detail = isNoJson ? "what answered is no gateway" : (cause?.message ?? "the connection was lost");
  const error = new PushgateError("unreachable", detail, { retryAfter });
  error.cause = cause;
  return error;
}

/** A stream that brings nothing any more, not even a sign of life. */
export function silent() {
  const error = unreachable(new Error("the stream fell silent"));
  error.isSilence = true;
  return error;
}

/** A stream that the gateway ended with a close code. */
export function closedWith(closeCode, retryAfter = null) {
  return new PushgateError("closed", `the gateway ended the stream with ${closeCode}`, {
    closeCode,
    retryAfter,
  });
}

/** `Retry-After` in seconds; RFC 9110 section 10.2.3 allows a date, too. */
function seconds(text) {
  if (!text) return null;
  const number = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isFinite(number) ? Math.max(0, number) : null;
}
