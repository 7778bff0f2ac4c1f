// The element `<push-gate>`, defined by loading `pushgate/widget`.

import type { Channel, Message, PushgateError } from "./pushgate.js";

/** What bubbles out of the element, each with a `detail`. */
export interface PushGateElementEvents {
  "push-gate-message": CustomEvent<Message>;
  /** As it was told: a `TypeError` where the address or the channel is none. */
  "push-gate-error": CustomEvent<PushgateError | TypeError>;
}

/**
 * Attributes: `channel`, `name`, `gate`, `token`, `history`, `theme`, `lang`.
 */
export class PushGateElement extends HTMLElement {
  static readonly observedAttributes: string[];
  /** What the widget receives, for whoever wants more of it; null while it is not on a page. */
  readonly channelObject: Channel | null;
  connectedCallback(): void;
  disconnectedCallback(): void;
  attributeChangedCallback(name: string, before: string | null, after: string | null): void;
  /** Puts the cursor where one writes. */
  focus(options?: FocusOptions): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "push-gate": PushGateElement;
  }
  interface HTMLElementEventMap extends PushGateElementEvents {}
}
