// What the camera page reckons with: views, places, cameras that come and go, and how often it sends.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Cameras } from "../pages/cameras.js";
import * as scene from "../pages/scene.js";
import { Sender } from "../pages/sender.js";
import { chance } from "./support.js";

const SIZES = [
  { width: 360, height: 500 },
  { width: 900, height: 560 },
  { width: 1, height: 1 },
];

describe("a view", () => {
  test("has x to the right and z up the page, and goes back and forth", () => {
    const view = { x: 3, z: -2, reach: 10 };
    for (const size of SIZES) {
      const middle = scene.project(view, size, { x: 3, z: -2 });
      assert.deepEqual(middle, { left: size.width / 2, top: size.height / 2 });
      const other = scene.project(view, size, { x: 4, z: -1 });
      assert.ok(other.left > middle.left && other.top < middle.top);
      const back = scene.unproject(view, size, other);
      assert.ok(Math.abs(back.x - 4) < 1e-9 && Math.abs(back.z + 1) < 1e-9);
    }
  });

  test("fits whatever cameras there are, and stays as long as it does", () => {
    const random = chance(7);
    const between = (least, most) => least + random() * (most - least);
    for (let round = 0; round < 500; round += 1) {
      const size = SIZES[round % 2];
      const far = 10 ** between(-3, 6);
      const places = Array.from({ length: 1 + Math.floor(random() * 2) }, () => ({ x: between(-far, far), z: between(-far, far) }));
      const view = scene.fit(scene.emptyView(), scene.boxOf(places), size);
      for (const place of places) {
        const { left, top } = scene.project(view, size, place);
        assert.ok(left >= 0 && left <= size.width && top >= 0 && top <= size.height, JSON.stringify({ places, view }));
      }
      assert.equal(scene.fit(view, scene.boxOf(places), size), view, "the same cameras, the same view");
      assert.ok(view.reach >= scene.REACH);
    }
  });

  test("of nobody is the one there was; of a few who come closer it is a smaller one", () => {
    const view = scene.emptyView();
    const [size] = SIZES;
    assert.equal(scene.fit(view, null, size), view);
    const wide = scene.fit(view, scene.boxOf([{ x: -500, z: 0 }, { x: 500, z: 0 }]), size);
    assert.ok(wide.reach > 500 && wide.reach < 1000, String(wide.reach));
    const close = scene.fit(wide, scene.boxOf([{ x: -5, z: 0 }, { x: 5, z: 0 }]), size);
    assert.equal(close.reach, scene.REACH);
  });

  test("leaves one out that is very far from all others, and holds it at the edge", () => {
    const places = [...Array.from({ length: 9 }, (_, x) => ({ x, z: x % 3 })), { x: 1e9, z: 0 }];
    const box = scene.boxOf(places);
    assert.deepEqual(box, { left: 0, right: 8, near: 0, far: 2 });
    assert.deepEqual(scene.boxOf([{ x: 0, z: 0 }, { x: 1e5, z: 0 }]), { left: 0, right: 1e5, near: 0, far: 0 });
    assert.deepEqual(scene.boxOf([{ x: 0, z: 0 }, { x: 0, z: -1e9 }]), { left: 0, right: 0, near: 0, far: 0 });
    assert.equal(scene.boxOf([{ x: 1e308, z: 0 }]), null, "nobody goes there");
    const [size] = SIZES;
    const there = scene.held(scene.project(scene.emptyView(), size, { x: 1e9, z: 0 }), size, 16);
    assert.deepEqual(there, { left: size.width - 16, top: 250, angle: 0 });
    assert.deepEqual(scene.held({ left: 5, top: 6 }, size, 16), { left: 5, top: 6, angle: null });
  });

  test("has a camera begin at the origin, or where the scene is", () => {
    const [size] = SIZES;
    assert.deepEqual(scene.beginningOf(scene.emptyView(), size), { x: 0, z: 0 });
    const aside = scene.fit(scene.emptyView(), scene.boxOf([{ x: 5, z: -3 }]), size);
    assert.deepEqual(scene.beginningOf(aside, size), { x: 0, z: 0 });
    const away = scene.fit(scene.emptyView(), scene.boxOf([{ x: 500, z: 700 }]), size);
    assert.deepEqual(scene.beginningOf(away, size), { x: 500, z: 700 });
  });

  test("reckons with any finite number", () => {
    for (const x of [1e308, -1e308, Number.MAX_VALUE, Number.MIN_VALUE, -0]) {
      for (const size of SIZES) {
        const view = scene.fit(scene.emptyView(), scene.boxOf([{ x, z: x }, { x: -x, z: 1 }]), size);
        assert.ok(Object.values(view).every(Number.isFinite), JSON.stringify(view));
        assert.ok(Object.values(scene.project(view, size, { x, z: x })).every(Number.isFinite));
        const step = scene.stepOf(scene.scaleOf(view, size));
        const lines = scene.linesOf(view.x - view.reach, view.x + view.reach, step);
        assert.ok(lines.length >= 0 && lines.length < 200 && lines.every(Number.isFinite));
      }
    }
  });

  test("has lines at round numbers, neither crowded nor rare", () => {
    for (const scale of [0.000_01, 0.3, 1, 17, 2500]) {
      const step = scene.stepOf(scale, 80);
      assert.ok(step * scale >= 80 && step * scale <= 200.001, `${scale}: ${step}`);
      assert.match(step.toExponential(), /^[125]e/);
    }
    assert.deepEqual(scene.linesOf(-3, 5, 2), [-2, 0, 2, 4]);
  });

  test("comes to rest, however it is looked at", () => {
    let view = { x: 0, z: 0, reach: 10 };
    const aim = { x: 5000, z: -3, reach: 750 };
    let pictures = 0;
    for (; view !== aim; pictures += 1) view = scene.approachView(view, aim, 16, 180);
    assert.ok(pictures > 10 && pictures < 300, String(pictures));
  });
});

describe("a circle", () => {
  test("is the larger the higher, within bounds", () => {
    const sizes = [-1e300, -5, 0, 5, 1e300].map((y) => scene.sizeOf(y, 10));
    assert.deepEqual(sizes, [...sizes].sort((a, b) => a - b));
    assert.deepEqual([sizes[0], sizes[2], sizes[4]], [0.5, 1, 2]);
  });

  test("is told in figures that can be read", () => {
    const told = [0, -0, 1.005, -2.5, 1234.5678, 1e9, 0.000_12, 0.001, -1e-7].map(scene.figure);
    assert.deepEqual(told, ["0", "0", "1", "−2.5", "1234.57", "1.0e+9", "1.2e−4", "1.0e−3", "−1.0e−7"]);
  });
});

test("a phone is tilted as it is looked at, whichever way up", () => {
  const flat = { beta: 40, gamma: 0 };
  const close = (tilt, x, z) => assert.ok(Math.abs(tilt.x - x) < 1e-9 && Math.abs(tilt.z - z) < 1e-9, JSON.stringify(tilt));
  close(scene.tiltOf(flat, flat), 0, 0);
  close(scene.tiltOf({ beta: 25, gamma: 15 }, flat), 0.5, 0.5);
  close(scene.tiltOf({ beta: 25, gamma: 15 }, flat, 180), -0.5, -0.5);
  // On its side, its right edge up: what was aside is forth.
  close(scene.tiltOf({ beta: 40, gamma: 15 }, flat, 90), 0, 0.5);
  close(scene.tiltOf({ beta: 40, gamma: 15 }, flat, -90), 0, -0.5);
  close(scene.tiltOf({ beta: -170, gamma: 90 }, { beta: 170, gamma: -90 }), 1, -20 / 30);
});

describe("the cameras", () => {
  test("are the newest place of each sender", () => {
    const cameras = new Cameras();
    for (let time = 0; time < 100; time += 1) cameras.hear(`id${time % 3}`, { x: time, y: 0, z: 0 }, time);
    assert.deepEqual([...cameras].map(({ id, x }) => [id, x]), [["id1", 97], ["id2", 98], ["id0", 99]]);
  });

  test("are none where no place is told", () => {
    const cameras = new Cameras();
    for (const junk of [null, undefined, 7, "x", [], {}, { x: 1, y: 2 }, { x: "1", y: 2, z: 3 }, { x: NaN, y: 1, z: 1 }, { x: Infinity, y: 1, z: 1 }]) {
      assert.equal(cameras.hear("id", junk, 0), false);
    }
    assert.equal(cameras.size, 0);
  });

  test("fade when they are silent, and go unless they are on the channel", () => {
    const cameras = new Cameras();
    cameras.hear("gone", { x: 0, y: 0, z: 0 }, 0);
    cameras.hear("here", { x: 0, y: 0, z: 0 }, 0);
    cameras.here(["here"]);
    assert.equal(cameras.strength(cameras.get("gone"), 7000), 1);
    assert.equal(cameras.isFading(7000), false);
    assert.equal(cameras.isFading(10_000), true);
    const faint = cameras.strength(cameras.get("gone"), 20_000);
    assert.ok(faint > 0.2 && faint < 0.5);
    assert.equal(cameras.isFading(20_000), false);
    assert.equal(cameras.sweep(29_000), false);
    assert.equal(cameras.sweep(31_000), true);
    assert.deepEqual([...cameras].map(({ id }) => id), ["here"]);
    assert.equal(cameras.left("here"), true);
    assert.equal(cameras.size, 0);
  });

  test("are so many, and no more", () => {
    const cameras = new Cameras();
    for (let number = 0; number < 5000; number += 1) cameras.hear(`id${number}`, { x: number, y: 0, z: 0 }, number);
    assert.equal(cameras.size, 500);
    assert.ok(cameras.get("id4999") && !cameras.get("id0"));
  });

  for (const isStill of [false, true]) {
    test(`come to rest where they are${isStill ? ", at once if nothing is to move" : ""}`, () => {
      const cameras = new Cameras();
      cameras.hear("id", { x: 0, y: 0, z: 0 }, 0);
      cameras.hear("id", { x: 5, y: 2, z: -3 }, 1);
      let [time, pictures] = [1, 0];
      while (cameras.step((time += 16), 16, 10, isStill)) pictures += 1;
      assert.deepEqual(cameras.get("id").shown, { x: 5, y: 2, z: -3 });
      assert.deepEqual(cameras.get("id").trail, []);
      assert.ok(isStill ? pictures <= 1 : pictures > 5 && pictures < 200, String(pictures));
      assert.ok(cameras.get("id").heading.x > 0 && cameras.get("id").heading.z < 0);
    });
  }

  test("keep in view where they were lately, and forget it", () => {
    const cameras = new Cameras();
    cameras.hear("id", { x: 100, y: 0, z: 0 }, 0);
    cameras.box(0);
    cameras.hear("id", { x: -100, y: 0, z: 0 }, 1000);
    assert.deepEqual(cameras.box(1000), { left: -100, right: 100, near: 0, far: 0 });
    cameras.box(12_000);
    assert.deepEqual(cameras.box(23_000), { left: -100, right: -100, near: 0, far: 0 });
    assert.equal(new Cameras().box(0), null);
  });

  test("of 200 senders are moved on in no time worth speaking of", () => {
    const cameras = new Cameras();
    for (let time = 0; time < 20; time += 1) {
      for (let id = 0; id < 200; id += 1) cameras.hear(`id${id}`, { x: id + time, y: 1, z: id }, time * 100);
      cameras.step(time * 100, 16, 100, false);
      cameras.box(time * 100);
    }
    assert.equal(cameras.size, 200);
  });
});

describe("what is sent", () => {
  /** A clock that goes when it is told to, and a gateway that answers when it is told to. */
  function stage() {
    const made = { now: 0, timers: [], sent: [], troubles: [], answers: [] };
    const post = (place) => {
      made.sent.push([made.now, place.x]);
      return new Promise((done, fail) => made.answers.push({ done, fail }));
    };
    const later = (run, wait) => made.timers.push({ run, at: made.now + wait });
    made.sender = new Sender(post, (error) => made.troubles.push(error), { clock: () => made.now, later });
    made.pass = async (milliseconds) => {
      const end = made.now + milliseconds;
      for (;;) {
        await settled();
        const next = made.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        made.timers.splice(made.timers.indexOf(next), 1);
        made.now = next.at;
        next.run();
      }
      made.now = end;
    };
    made.answer = async (error) => {
      const answer = made.answers.shift();
      error ? answer.fail(error) : answer.done();
      await settled();
    };
    return made;
  }
  const settled = () => new Promise((done) => setImmediate(done));

  test("is the newest, ten times a second at most", async () => {
    const { sender, sent, pass, answer } = stage();
    for (let x = 0; x < 1000; x += 1) {
      sender.offer({ x, y: 0, z: 0 });
      await pass(1);
      if (x % 7 === 0 && sent.length > 0) await answer().catch(() => {});
    }
    assert.ok(sent.length >= 8 && sent.length <= 11, String(sent.length));
    for (const [index, [time]] of sent.entries()) if (index > 0) assert.ok(time - sent[index - 1][0] >= 100);
    assert.ok(sent.at(-1)[1] >= 890);
  });

  test("waits for the one before, and is then where the camera is by now", async () => {
    const { sender, sent, pass, answer } = stage();
    sender.offer({ x: 1, y: 0, z: 0 });
    await pass(50);
    sender.offer({ x: 2, y: 0, z: 0 });
    sender.offer({ x: 3, y: 0, z: 0 });
    await pass(1000);
    assert.deepEqual(sent, [[0, 1]]);
    await answer();
    await pass(0);
    assert.deepEqual(sent, [[0, 1], [1050, 3]]);
    sender.offer({ x: 3, y: 0, z: 0 });
    await answer();
    await pass(200);
    assert.equal(sent.length, 2, "what has not changed is not sent again");
  });

  test("is said again by who stands still, and goes on after a failure", async () => {
    const { sender, sent, troubles, pass, answer } = stage();
    sender.offer({ x: 1, y: 0, z: 0 });
    await answer(new Error("no"));
    assert.equal(troubles[0].message, "no");
    await pass(10_000);
    assert.deepEqual(sent.map(([, x]) => x), [1, 1]);
    await answer();
    assert.equal(troubles[1], null);
    sender.offer({ x: 2, y: 0, z: 0 });
    await pass(200);
    const closed = sender.close();
    sender.offer({ x: 3, y: 0, z: 0 });
    await answer();
    await closed;
    await pass(60_000);
    assert.deepEqual(sent.map(([, x]) => x), [1, 1, 2], "nothing after the end");
  });
});
