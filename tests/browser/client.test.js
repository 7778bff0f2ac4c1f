// `Pushgate` and the widget, on pages of other origins.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, gateway, open, proxy, site } from "./support.js";

let chromium;
before(async () => (chromium = await browser()));
after(() => chromium.close());

function newPage(gate, channel) {
  return `<!doctype html><meta charset="utf-8"><title>new</title>
<script type="module">
import { Pushgate } from "${gate}/pushgate.js";
window.users = []; window.messages = []; window.gaps = 0; window.errors = [];
window.gate = new Pushgate();
const me = await gate.login({ name: "Ada" });
window.channel = gate.channel(${JSON.stringify(channel)});
channel.addEventListener("users", (event) => (window.users = event.users));
channel.addEventListener("message", ({ data }) => messages.push(data));
channel.addEventListener("gap", () => (window.gaps += 1));
channel.addEventListener("error", ({ error }) => errors.push(error.code));
</script>`;
}

async function meet(pages) {
  for (const page of pages) {
    await page.waitForFunction((n) => window.users?.length === n, pages.length, { timeout: 15_000 });
  }
}

for (const [name, blocked] of [
  ["ws", []],
  ["sse", ["/ws"]],
  ["poll", ["/ws", "/sse"]],
]) {
  test(`two pages meet, talk and part over ${name}`, async (t) => {
    const node = await gateway(t);
    const gate = await proxy(t, node, (path) => (blocked.some((verb) => path.startsWith(verb)) ? "refuse" : "pass"));
    const other = await site(t, { "/": newPage(gate, "") });
    const context = await chromium.newContext();
    t.after(() => context.close());
    const first = await open(t, context, other);
    const second = await open(t, context, other);
    await meet([first, second]);
    assert.equal(await first.evaluate(() => channel.transport), name);
    await Promise.all(
      Array.from({ length: 50 }, (_, number) => first.evaluate((text) => channel.post(text), `n${number}`)),
    );
    await second.waitForFunction(() => messages.length === 50, null, { timeout: 15_000 });
    const [one, two] = await Promise.all([first, second].map((page) => page.evaluate(() => messages)));
    assert.deepEqual(one, two);
    assert.equal(new Set(two).size, 50);
    assert.equal(await second.evaluate(() => gaps), 0);

    await second.close({ runBeforeUnload: true });
    const left = Date.now();
    await first.waitForFunction(() => users.length === 1, null, { timeout: 10_000, polling: 20 });
    assert.ok(Date.now() - left < 1000, `${Date.now() - left} ms`);
    assert.deepEqual(first.problems, []);
  });
}

test("eight channels of a page without WebSocket receive, and a post gets through", async (t) => {
  const node = await gateway(t);
  const gate = await proxy(t, node, (path) => (path.startsWith("/ws") ? "refuse" : "pass"));
  const other = await site(t, { "/": newPage(gate, "chat/r0") });
  const context = await chromium.newContext();
  t.after(() => context.close());
  const page = await open(t, context, other);
  await page.waitForFunction(() => window.channel?.state === "open");
  await page.evaluate(() => {
    window.all = [channel];
    for (let number = 1; number < 8; number += 1) all.push(gate.channel(`chat/r${number}`));
    window.heard = all.map(() => []);
    for (const [number, one] of all.entries()) one.addEventListener("message", ({ data }) => heard[number].push(data));
  });
  await page.waitForFunction(() => all.every(({ state }) => state === "open"), null, { timeout: 20_000 });
  const used = await page.evaluate(() => all.map(({ transport }) => transport).sort());
  assert.deepEqual(used, ["poll", "poll", "poll", "poll", "sse", "sse", "sse", "sse"]);
  const posted = await page.evaluate(() => Promise.all(all.map((one, number) => one.post(`to ${number}`))));
  assert.equal(posted.length, 8);
  await page.waitForFunction(() => heard.every((texts) => texts.length === 1), null, { timeout: 20_000 });
  assert.deepEqual(
    await page.evaluate(() => heard),
    Array.from({ length: 8 }, (_, number) => [`to ${number}`]),
  );
  assert.deepEqual(await page.evaluate(() => [errors, gaps]), [[], 0]);
});

test("seven tabs without WebSocket share what a browser has", async (t) => {
  const node = await gateway(t);
  const gate = await proxy(t, node, (path) => (path.startsWith("/ws") ? "refuse" : "pass"));
  const other = await site(t, { "/": newPage(gate, "chat/lobby") });
  const context = await chromium.newContext();
  t.after(() => context.close());
  const pages = [];
  for (let number = 0; number < 7; number += 1) {
    const page = await open(t, context, other);
    await page.waitForFunction(() => window.channel?.state === "open", null, { timeout: 20_000 });
    pages.push(page);
  }
  const used = await Promise.all(pages.map((page) => page.evaluate(() => channel.transport)));
  assert.deepEqual(used, ["sse", "sse", "sse", "sse", "poll", "poll", "poll"]);
  await pages[0].evaluate(() => channel.post("from a stream"));
  await pages[6].evaluate(() => channel.post("from a poll"));
  for (const page of pages) await page.waitForFunction(() => messages.length === 2, null, { timeout: 20_000 });
  await meet(pages);
});

test("a page that is put away and taken out again goes on where it was", async (t) => {
  const node = await gateway(t);
  const other = await site(t, { "/": newPage(node.url, ""), "/away": "<title>away</title>" });
  const context = await chromium.newContext();
  t.after(() => context.close());
  const page = await open(t, context, other);
  await meet([page]);
  await page.evaluate(() => channel.post("one"));
  await page.waitForFunction(() => messages.length === 1);
  // As the browser tells a page of it; whether it really keeps the page is its own business.
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
  assert.equal(await page.evaluate(() => channel.state), "resting");
  const token = (await (await fetch(`${node.url}/login`)).json()).token;
  await fetch(`${node.url}/post`, { method: "POST", body: new URLSearchParams({ token, value: "two" }) });
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await page.waitForFunction(() => messages.length === 2, null, { timeout: 10_000 });
  assert.deepEqual(await page.evaluate(() => [messages, gaps]), [["one", "two"], 0]);
});

const NASTY = [
  '<img src=x onerror="window.broken = 1"><script>window.broken = 1</script>',
  "\u202Eoverride \u2067isolate",
  "x".repeat(32_000),
  "👩‍👩‍👧‍👦 🏳️‍🌈 로비 東京",
  "nul \u0000 bell \u0007 end",
];

test("the widget works under a strict policy, and shows everything as text", async (t) => {
  const node = await gateway(t);
  const policy = `script-src 'self' ${node.url}; connect-src ${node.url} ${node.url.replace("http", "ws")}`;
  const embed = (name) =>
    `<!doctype html><meta charset="utf-8"><title>w</title><script type="module" src="${node.url}/widget.js"></script>` +
    `<push-gate channel="chat/lobby" name="${name}"></push-gate>`;
  const files = { "/ada": embed("Ada &lt;b&gt;x"), "/bob": embed("\u202EBob") };
  const other = await site(t, files, { "content-security-policy": policy });
  const context = await chromium.newContext();
  t.after(() => context.close());
  const [ada, bob] = [await open(t, context, `${other}/ada`), await open(t, context, `${other}/bob`)];
  for (const page of [ada, bob]) await page.locator("push-gate .person").nth(1).waitFor();
  assert.match(await bob.locator("push-gate .people").innerText(), /Ada <b>x/);

  for (const text of NASTY.slice(0, 4)) {
    await ada.locator("push-gate input").fill(text);
    await ada.locator("push-gate input").press("Enter");
  }
  // An input takes no NUL: that one comes from elsewhere.
  const { token } = await (await fetch(`${node.url}/login`)).json();
  await ada.locator("push-gate .text").nth(3).waitFor();
  await fetch(`${node.url}/post/chat/lobby`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ value: NASTY[4] }),
  });
  await bob.locator("push-gate .text").nth(4).waitFor();
  const shown = await bob.locator("push-gate .text").evaluateAll((all) => all.map((one) => one.textContent));
  assert.deepEqual(shown, [...NASTY.slice(0, 4), "nul \u2400 bell \u2407 end"]);
  assert.equal(await bob.evaluate(() => document.querySelector("push-gate").shadowRoot.querySelector("img, script")), null);
  for (const page of [ada, bob]) {
    assert.equal(await page.evaluate(() => window.broken), undefined);
    assert.deepEqual(page.problems, []);
    const isWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(isWide, false, "a long word pushes nothing aside");
  }
  await bob.close({ runBeforeUnload: true });
  await ada.waitForFunction(
    () => document.querySelector("push-gate").shadowRoot.querySelectorAll(".person").length === 1,
    null,
    { timeout: 5000 },
  );
});

test("the widget speaks the reader's language, and is used by keyboard alone", async (t) => {
  const node = await gateway(t);
  const page = (language) =>
    `<!doctype html><meta charset="utf-8"><title>w</title><body lang="${language}">` +
    `<script type="module" src="${node.url}/widget.js"></script><push-gate channel="chat/words"></push-gate>`;
  const send = { en: "Send", ja: "送信", ko: "보내기", zh: "发送", fr: "Send" };
  const other = await site(t, Object.fromEntries(Object.keys(send).map((name) => [`/${name}`, page(name)])));
  const context = await chromium.newContext({ locale: "en-US" });
  t.after(() => context.close());
  for (const [language, word] of Object.entries(send)) {
    const reader = await open(t, context, `${other}/${language}`);
    assert.equal(await reader.locator("push-gate button").innerText(), word);
    await reader.close();
  }
  const reader = await open(t, context, `${other}/en`);
  await reader.locator("push-gate .person").first().waitFor();
  await reader.keyboard.press("Tab");
  await reader.keyboard.press("Tab");
  await reader.keyboard.type("by keyboard");
  await reader.keyboard.press("Enter");
  await reader.getByRole("log").getByText("by keyboard").waitFor();
  assert.equal(await reader.evaluate(() => document.querySelector("push-gate").shadowRoot.activeElement.tagName), "INPUT");
});

test("the widget says so where it cannot work, and shows nobody as present", async (t) => {
  const node = await gateway(t);
  const page = (attributes) =>
    `<!doctype html><meta charset="utf-8"><title>w</title><script type="module" src="${node.url}/widget.js"></script>` +
    `<script>addEventListener("push-gate-error", () => (window.told = true));</script><push-gate ${attributes}></push-gate>`;
  const wrong = ['channel=".."', 'gate="http://[bad"', 'channel="chat/lobby" token="none"', 'channel="a/b/c/d/e"'];
  const files = Object.fromEntries(wrong.map((attributes, index) => [`/${index}`, page(attributes)]));
  const other = await site(t, { ...files, "/name": page('channel="chat/lobby" name="Zo&euml;&#9;"'), "/good": page('channel="chat/lobby"') });
  const context = await chromium.newContext({ locale: "en-US" });
  t.after(() => context.close());
  for (const index of wrong.keys()) {
    const reader = await open(t, context, `${other}/${index}`);
    await reader.locator("push-gate .status", { hasText: "Disconnected" }).waitFor({ timeout: 10_000 });
    assert.notEqual(await reader.locator("push-gate .warning").innerText(), "", wrong[index]);
    assert.equal(await reader.locator("push-gate .person").count(), 0);
    assert.equal(await reader.evaluate(() => window.told), true, wrong[index]);
    assert.deepEqual(reader.problems, []);
    await reader.close();
  }
  const named = await open(t, context, `${other}/name`);
  await named.locator("push-gate .person", { hasText: "Zoë (you)" }).waitFor();
  await named.evaluate(() => document.querySelector("push-gate").setAttribute("lang", "ko"));
  await named.locator("push-gate button", { hasText: "보내기" }).waitFor();
});

test("what goes wrong the widget tells in the reader's language, and in no other", async (t) => {
  const node = await gateway(t, '[channels.off]\nkind = "off"\n');
  const nobody = await site(t, {});
  const page = (attributes) =>
    `<!doctype html><meta charset="utf-8"><title>w</title><body><script type="module" src="${node.url}/widget.js"></script>` +
    `<script>addEventListener("push-gate-error", ({ detail }) => (window.told = String(detail)));</script>` +
    `<push-gate ${attributes}></push-gate>`;
  const final = {
    'channel=".."': /チャンネルは存在しません/,
    'channel="off"': /チャンネルは存在しません/,
    'channel="a/b/c/d/e"': /チャンネルは存在しません/,
    'token="bad"': /トークンが無効です/,
    'gate=""': /アドレスが正しくありません/,
  };
  const waiting = { 'gate="http://127.0.0.1:1"': /応答しません/, [`gate="${nobody}" token="some"`]: /応答しません/ };
  const all = Object.entries({ ...final, ...waiting });
  const files = Object.fromEntries(all.map(([attributes], index) => [`/${index}`, page(`lang="ja" ${attributes}`)]));
  const other = await site(t, files);
  const context = await chromium.newContext({ locale: "en-US" });
  t.after(() => context.close());
  for (const [index, [attributes, text]] of all.entries()) {
    const reader = await open(t, context, `${other}/${index}`);
    await reader.locator("push-gate").locator(".warning, .status", { hasText: text }).waitFor({ timeout: 10_000 });
    const shown = await reader.locator("push-gate .warning, push-gate .status").allInnerTexts();
    assert.doesNotMatch(shown.join(" "), /[a-z]/i, attributes);
    assert.ok(await reader.evaluate(() => window.told), attributes);
    await reader.close();
  }
});

test("what is too large is told to a page of another origin", async (t) => {
  const node = await gateway(t);
  const embed =
    `<!doctype html><meta charset="utf-8"><title>w</title><script type="module" src="${node.url}/widget.js"></script>` +
    `<push-gate channel="chat/large"></push-gate>`;
  const other = await site(t, { "/": newPage(node.url, "room/large"), "/widget": embed });
  const context = await chromium.newContext({ locale: "en-US" });
  t.after(() => context.close());
  const page = await open(t, context, other);
  await meet([page]);
  const errors = await page.evaluate(async () => {
    const { Pushgate } = await import(`${gate.url}pushgate.js`);
    const post = await channel.post("x".repeat(1_100_000)).catch(({ code, status }) => [code, status]);
    const told = [];
    for (const length of [8300, 20_000]) {
      const late = new Pushgate(gate.url, { token: "x".repeat(length) }).channel("room/large");
      told.push(await new Promise((done) => late.addEventListener("close", ({ error }) => done(error.status))));
    }
    return [post, told];
  });
  assert.deepEqual(errors, [["too-large", 413], [414, 414]]);
  const widget = await open(t, context, `${other}/widget`);
  await widget.locator("push-gate .person").first().waitFor();
  await widget.evaluate(() => {
    const { shadowRoot } = document.querySelector("push-gate");
    shadowRoot.querySelector("input").value = "x".repeat(2_000_000);
    shadowRoot.querySelector("form").requestSubmit();
  });
  await widget.locator("push-gate .warning", { hasText: "That is too long to send." }).waitFor({ timeout: 10_000 });
});

test("the widget tells of a gateway that does not answer, and begins once it does", async (t) => {
  const node = await gateway(t);
  let isAway = false;
  const gate = await proxy(t, node, () => (isAway ? "refuse" : "pass"));
  const embed =
    `<!doctype html><meta charset="utf-8"><title>w</title><script type="module" src="${node.url}/widget.js"></script>` +
    `<script>addEventListener("push-gate-error", ({ detail }) => (window.told = detail.code));</script>` +
    `<push-gate channel="chat/away" gate="${gate}"></push-gate>`;
  const other = await site(t, { "/": embed });
  const context = await chromium.newContext({ locale: "en-US" });
  t.after(() => context.close());
  isAway = true;
  const page = await open(t, context, other);
  const status = (text) => page.locator("push-gate .status", { hasText: text }).waitFor({ timeout: 20_000 });
  await status("The gateway does not answer. Trying again…");
  assert.equal(await page.evaluate(() => window.told), "unreachable");
  isAway = false;
  await status("1 here");
  assert.equal(await page.locator("push-gate .warning").innerText(), "");
});
