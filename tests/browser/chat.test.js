// The pages at `/chat/` and `/chat/{room}/`: rooms that know nothing of each other.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, fits, gateway, isAccessible, open, until } from "./support.js";

let chromium;
before(async () => (chromium = await browser()));
after(() => chromium.close());

async function newContext(t, options = {}) {
  const context = await chromium.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-US", ...options });
  t.after(() => context.close());
  return context;
}

/** Enters a room by the page that asks for it. */
async function enter(t, context, node, room) {
  const page = await open(t, context, `${node.url}/chat/`);
  await page.getByRole("textbox", { name: "Which room?" }).fill(room);
  await page.keyboard.press("Enter");
  await page.locator("push-gate .person").first().waitFor();
  return page;
}

async function say(page, text) {
  await page.locator("push-gate input").fill(text);
  await page.locator("push-gate input").press("Enter");
}

const texts = (page) => page.locator("push-gate .text").allTextContents();

test("two tabs in one room see each other, and a third room sees nothing", async (t) => {
  const node = await gateway(t);
  const context = await newContext(t);
  const ada = await enter(t, context, node, "로비");
  assert.equal(ada.url(), `${node.url}/chat/${encodeURIComponent("로비")}/`);
  // Decomposed, and without the slash: the same room.
  const bob = await open(t, context, `${node.url}/chat/${encodeURIComponent("로비".normalize("NFD"))}`);
  const eve = await enter(t, context, node, "lobby");
  for (const page of [ada, bob]) await page.locator("push-gate .status", { hasText: "2 here" }).waitFor();
  assert.equal(await bob.getByRole("heading", { name: "로비" }).isVisible(), true);

  await ada.getByLabel("Your name").fill("Ada <b>");
  await ada.keyboard.press("Enter");
  await bob.locator("push-gate .person", { hasText: "Ada <b>" }).waitFor();
  await say(ada, "hello <b>Bob</b>");
  await bob.locator("push-gate .text", { hasText: "hello <b>Bob</b>" }).waitFor();
  await say(bob, "hello Ada");
  await ada.locator("push-gate .text", { hasText: "hello Ada" }).waitFor();
  await say(eve, "is nobody here?");
  await eve.locator("push-gate .text").first().waitFor();
  assert.deepEqual(await texts(eve), ["is nobody here?"]);
  const both = ["hello <b>Bob</b>", "hello Ada"];
  for (const page of [ada, bob]) await until(async () => (await texts(page)).length === both.length);
  for (const page of [ada, bob]) assert.deepEqual(await texts(page), both);
  assert.equal(await eve.locator("push-gate .person").count(), 1);

  // Who comes later reads what was said, under the name that this browser knows.
  const later = await enter(t, context, node, "로비");
  await until(async () => (await texts(later)).length === 2);
  await later.locator("push-gate .person", { hasText: "Ada <b> (you)" }).waitFor();
  for (const page of [ada, bob, eve, later]) assert.deepEqual(page.problems, []);
});

test("the newest 50 are there on entering", async (t) => {
  const node = await gateway(t);
  const { token } = await (await fetch(`${node.url}/login`)).json();
  for (let number = 0; number < 60; number += 1) {
    const body = new URLSearchParams({ token, value: `n${number}` });
    await fetch(`${node.url}/post/chat/lobby`, { method: "POST", body });
  }
  const page = await open(t, await newContext(t), `${node.url}/chat/lobby/`);
  await page.locator("push-gate .text", { hasText: "n59" }).waitFor();
  assert.deepEqual(await texts(page), Array.from({ length: 50 }, (_, number) => `n${number + 10}`));
});

test("rooms of before are remembered, and forgotten when asked", async (t) => {
  const node = await gateway(t);
  const context = await newContext(t);
  for (const room of ["lobby", "東京"]) await enter(t, context, node, room);
  const page = await open(t, context, `${node.url}/chat/`);
  const links = page.getByRole("list").getByRole("link");
  assert.deepEqual(await links.allInnerTexts(), ["東京", "lobby"]);
  await links.first().click();
  await page.getByRole("heading", { name: "東京" }).waitFor();
  await page.goBack();
  await page.getByRole("button", { name: "Forget these" }).click();
  assert.equal(await links.count(), 0);
  await page.reload();
  assert.equal(await page.locator("#before").isVisible(), false);
});

test("a browser that remembers nothing can chat all the same", async (t) => {
  const node = await gateway(t);
  const context = await newContext(t);
  await context.addInitScript(() => {
    Object.defineProperty(window, "localStorage", {
      get() {
        throw new DOMException("denied", "SecurityError");
      },
    });
  });
  const page = await enter(t, context, node, "lobby");
  await page.getByLabel("Your name").fill("Ada");
  await page.keyboard.press("Enter");
  await page.locator("push-gate .person", { hasText: "Ada (you)" }).waitFor();
  assert.deepEqual(page.problems, []);
});

test("a bad name is told in words, where it is written and where it is an address", async (t) => {
  const node = await gateway(t);
  const context = await newContext(t);
  const page = await open(t, context, `${node.url}/chat/`);
  const cases = [["my room", /How about my-room/], ["", /needs a name/], ["x".repeat(65), /at most 64/], ["..", /lead elsewhere/], ["👋", /letters, digits/]];
  for (const [room, why] of cases) {
    await page.getByRole("textbox", { name: "Which room?" }).fill(room);
    await page.keyboard.press("Enter");
    assert.match(await page.getByRole("alert").innerText(), why);
  }
  assert.equal(page.url(), `${node.url}/chat/`);
  const response = await page.goto(`${node.url}/chat/a%20b`);
  assert.equal(response.status(), 400);
  await page.getByText("letters, digits and _.~- only").waitFor();
  await isAccessible(page);
  await page.getByRole("link", { name: "Choose a room" }).click();
  await page.getByRole("textbox", { name: "Which room?" }).waitFor();
});

test("the link to share leads here", async (t) => {
  const node = await gateway(t);
  const context = await newContext(t);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await enter(t, context, node, "東京");
  await page.getByRole("button", { name: "Copy" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), page.url());
});

const JUNK = [
  '<img src=x onerror="window.broken = 1"><script>window.broken = 1</script>',
  "\u202Eoverride \u2067isolate",
  "W".repeat(32_000),
  "👩‍👩‍👧‍👦 🏳️‍🌈 로비 東京",
  "nul \u0000 bell \u0007 end",
];

for (const colorScheme of ["light", "dark"]) {
  for (const width of [390, 1280]) {
    test(`the pages are for everyone, and show junk as text, ${colorScheme} and ${width} pixels wide`, async (t) => {
      const node = await gateway(t);
      const { token } = await (await fetch(`${node.url}/login`, { method: "POST", body: new URLSearchParams({ name: "\u202EEve <i>" }) })).json();
      for (const value of JUNK) {
        const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
        await fetch(`${node.url}/post/chat/${"x".repeat(64)}`, { method: "POST", headers, body: JSON.stringify({ value }) });
      }
      const context = await newContext(t, { viewport: { width, height: 800 }, colorScheme });
      const elsewhere = [];
      context.on("request", (request) => {
        if (new URL(request.url()).host !== new URL(node.url).host) elsewhere.push(request.url());
      });
      const page = await enter(t, context, node, "x".repeat(64));
      await until(async () => (await texts(page)).length === JUNK.length);
      assert.deepEqual(await texts(page), [...JUNK.slice(0, 4), "nul \u2400 bell \u2407 end"]);
      assert.equal(await page.evaluate(() => window.broken), undefined);
      await isAccessible(page);
      await fits(page);
      // The whole room is on the screen: one writes without looking for where.
      const form = await page.locator("push-gate form").boundingBox();
      assert.ok(form.y + form.height <= 800, JSON.stringify(form));
      const ask = await open(t, context, `${node.url}/chat`);
      await ask.getByRole("list").getByRole("link").waitFor();
      await isAccessible(ask);
      await fits(ask);
      assert.deepEqual(elsewhere, []);
      assert.deepEqual([...page.problems, ...ask.problems], []);
    });
  }
}
