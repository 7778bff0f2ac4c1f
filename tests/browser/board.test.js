// The page at `/board`: a list and a form, live where there are scripts.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, fits, gateway, isAccessible, open, until } from "./support.js";

const KEY = "a-key-of-the-board-tests-0123456789";

let chromium;
before(async () => (chromium = await browser()));
after(() => chromium.close());

async function newContext(t, options = {}) {
  const context = await chromium.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  t.after(() => context.close());
  return context;
}

async function add(node, comment) {
  const response = await fetch(`${node.url}/topics`, { method: "POST", body: new URLSearchParams({ comment }) });
  assert.equal(response.status, 201);
  return response.json();
}

const topics = (page) => page.locator("#topics li").allTextContents();

test("the board changes without being loaded anew, and whoever writes is not disturbed", async (t) => {
  const node = await gateway(t, `[api]\nkeys = ["${KEY}"]\n`);
  await add(node, "before");
  const context = await newContext(t);
  const [one, other] = [await open(t, context, `${node.url}/board`), await open(t, context, `${node.url}/board/`)];
  await other.locator("#transport", { hasText: "WebSocket" }).waitFor();
  await other.getByRole("textbox", { name: "A new topic" }).fill("half a senten");
  await other.evaluate(() => {
    window.kept = document.querySelector("#topics li");
    document.getElementById("comment").setSelectionRange(4, 4);
  });
  await one.getByRole("textbox", { name: "A new topic" }).fill("from one");
  await one.keyboard.press("Enter");
  for (const page of [one, other]) await until(async () => (await topics(page)).join() === "before,from one");
  assert.equal(await one.getByRole("textbox", { name: "A new topic" }).inputValue(), "");
  assert.equal(await one.getByRole("textbox", { name: "A new topic" }).evaluate((it) => it === document.activeElement), true);
  assert.deepEqual(
    await other.evaluate(() => {
      const text = document.getElementById("comment");
      const isKept = window.kept === document.querySelector("#topics li");
      return [text.value, text.selectionStart, text === document.activeElement, isKept];
    }),
    ["half a senten", 4, true, true],
  );
  // What came while one looked is marked, and read out; what was there is not.
  assert.deepEqual(await other.locator("#topics .fresh").allTextContents(), ["from one"]);
  assert.equal(await other.locator("#topics").getAttribute("aria-live"), "polite");
  assert.equal(await other.locator("#count").innerText(), "2");

  const { id } = await add(node, "third");
  await until(async () => (await topics(other)).length === 3);
  const [{ id: first }] = (await (await fetch(`${node.url}/topics`)).json()).contents;
  for (const gone of [first, id]) {
    await fetch(`${node.url}/topics/${gone}`, { method: "DELETE", headers: { authorization: `Bearer ${KEY}` } });
  }
  for (const page of [one, other]) await until(async () => (await topics(page)).join() === "from one");
  await fetch(`${node.url}/topics/${id - 1}`, { method: "DELETE", headers: { authorization: `Bearer ${KEY}` } });
  await other.getByText("Nothing here yet").waitFor();
  assert.deepEqual([...one.problems, ...other.problems], []);
});

test("a topic has several lines, and Enter posts it", async (t) => {
  const node = await gateway(t);
  const page = await open(t, await newContext(t), `${node.url}/board`);
  await page.getByRole("textbox", { name: "A new topic" }).pressSequentially("one");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("two");
  await page.getByRole("button", { name: "Post" }).click();
  await until(async () => (await topics(page)).join() === "one\ntwo");
  assert.deepEqual((await (await fetch(`${node.url}/topics`)).json()).contents.map(({ comment }) => comment), ["one\ntwo"]);
});

test("the board works without scripts", async (t) => {
  const node = await gateway(t);
  const context = await newContext(t, { javaScriptEnabled: false });
  const page = await open(t, context, `${node.url}/board`);
  await page.getByText("Nothing here yet").waitFor();
  await page.getByRole("textbox", { name: "A new topic" }).fill("by hand <b>\nand more");
  await page.getByRole("button", { name: "Post" }).click();
  await page.waitForURL(`${node.url}/board`);
  assert.deepEqual(await topics(page), ["by hand <b>\nand more"]);
  assert.equal(await page.getByText("Nothing here yet").isVisible(), false);
  // What is refused is told.
  await page.getByRole("textbox", { name: "A new topic" }).fill("   ");
  await page.getByRole("button", { name: "Post" }).click();
  await page.getByRole("alert").filter({ hasText: "comment" }).waitFor();
  await page.getByRole("textbox", { name: "A new topic" }).fill("again");
  await page.getByRole("button", { name: "Post" }).click();
  await page.waitForURL(`${node.url}/board`);
  assert.deepEqual(await topics(page), ["by hand <b>\nand more", "again"]);
  assert.equal(await page.locator("#gauges").isVisible(), false, "what needs scripts is not shown");
});

test("what is refused is said in words, and what was written stays", async (t) => {
  const node = await gateway(t);
  const page = await open(t, await newContext(t), `${node.url}/board`);
  const problem = (status, code) => ({
    status,
    contentType: "application/problem+json",
    body: JSON.stringify({ status, code, detail: "some detail <b>" }),
  });
  const cases = [
    [problem(409, "board-full"), /The board is full/],
    [problem(400, "bad-request"), /does not take this: some detail <b>\.$/],
    [problem(503, "unavailable"), /cannot be written at the moment/],
    [problem(503, "draining"), /restarting/],
    [problem(429, "rate-limited"), /too fast/],
    [problem(418, "else"), /did not work: some detail/],
    [{ status: 502, body: "<h1>Bad gateway</h1>" }, /did not work: 502/],
    [null, /cannot be reached/],
  ];
  for (const [answer, words] of cases) {
    await page.route("**/topics", (route) => (answer ? route.fulfill(answer) : route.abort()), { times: 1 });
    await page.getByRole("textbox", { name: "A new topic" }).fill("a topic");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: words }).waitFor();
    assert.equal(await page.getByRole("textbox", { name: "A new topic" }).inputValue(), "a topic");
  }
  await page.getByRole("textbox", { name: "A new topic" }).fill(" ");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").filter({ hasText: "Write something first" }).waitFor();
  await page.getByRole("textbox", { name: "A new topic" }).fill("x".repeat(990));
  await page.getByText("10 characters left").waitFor();
  await page.keyboard.press("Enter");
  await until(async () => (await topics(page)).length === 1);
  assert.equal(await page.getByRole("alert").innerText(), "");
  assert.deepEqual(page.problems, []);
});

const JUNK = [
  '<img src=x onerror="window.broken = 1"><script>window.broken = 1</script>',
  "\u202Eoverride \u2067isolate",
  "W".repeat(1000),
  "👩‍👩‍👧‍👦 🏳️‍🌈 로비 東京",
  "<!--topics--></ul>",
];

for (const colorScheme of ["light", "dark"]) {
  for (const width of [390, 1280]) {
    test(`the page is for everyone, and shows junk as text, ${colorScheme} and ${width} pixels wide`, async (t) => {
      const node = await gateway(t);
      for (const comment of JUNK) await add(node, comment);
      for (const javaScriptEnabled of [true, false]) {
        const context = await newContext(t, { viewport: { width, height: 800 }, colorScheme, javaScriptEnabled });
        const elsewhere = [];
        context.on("request", (request) => {
          if (new URL(request.url()).host !== new URL(node.url).host) elsewhere.push(request.url());
        });
        const page = await open(t, context, `${node.url}/board`);
        assert.deepEqual(await topics(page), JUNK);
        assert.equal(await page.locator("img:not([src='/pages/icon.svg']), #topics script").count(), 0);
        assert.deepEqual(elsewhere, []);
        if (!javaScriptEnabled) continue;
        await page.locator("#transport", { hasText: "WebSocket" }).waitFor();
        await page.locator("#count", { hasText: String(JUNK.length) }).waitFor();
        assert.deepEqual(await topics(page), JUNK);
        assert.equal(await page.evaluate(() => window.broken), undefined);
        await isAccessible(page);
        await fits(page);
        assert.deepEqual(page.problems, []);
      }
    });
  }
}
