// JSON of what came as JSON. Some libraries of old give arrays and strings a `toJSON` of their own, which
// `JSON.stringify` would ask.

const UNSAFE = /[\u0000-\u001f"\\\u2028\u2029]/g;

function quoted(text) {
  const escaped = text.replace(UNSAFE, (sign) => {
    if (sign === '"' || sign === "\\") return `\\${sign}`;
    return `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
  return `"${escaped}"`;
}

/** The text of a value that `JSON.parse` has made, or that is built as it makes them. */
export function jsonOf(value) {
  if (typeof value === "string") return quoted(value);
  if (value === null || typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[${Array.prototype.map.call(value, jsonOf).join(",")}]`;
  const members = Object.keys(value).filter((name) => value[name] !== undefined);
  return `{${members.map((name) => `${quoted(name)}:${jsonOf(value[name])}`).join(",")}}`;
}
