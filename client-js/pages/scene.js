// A scene seen from above, as figures: what part of it is shown, and where. x grows to the right, z up the
// page, y is height. Nothing here draws, or knows what time it is.

/** Units from the centre to the nearer edges, at least. */
export const REACH = 10;
/** No drawing reaches farther; numbers beyond it would lose their digits. */
const FAR = 1e12;
/** No scene reaches farther from its origin: beyond it, an engine's numbers are too coarse for a camera. */
const STRAY = 1e6;
/** The part that the cameras take up after a view was made for them, and below which it is made anew. */
const FILLED = 0.72;
const SPARSE = 0.3;
/** How many times as far as the middle one a camera may be from all others, and be fitted in with them. */
const OUTLYING = 40;

/** As far as it is drawn. */
export function within(value) {
  return Math.min(FAR, Math.max(-FAR, value));
}

function middle(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/**
 * The box around places: `left`, `right`, `near`, `far`; null without any. One that is very far from all
 * others, or from any scene, is left out of it, or nobody would see these.
 */
export function boxOf(all) {
  const places = all.filter(({ x, z }) => Math.abs(x) <= STRAY && Math.abs(z) <= STRAY);
  if (places.length === 0) return null;
  const [xs, zs] = [places.map(({ x }) => x), places.map(({ z }) => z)];
  const [x, z] = [middle(xs), middle(zs)];
  const distances = places.map((_, index) => Math.hypot(xs[index] - x, zs[index] - z));
  const most = OUTLYING * Math.max(REACH, middle(distances));
  let box = null;
  for (const [index, distance] of distances.entries()) {
    const here = { left: xs[index], right: xs[index], near: zs[index], far: zs[index] };
    // Of two cameras none is the odd one out.
    if (places.length < 3 || distance <= most) box = around(box, here);
  }
  return box;
}

/** The box around two boxes; either may be null. */
export function around(one, other) {
  if (one === null || other === null) return one ?? other;
  return {
    left: Math.min(one.left, other.left),
    right: Math.max(one.right, other.right),
    near: Math.min(one.near, other.near),
    far: Math.max(one.far, other.far),
  };
}

/** The view where nobody is to be seen: its centre, and the units from there to the nearer edges. */
export function emptyView() {
  return { x: 0, z: 0, reach: REACH };
}

/** Pixels of a unit. */
export function scaleOf(view, { width, height }) {
  return Math.max(1, Math.min(width, height)) / 2 / view.reach;
}

/** A reach out of 10, 15, 20, 30, 50, 75, 100, …, that is not below `reach`. */
export function roundReach(reach) {
  const least = Math.max(REACH, reach);
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 1.5, 2, 3, 5, 7.5, 10].find((step) => step * power >= least * 0.999_999);
  return step * power;
}

/** The view that shows `box`: the one there is as long as it does well. */
export function fit(view, box, size) {
  if (box === null) return view;
  const short = Math.max(1, Math.min(size.width, size.height));
  const [wide, high] = [short / Math.max(1, size.width), short / Math.max(1, size.height)];
  const centre = { x: (box.left + box.right) / 2, z: (box.near + box.far) / 2 };
  const needed = Math.max(((box.right - box.left) / 2) * wide, ((box.far - box.near) / 2) * high);
  // To the very edge: a hand that moves over one map moves nobody else's view.
  const seen = view.reach * 1.001;
  const isInside =
    box.left >= view.x - seen / wide && box.right <= view.x + seen / wide &&
    box.near >= view.z - seen / high && box.far <= view.z + seen / high;
  const reach = roundReach(needed / FILLED);
  if (isInside && (needed >= view.reach * SPARSE || reach >= view.reach)) return view;
  return { ...centre, reach };
}

/** Where a place is on the map, in pixels. */
export function project(view, size, { x, z }) {
  const scale = scaleOf(view, size);
  return {
    left: size.width / 2 + (within(x) - view.x) * scale,
    top: size.height / 2 - (within(z) - view.z) * scale,
  };
}

/** The place at a point of the map. */
export function unproject(view, size, { left, top }) {
  const scale = scaleOf(view, size);
  return { x: view.x + (left - size.width / 2) / scale, z: view.z - (top - size.height / 2) / scale };
}

/** Where a camera begins: at the origin if that is seen, else in the middle of what is. */
export function beginningOf(view, size) {
  const { left, top } = project(view, size, { x: 0, z: 0 });
  const isSeen = left >= 0 && left <= size.width && top >= 0 && top <= size.height;
  return isSeen ? { x: 0, z: 0 } : { x: view.x, z: view.z };
}

/** A point held within the map, `margin` from its edge; `angle` is where it really is, null if it is there. */
export function held({ left, top }, { width, height }, margin) {
  const inside = {
    left: Math.min(Math.max(left, margin), Math.max(margin, width - margin)),
    top: Math.min(Math.max(top, margin), Math.max(margin, height - margin)),
  };
  const isThere = Math.abs(inside.left - left) <= margin && Math.abs(inside.top - top) <= margin;
  if (isThere) return { left, top, angle: null };
  return { ...inside, angle: Math.atan2(top - inside.top, left - inside.left) };
}

/** The units between two lines of the grid: 1, 2 or 5 and noughts, some `pixels` wide. */
export function stepOf(scale, pixels = 80) {
  const least = pixels / scale;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].find((step) => step * power >= least) * power;
}

/** The coordinates of the lines from `from` to `to`; no more than fit on a screen. */
export function linesOf(from, to, step) {
  const lines = [];
  for (let line = Math.ceil(from / step); line * step <= to && lines.length < 200; line += 1) lines.push(line * step);
  return lines;
}

/** How large a circle is for its height: 1 on the ground, up to twice that, down to a half. */
export function sizeOf(y, reach) {
  const height = Math.tanh(y / reach);
  return height < 0 ? 1 + height / 2 : 1 + height;
}

/** A part of the way from `from` to `to`, the same whatever the pictures a second; `pace` is milliseconds. */
export function approach(from, to, elapsed, pace) {
  const next = to + (from - to) * Math.exp(-elapsed / pace);
  return Math.abs(next - to) <= 1e-9 * Math.max(1, Math.abs(to)) ? to : next;
}

/** The next view on the way to another. */
export function approachView(from, to, elapsed, pace) {
  const near = to.reach * 1e-3;
  const isThere = Math.abs(from.x - to.x) < near && Math.abs(from.z - to.z) < near && Math.abs(from.reach - to.reach) < near;
  if (isThere) return to;
  return {
    x: approach(from.x, to.x, elapsed, pace),
    z: approach(from.z, to.z, elapsed, pace),
    reach: Math.exp(approach(Math.log(from.reach), Math.log(to.reach), elapsed, pace)),
  };
}

/**
 * How far a phone is tilted from how it was held at first: 1 is 30 degrees. `turn` is how the picture
 * stands on the phone, in degrees. Source: W3C Device Orientation, section 3.1.
 */
export function tiltOf({ beta, gamma }, first, turn = 0) {
  const part = (value) => Math.min(1, Math.max(-1, value / 30));
  const [forth, aside] = [part(around180(first.beta - beta)), part(gamma - first.gamma)];
  switch (((turn % 360) + 360) % 360) {
    case 90: return { x: -forth, z: aside };
    case 180: return { x: -aside, z: -forth };
    case 270: return { x: forth, z: -aside };
    default: return { x: aside, z: forth };
  }
}

function around180(degrees) {
  return ((((degrees + 180) % 360) + 360) % 360) - 180;
}

/** A coordinate to be read: not more digits than a glance takes. */
export function figure(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 0.005)) return value.toExponential(1).replace("-", "−").replace("e-", "e−");
  const rounded = Math.round(value * 100) / 100;
  return String(rounded === 0 ? 0 : rounded).replace("-", "−");
}
