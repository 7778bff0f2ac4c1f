// Draws a scene on a canvas: a grid with its scale, and a red circle for each camera.

import { figure, held, linesOf, project, scaleOf, sizeOf, stepOf, unproject } from "./scene.js";

/** Pixels: a circle on the ground, and its distance from the edge where it stands for one beyond. */
const RADIUS = 11;
const MARGIN = 16;
/** Cameras that get a label each; of more there would be nothing but labels. */
const LABELLED = 30;
const TURN = 2 * Math.PI;

/** The colours that the style sheet gives the canvas. */
export function coloursOf(canvas) {
  const { fill, stroke, color, accentColor, backgroundColor } = getComputedStyle(canvas);
  return { red: fill, grid: stroke, text: color, accent: accentColor, ground: backgroundColor };
}

/** One picture: a context, its size in CSS pixels, a view, colours. */
export class Drawing {
  constructor(context, size, view, colours) {
    Object.assign(this, { context, size, view, colours });
  }

  /** Everything. `strength(camera)` is how much is to be seen of each; `self` is the id of one's own. */
  draw(cameras, { strength, self }) {
    const { context, size } = this;
    context.clearRect(0, 0, size.width, size.height);
    this.#grid();
    const all = [...cameras].sort((a, b) => a.shown.y - b.shown.y);
    for (const camera of all) this.#trail(camera);
    const spots = all.map((camera) => this.#spot(camera, strength(camera)));
    for (const spot of spots) this.#shadow(spot);
    for (const spot of spots) this.#circle(spot, spot.camera.id === self);
    if (spots.length <= LABELLED) for (const spot of spots) this.#label(spot, spot.camera.id === self);
  }

  #spot(camera, strength) {
    const { view, size } = this;
    const radius = RADIUS * sizeOf(camera.shown.y, view.reach);
    const where = held(project(view, size, camera.shown), size, MARGIN);
    return { camera, strength, ...where, radius: where.angle === null ? radius : RADIUS * 0.7 };
  }

  #grid() {
    const { context, size, view, colours } = this;
    const step = stepOf(scaleOf(view, size));
    const from = unproject(view, size, { left: 0, top: size.height });
    const to = unproject(view, size, { left: size.width, top: 0 });
    context.strokeStyle = colours.grid;
    context.fillStyle = colours.text;
    context.font = "11px system-ui, sans-serif";
    for (const x of linesOf(from.x, to.x, step)) {
      const { left } = project(view, size, { x, z: 0 });
      this.#line(left, 0, left, size.height, x === 0);
      context.textAlign = "center";
      if (left > 30 && left < size.width - 30) context.fillText(figure(x), left, size.height - 6);
    }
    for (const z of linesOf(from.z, to.z, step)) {
      const { top } = project(view, size, { x: 0, z });
      this.#line(0, top, size.width, top, z === 0);
      context.textAlign = "left";
      if (top > 20 && top < size.height - 24) context.fillText(figure(z), 6, top - 4);
    }
    context.textAlign = "right";
    context.fillText("x →", size.width - 6, size.height - 6);
    context.textAlign = "left";
    context.fillText("z ↑", 6, 14);
  }

  #line(left, top, toLeft, toTop, isAxis) {
    const { context } = this;
    // On whole pixels a line is sharp.
    const sharp = (value) => Math.round(value) + 0.5;
    context.lineWidth = isAxis ? 2 : 1;
    context.beginPath();
    context.moveTo(sharp(left), sharp(top));
    context.lineTo(sharp(toLeft), sharp(toTop));
    context.stroke();
  }

  #trail({ trail, shown }) {
    if (trail.length === 0) return;
    const { context, view, size, colours } = this;
    const points = [...trail, shown].map((place) => project(view, size, place));
    context.strokeStyle = colours.red;
    for (let index = 1; index < points.length; index += 1) {
      const part = index / points.length;
      context.globalAlpha = part * 0.35;
      context.lineWidth = 1 + part * 5;
      context.beginPath();
      context.moveTo(points[index - 1].left, points[index - 1].top);
      context.lineTo(points[index].left, points[index].top);
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  /** The higher a camera, the farther from it, and the paler, is its shadow. */
  #shadow({ camera, left, top, radius, angle, strength }) {
    if (angle !== null) return;
    const { context, view } = this;
    const height = Math.max(0, Math.tanh(camera.shown.y / view.reach));
    const away = 2 + height * 26;
    context.globalAlpha = (0.3 - 0.18 * height) * strength;
    context.fillStyle = "#000";
    context.beginPath();
    context.ellipse(left + away * 0.7, top + away, radius * 0.95, radius * 0.85, 0, 0, TURN);
    context.fill();
    context.globalAlpha = 1;
  }

  #circle(spot, isSelf) {
    const { context, colours } = this;
    const { left, top, radius, angle, strength, camera } = spot;
    context.globalAlpha = strength;
    context.fillStyle = colours.red;
    if (angle !== null) this.#arrow(left, top, radius, angle);
    context.beginPath();
    context.arc(left, top, radius, 0, TURN);
    context.fill();
    if (angle === null) this.#eyes(left, top, radius, camera.heading);
    if (isSelf) {
      context.strokeStyle = colours.accent;
      context.lineWidth = 3;
      context.beginPath();
      context.arc(left, top, radius + 4, 0, TURN);
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  /** Towards one that is beyond the edge. */
  #arrow(left, top, radius, angle) {
    const { context } = this;
    const at = (turn, far) => [left + Math.cos(angle + turn) * far, top + Math.sin(angle + turn) * far];
    context.beginPath();
    context.moveTo(...at(0, radius + 8));
    context.lineTo(...at(0.7, radius));
    context.lineTo(...at(-0.7, radius));
    context.fill();
  }

  /** A camera looks where it goes; before it has gone anywhere, up the page. */
  #eyes(left, top, radius, heading) {
    const { context } = this;
    const { x, z } = heading ?? { x: 0, z: 1 };
    for (const side of [-1, 1]) {
      const middle = { left: left + (x * 0.38 - z * 0.4 * side) * radius, top: top + (-z * 0.38 - x * 0.4 * side) * radius };
      context.fillStyle = "#fff";
      context.beginPath();
      context.arc(middle.left, middle.top, radius * 0.3, 0, TURN);
      context.fill();
      context.fillStyle = "#1b1f27";
      context.beginPath();
      context.arc(middle.left + x * radius * 0.1, middle.top - z * radius * 0.1, radius * 0.16, 0, TURN);
      context.fill();
    }
  }

  #label({ camera, left, top, radius, angle, strength }, isSelf) {
    if (angle !== null) return;
    const { context, colours, size } = this;
    const text = isSelf ? `you ↕ ${figure(camera.y)}` : `↕ ${figure(camera.y)}`;
    const below = top + radius + 17 < size.height - 18 ? top + radius + 17 : top - radius - 9;
    context.font = "600 12px system-ui, sans-serif";
    context.textAlign = "center";
    context.globalAlpha = strength;
    // Readable across lines and trails.
    context.strokeStyle = colours.ground;
    context.lineWidth = 4;
    context.lineJoin = "round";
    context.strokeText(text, left, below);
    context.fillStyle = colours.text;
    context.fillText(text, left, below);
    context.globalAlpha = 1;
  }
}
