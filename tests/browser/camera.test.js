// The page at `/camera`: what one moves, the others see.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, fits, gateway, isAccessible, open, until } from "./support.js";

const KEY = "a-key-of-the-camera-tests-0123456789";

let chromium;
before(async () => (chromium = await browser()));
after(() => chromium.close());

async function newContext(t, options = {}) {
  const context = await chromium.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  t.after(() => context.close());
  return context;
}

/** Red points on the map, as a box in CSS pixels; null without any. */
function redBox(page) {
  return page.evaluate(() => {
    const canvas = document.getElementById("map");
    const ratio = canvas.width / canvas.clientWidth;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let box = null;
    for (let index = 0; index < data.length; index += 4) {
      const [red, green, blue, alpha] = data.subarray(index, index + 4);
      if (alpha < 250 || red < 180 || green > 110 || blue > 120) continue;
      const left = ((index / 4) % canvas.width) / ratio;
      const top = Math.floor(index / 4 / canvas.width) / ratio;
      box ??= { left, right: left, top, bottom: top };
      box = {
        left: Math.min(box.left, left),
        right: Math.max(box.right, left),
        top: Math.min(box.top, top),
        bottom: Math.max(box.bottom, top),
      };
    }
    return box;
  });
}

/** Where the one circle of a page is. */
async function circle(page) {
  const box = await redBox(page);
  return box && { left: (box.left + box.right) / 2, top: (box.top + box.bottom) / 2, size: box.right - box.left };
}

/** Has the page be a camera. */
async function fly(page) {
  await page.getByRole("button", { name: "Be a camera" }).click();
  await page.getByRole("button", { name: "Stop being a camera" }).waitFor();
}

const near = (one, left, top) => one && Math.abs(one.left - left) < 4 && Math.abs(one.top - top) < 4;

/** A sender that is no page. */
async function sender(node, name = "camera") {
  const { token, client_id: id } = await (await fetch(`${node.url}/login?users=none`)).json();
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const send = (value) => fetch(`${node.url}/post/${name}`, { method: "POST", headers, body: JSON.stringify({ value }) });
  return { id, send };
}

test("a circle moves in one tab when the mouse moves in another", async (t) => {
  const node = await gateway(t);
  const context = await newContext(t);
  const [one, other] = [await open(t, context, `${node.url}/camera`), await open(t, context, `${node.url}/camera/`)];
  await other.locator("#empty").waitFor();
  assert.equal(await redBox(other), null);
  await fly(one);
  const map = await one.locator("#map").boundingBox();
  for (const [left, top] of [[200, 150], [600, 400], [120, 300]]) {
    await one.mouse.move(map.x + left, map.y + top, { steps: 5 });
    // Both pages are as wide, so both have it at the same place.
    await until(async () => near(await circle(other), left, top));
    await until(async () => near(await circle(one), left, top));
  }
  await other.getByRole("listitem").filter({ hasText: /x −\d/ }).waitFor();
  assert.equal(await other.locator("#cameras li").count(), 1);
  await one.locator("#cameras li", { hasText: /^you/ }).waitFor();

  // Higher is larger.
  const before = await circle(other);
  await one.getByLabel("Height").fill("20");
  await until(async () => (await circle(other)).size > before.size + 5);
  await one.mouse.wheel(0, 300);
  await until(async () => (await one.getByLabel("Height").inputValue()) !== "20");

  // By keyboard alone, and out again.
  await one.locator("#map").focus();
  const here = await circle(other);
  for (let press = 0; press < 10; press += 1) await one.keyboard.press("ArrowRight");
  for (let press = 0; press < 3; press += 1) await one.keyboard.press("ArrowUp");
  await until(async () => {
    const now = await circle(other);
    return now.left > here.left + 20 && now.top < here.top - 5;
  });
  await one.keyboard.press("Escape");
  await other.locator("#empty").waitFor();
  assert.equal(await one.getByRole("button", { name: "Be a camera" }).evaluate((it) => it === document.activeElement), true);
  await until(async () => (await redBox(one)) === null && (await redBox(other)) === null);
  assert.deepEqual([...one.problems, ...other.problems], []);
});

test("a tab that is closed takes its camera along", async (t) => {
  const node = await gateway(t);
  const context = await newContext(t);
  const [one, other] = [await open(t, context, `${node.url}/camera`), await open(t, context, `${node.url}/camera`)];
  await fly(one);
  await until(async () => (await redBox(other)) !== null);
  await one.close({ runBeforeUnload: true });
  await until(async () => (await redBox(other)) === null);
});

test("a restart of the gateway ends nobody's flight", async (t) => {
  const node = await gateway(t);
  const context = await newContext(t);
  const [one, other] = [await open(t, context, `${node.url}/camera`), await open(t, context, `${node.url}/camera`)];
  await fly(one);
  await until(async () => (await redBox(other)) !== null);
  await node.stop();
  await node.start();
  for (const page of [one, other]) await page.locator("#transport", { hasText: "WebSocket" }).waitFor();
  const map = await one.locator("#map").boundingBox();
  await one.mouse.move(map.x + 500, map.y + 100);
  await until(async () => near(await circle(other), 500, 100));
  // The list is told calmly, once a second.
  for (const page of [one, other]) await until(async () => (await page.locator("#cameras li").count()) === 1);
  assert.deepEqual([...one.problems, ...other.problems], []);
});

test("whoever is sent away is told, and may come back", async (t) => {
  const node = await gateway(t, `[api]\nkeys = ["${KEY}"]\n`);
  const page = await open(t, await newContext(t), `${node.url}/camera`);
  await fly(page);
  const id = await page.locator("#cameras li").getAttribute("data-id");
  const headers = { authorization: `Bearer ${KEY}` };
  await fetch(`${node.url}/api/disconnect`, { method: "POST", headers, body: new URLSearchParams({ client_id: id }) });
  await page.getByRole("button", { name: "Be a camera" }).waitFor();
  assert.notEqual(await page.getByRole("alert").innerText(), "");
  await page.locator("#empty").waitFor();
  await fly(page);
  await page.locator("#cameras li", { hasText: "you" }).waitFor();
  assert.equal(await page.getByRole("alert").innerText(), "");
  assert.deepEqual(page.problems, []);
});

test("who comes later sees where everybody is, one circle a sender, and other scenes are other scenes", async (t) => {
  const node = await gateway(t);
  const context = await newContext(t);
  const [ada, bob, elsewhere] = [await sender(node), await sender(node), await sender(node, "camera/hall")];
  for (const z of [1, 2, 3]) await ada.send({ x: -4, y: 0, z });
  await bob.send({ x: 4, y: 0, z: -1, name: "<b>" });
  await elsewhere.send({ x: 1, y: 2, z: 3 });
  const page = await open(t, context, `${node.url}/camera`);
  const lines = page.locator("#cameras .place");
  await until(async () => (await lines.count()) === 2);
  assert.deepEqual((await lines.allInnerTexts()).sort(), ["x 4, y 0, z −1", "x −4, y 0, z 3"]);
  const hall = await open(t, context, `${node.url}/camera/hall`);
  await hall.locator("#cameras .place", { hasText: "x 1, y 2, z 3" }).waitFor();
  assert.equal(await hall.locator("#cameras li").count(), 1);
  assert.match(await hall.getByRole("tabpanel").innerText(), /-c camera\/hall/);

  // Far away: the view goes along.
  await bob.send({ x: 4000, y: 0, z: 12 });
  await lines.filter({ hasText: "x 4000" }).waitFor();
  await until(async () => {
    const box = await redBox(page);
    return box !== null && box.right - box.left > 300;
  });
  assert.deepEqual([...page.problems, ...hall.problems], []);
});

test("who is nowhere near takes nobody along", async (t) => {
  const node = await gateway(t);
  const context = await newContext(t);
  const [stray, ada] = [await sender(node), await sender(node)];
  await stray.send({ x: 1e308, y: 0, z: 0 });
  const page = await open(t, context, `${node.url}/camera`);
  const lines = page.locator("#cameras li");
  await until(async () => (await lines.count()) === 1);
  await ada.send({ x: 3, y: 0, z: 4 });
  await until(async () => (await lines.count()) === 2);
  await fly(page);
  await lines.filter({ hasText: /^you x 0, .*z 0$/ }).waitFor();
  const map = await page.locator("#map").boundingBox();
  await page.mouse.move(map.x + map.width / 2 + 40, map.y + map.height / 2 - 40, { steps: 3 });
  await lines.filter({ hasText: /^you x \d(\.\d+)?, .*z \d(\.\d+)?$/ }).waitFor();
  assert.deepEqual(page.problems, []);
});

test("the snippets name a scene as each of them needs it", async (t) => {
  const node = await gateway(t);
  const context = await newContext(t);
  const page = await open(t, context, `${node.url}/camera/${encodeURIComponent("로비")}`);
  const code = async (tab) => {
    await page.getByRole("tab", { name: tab }).click();
    return page.getByRole("tabpanel").locator("code").first().innerText();
  };
  assert.match(await code("curl"), /stream\/camera\/%EB%A1%9C%EB%B9%84\n/);
  const writer = await context.newPage();
  await writer.setContent(`<script type="module">${await code("JavaScript")}</script>`);
  await page.locator("#cameras .place", { hasText: "x 3, y 1.6, z 4" }).waitFor();
});

test("200 senders at ten a second each are 200 circles, and the page goes on", async (t) => {
  const node = await gateway(t);
  const page = await (await newContext(t)).newPage();
  // In the place of a gateway that has them: a debug build with 200 sockets has enough to do.
  await page.addInitScript(() => {
    window.WebSocket = class {
      constructor() {
        let offset = 0;
        const send = (message) => this.onmessage({ data: JSON.stringify(message) });
        setTimeout(() => send({ since: "00000001-0" }), 10);
        this.timer = setInterval(() => {
          for (let number = 0; number < 200; number += 1) {
            const [turn, far] = [(number / 200) * 2 * Math.PI + offset / 2000, 5 + (number % 5)];
            const data = { x: Math.cos(turn) * far, y: number % 7, z: Math.sin(turn) * far };
            send({ id: `00000001-${(offset += 1)}`, client_id: `camera${number}`, data });
          }
        }, 100);
      }
      close() {
        clearInterval(this.timer);
      }
    };
  });
  await page.goto(`${node.url}/camera`);
  await page.evaluate(() => {
    window.pictures = 0;
    const count = () => requestAnimationFrame(() => count((window.pictures += 1)));
    count();
  });
  await page.locator("#count", { hasText: "200" }).waitFor();
  await page.locator("#more", { hasText: "and 150 more" }).waitFor();
  await until(async () => Number((await page.locator("#rate").innerText()).replace(",", "")) > 500);
  const before = await page.evaluate(() => window.pictures);
  // It still answers whoever uses it.
  await page.getByRole("button", { name: "Be a camera" }).click();
  await page.locator("#cameras li", { hasText: "you" }).waitFor();
  await page.waitForFunction((before) => window.pictures > before + 10, before);
});

test("what was said before the page came is drawn, and is no rate", async (t) => {
  const node = await gateway(t);
  const { send } = await sender(node, "camera/earlier");
  for (let x = 0; x < 100; x += 1) await send({ x: x / 20, y: 0, z: 0 });
  const page = await (await newContext(t)).newPage();
  await page.addInitScript(() => {
    window.rates = [];
    addEventListener("DOMContentLoaded", () => {
      const rate = document.getElementById("rate");
      new MutationObserver(() => window.rates.push(Number(rate.textContent))).observe(rate, { childList: true });
    });
  });
  await page.goto(`${node.url}/camera/earlier`);
  await until(() => redBox(page));
  const shown = await page.waitForFunction(() => window.rates.length > 1 && window.rates);
  assert.deepEqual(new Set(await shown.jsonValue()), new Set([0]));
});

test("a phone's sensor is a camera where there is one", async (t) => {
  const node = await gateway(t);
  const context = await newContext(t, { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
  const plain = await open(t, context, `${node.url}/camera`);
  await plain.locator("#transport", { hasText: "WebSocket" }).waitFor();
  // A browser may have to be asked before it says that there is none.
  if (await plain.locator("#tilt").isVisible()) {
    await plain.getByRole("button", { name: "Tilt this phone" }).click();
    await plain.getByText("does not say how it is held").waitFor();
    assert.equal(await plain.locator("#flight").isVisible(), false);
  }
  const page = await open(t, context, `${node.url}/camera`);
  const devtools = await context.newCDPSession(page);
  const hold = (beta, gamma) => devtools.send("DeviceOrientation.setDeviceOrientationOverride", { alpha: 0, beta, gamma });
  await hold(40, 0);
  await page.reload();
  await page.getByRole("button", { name: "Tilt this phone" }).click();
  await page.getByRole("button", { name: "Stop tilting" }).waitFor();
  // It is where it was held at first; then to the right, and up the page.
  await hold(40.5, 0.5);
  await hold(25, 15);
  await page.locator("#cameras .place", { hasText: /x 4\.\d+, y 1\.6, z 4\.\d+/ }).waitFor();
  await page.getByRole("button", { name: "Stop tilting" }).click();
  await page.locator("#empty").waitFor();
  assert.deepEqual(page.problems, []);
});

test("nothing moves by itself: pictures end with the movement", async (t) => {
  const node = await gateway(t);
  const ada = await sender(node);
  const context = await newContext(t, { reducedMotion: "reduce" });
  const page = await open(t, context, `${node.url}/camera`);
  await ada.send({ x: 1, y: 2, z: 3 });
  await until(async () => (await redBox(page)) !== null);
  const asked = await page.evaluate(async () => {
    let asked = 0;
    const real = window.requestAnimationFrame;
    window.requestAnimationFrame = (run) => real(run, (asked += 1));
    await new Promise((done) => setTimeout(done, 1500));
    return asked;
  });
  assert.ok(asked <= 2, `${asked} pictures of nothing new`);
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [390, 1280]) {
    test(`the page is for everyone, ${colorScheme} and ${width} pixels wide`, async (t) => {
      const node = await gateway(t);
      const [ada, bob] = [await sender(node), await sender(node)];
      await ada.send({ x: -4, y: 12, z: 3 });
      await bob.send({ x: 1e300, y: -1e-300, z: 123456789012345678901234567890n.toString().length });
      const context = await newContext(t, { viewport: { width, height: 800 }, colorScheme });
      const elsewhere = [];
      context.on("request", (request) => {
        if (new URL(request.url()).host !== new URL(node.url).host) elsewhere.push(request.url());
      });
      const page = await open(t, context, `${node.url}/camera`);
      await page.locator("#cameras li").nth(1).waitFor();
      await isAccessible(page);
      await fly(page);
      await page.locator("#cameras li").nth(2).waitFor();
      await isAccessible(page);
      await fits(page);
      assert.deepEqual(elsewhere, []);
      assert.deepEqual(page.problems, []);
    });
  }
}
