// The pages at `/` and `/widget`, as a newcomer meets them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, gateway, isAccessible, open, until } from "./support.js";

let chromium;
before(async () => (chromium = await browser()));
after(() => chromium.close());

async function join(page, name) {
  await page.fill("#name", name);
  await page.click("#join button");
  await page.locator(".person.self").waitFor();
}

for (const colorScheme of ["light", "dark"]) {
  for (const width of [390, 1280]) {
    test(`the page explains itself, ${colorScheme} and ${width} pixels wide`, async (t) => {
      const node = await gateway(t);
      const context = await chromium.newContext({ viewport: { width, height: 800 }, colorScheme });
      t.after(() => context.close());
      const elsewhere = [];
      context.on("request", (request) => {
        if (new URL(request.url()).host !== new URL(node.url).host) elsewhere.push(request.url());
      });
      const ada = await open(t, context, node.url);
      await isAccessible(ada);
      await join(ada, "Ada");
      const bob = await open(t, context, node.url);
      await join(bob, "Bob <i>");
      await ada.locator(".person", { hasText: "Bob <i>" }).waitFor();
      // A bubble floats for a moment only, and over the people alone.
      await ada.evaluate(() => {
        const people = document.getElementById("people");
        window.outside = 0;
        const look = () => {
          for (const bubble of document.querySelectorAll(".bubble")) {
            window.floated = true;
            const moved = Number.parseFloat(bubble.style.translate);
            const left = bubble.parentElement.offsetLeft + bubble.offsetLeft - people.offsetLeft + moved;
            if (!(left >= 0 && left + bubble.offsetWidth <= people.clientWidth)) window.outside += 1;
          }
        };
        new MutationObserver(look).observe(document.getElementById("people"), { childList: true, subtree: true });
      });
      await bob.fill("#text", "hello <b>Ada</b>");
      await bob.keyboard.press("Enter");
      await ada.locator("#messages .said", { hasText: "hello <b>Ada</b>" }).waitFor();
      await ada.waitForFunction(() => window.floated);
      assert.equal(await ada.locator("#transport").innerText(), "WebSocket");
      await ada.waitForFunction(() => document.getElementById("delivered").textContent === "1");
      await ada.fill("#text", "W".repeat(3000));
      await ada.keyboard.press("Enter");
      await ada.locator("#messages .said", { hasText: "WWW" }).waitFor();
      assert.equal(await ada.evaluate(() => window.outside), 0);
      await isAccessible(ada);
      const isWide = await ada.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      assert.equal(isWide, false);

      await bob.close({ runBeforeUnload: true });
      await ada.waitForFunction(() => document.querySelectorAll(".person:not(.gone)").length === 1, null, { timeout: 5000 });
      assert.deepEqual(elsewhere, []);
      assert.deepEqual(ada.problems, []);
    });
  }
}

test("the snippets have this gateway's own address, and can be copied", async (t) => {
  const node = await gateway(t);
  const context = await chromium.newContext();
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  t.after(() => context.close());
  const page = await open(t, context, node.url);
  for (const tab of ["curl", "JavaScript", "Channel API", "One tag"]) {
    await page.getByRole("tab", { name: tab }).click();
    const panel = page.getByRole("tabpanel");
    const code = await panel.locator("code").innerText();
    assert.ok(code.includes(node.url) && !code.includes("BASE"), code);
    await panel.getByRole("button", { name: "Copy" }).click();
    await panel.getByRole("button", { name: "Copied" }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), code);
  }
});

test("the JavaScript and Channel API snippets work as they stand", async (t) => {
  const node = await gateway(t);
  const context = await chromium.newContext();
  t.after(() => context.close());
  const page = await open(t, context, node.url);
  const code = async (tab) => {
    await page.getByRole("tab", { name: tab }).click();
    return page.getByRole("tabpanel").locator("code").innerText();
  };
  const [module, old] = [await code("JavaScript"), await code("Channel API")];
  const lines = [];
  const reader = await context.newPage();
  reader.on("console", (message) => lines.push(message.text()));
  await reader.setContent(old);
  await until(() => lines.length > 0);
  const writer = await context.newPage();
  await writer.setContent(`<script type="module">${module}</script>`);
  await until(() => lines.some((line) => line.includes('"value":"hello"')));
});

test("the widget's page shows the widget at work", async (t) => {
  const node = await gateway(t);
  for (const colorScheme of ["light", "dark"]) {
    const context = await chromium.newContext({ viewport: { width: 390, height: 800 }, colorScheme });
    t.after(() => context.close());
    const page = await open(t, context, `${node.url}/widget`);
    await page.locator("push-gate .person").first().waitFor();
    await page.locator("push-gate input").fill("hello");
    await page.locator("push-gate input").press("Enter");
    await page.locator("push-gate .text", { hasText: "hello" }).last().waitFor();
    await isAccessible(page);
    assert.deepEqual(page.problems, []);
  }
});

test("the page says that the gateway does not answer, and joins once it does", async (t) => {
  const node = await gateway(t);
  const context = await chromium.newContext();
  t.after(() => context.close());
  const page = await open(t, context, node.url);
  await node.stop("SIGKILL");
  await page.fill("#name", "Ada");
  await page.click("#join button");
  const trouble = page.locator("#trouble", { hasText: /^The gateway does not answer\. Trying again in \d+ s\.$/ });
  await trouble.waitFor({ timeout: 5000 });
  await node.start();
  await page.locator(".person.self").waitFor({ timeout: 25_000 });
  assert.equal(await page.locator("#trouble").innerText(), "");
  assert.deepEqual(page.problems, []);
});
