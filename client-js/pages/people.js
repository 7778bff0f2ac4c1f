// A face for each client, always the same for the same id.

import { element, shown } from "./shown.js";

/** A number out of an id, the same each time. */
function numberOf(id) {
  let number = 2166136261;
  for (const sign of id) number = Math.imul(number ^ sign.codePointAt(0), 16777619);
  return number >>> 0;
}

/** The colour of a client. */
export function hueOf(id) {
  return numberOf(id) % 360;
}

const SVG = "http://www.w3.org/2000/svg";
const MOUTHS = ["M10 20c3 5 9 5 12 0", "M11 21c2 2 8 2 10 0", "M10 19c2 7 10 7 12 0z", "M12 21h8", "M11 20c1 4 5 5 9 1"];
const EYES = [[2.6, 2.6], [2.1, 3.2], [3, 2.2], [2.4, 2.4]];

function svg(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** The face of a client, with its name. */
export function face(id, name, isSelf) {
  const number = numberOf(id);
  const [width, height] = EYES[(number >>> 9) % EYES.length];
  const drawing = svg("svg", { viewBox: "0 0 32 32", "aria-hidden": "true", class: "face" });
  const far = 4.6 + ((number >>> 12) % 5) / 4;
  drawing.append(
    svg("circle", { cx: 16, cy: 16, r: 15, class: "skin" }),
    svg("ellipse", { cx: 16 - far, cy: 13, rx: width, ry: height, class: "eye" }),
    svg("ellipse", { cx: 16 + far, cy: 13, rx: width, ry: height, class: "eye" }),
    svg("path", { d: MOUTHS[(number >>> 16) % MOUTHS.length], class: "mouth" }),
  );
  const label = element("bdi", { class: "label" }, name ? shown(name) : "somebody");
  const made = element("li", { class: isSelf ? "person self" : "person" }, drawing, label);
  if (isSelf) made.append(element("span", { class: "you" }, "you"));
  made.style.setProperty("--hue", hueOf(id));
  // They do not all blink at once.
  made.style.setProperty("--late", `${-(number % 5000)}ms`);
  return made;
}
