// How the widget looks. What a page may change: the custom properties, and the parts by `::part`.

const CSS = `
:host {
  --background: var(--push-gate-background, light-dark(#ffffff, #16181d));
  --surface: var(--push-gate-surface, light-dark(#f3f4f7, #20242c));
  --text: var(--push-gate-text, light-dark(#1b1f27, #e8eaf0));
  --muted: var(--push-gate-muted, light-dark(#5b6270, #a3abba));
  --border: var(--push-gate-border, light-dark(#d8dce4, #343a46));
  --accent: var(--push-gate-accent, light-dark(#2452d6, #8fabff));
  --on-accent: var(--push-gate-on-accent, light-dark(#ffffff, #10131a));
  --radius: var(--push-gate-radius, 12px);
  color-scheme: light dark;
  display: flex;
  flex-direction: column;
  box-sizing: border-box;
  inline-size: 100%;
  block-size: var(--push-gate-height, 420px);
  min-block-size: 220px;
  overflow: hidden;
  font: var(--push-gate-font, 15px/1.45 system-ui, sans-serif);
  color: var(--text);
  background: var(--background);
  border: 1px solid var(--border);
  border-radius: var(--radius);
}
:host([hidden]) { display: none; }
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
* { box-sizing: border-box; }
header {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 4px 10px;
  padding: 10px 14px;
  border-block-end: 1px solid var(--border);
}
.status { display: flex; align-items: center; gap: 7px; margin: 0; font-size: 0.87em; color: var(--muted); }
.status::before {
  content: "";
  inline-size: 9px;
  block-size: 9px;
  border-radius: 50%;
  background: light-dark(#a2710c, #e0ad3f);
}
.status[data-state="open"]::before { background: light-dark(#1c8a4a, #45c97c); }
.status[data-state="closed"]::before { background: light-dark(#b4232c, #ff7a80); }
.people {
  display: flex;
  flex-wrap: wrap;
  gap: 5px;
  max-block-size: 5.2em;
  margin: 0;
  padding: 0;
  overflow: auto;
  list-style: none;
}
.person {
  max-inline-size: 13em;
  padding: 1px 9px;
  overflow: hidden;
  font-size: 0.85em;
  text-overflow: ellipsis;
  white-space: nowrap;
  background: var(--surface);
  border-radius: 99px;
}
.person[data-self] { font-weight: 600; }
.messages {
  flex: 1;
  min-block-size: 0;
  margin: 0;
  padding: 10px 14px;
  overflow-y: auto;
  overscroll-behavior: contain;
}
.messages:focus-visible { outline: 2px solid var(--accent); outline-offset: -3px; }
.message { margin-block: 0 9px; }
.line { display: flex; gap: 8px; align-items: baseline; font-size: 0.85em; color: var(--muted); }
.name { overflow: hidden; font-weight: 600; color: var(--text); text-overflow: ellipsis; white-space: nowrap; }
.message[data-self] .name { color: var(--accent); }
.text { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: isolate; }
.note { margin-block: 0 9px; font-size: 0.87em; font-style: italic; color: var(--muted); }
form { display: flex; gap: 8px; padding: 10px; border-block-start: 1px solid var(--border); }
input {
  flex: 1;
  min-inline-size: 0;
  padding: 9px 12px;
  font: inherit;
  color: inherit;
  background: var(--surface);
  border: 1px solid var(--border);
  border-radius: calc(var(--radius) * 0.7);
}
button {
  padding: 9px 15px;
  font: inherit;
  font-weight: 600;
  color: var(--on-accent);
  cursor: pointer;
  background: var(--accent);
  border: 0;
  border-radius: calc(var(--radius) * 0.7);
}
input:focus-visible, button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.warning { margin: 0; padding: 0 14px 8px; font-size: 0.87em; color: light-dark(#a11d26, #ff9a9f); }
.warning:empty { display: none; }
.hidden { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`;

let sheet = null;

/** The style sheet, one for all widgets of a page. Made by script, so no policy on styles forbids it. */
export function styleSheet() {
  if (sheet === null) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
}
