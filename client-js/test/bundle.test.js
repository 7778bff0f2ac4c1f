// What the modules must be like to be put together into one script, and into a package.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import * as client from "../src/pushgate.js";
import { MODULES, SRC, classic, module, source } from "./support.js";

const ROOT = join(SRC, "..");
const BUNDLES = {
  "pushgate.mjs": [...MODULES.client, "pushgate"],
  "jsapi.cjs": [...MODULES.client, "jsapi"],
  "widget.mjs": [...MODULES.widget, "widget"],
};
const all = readdirSync(SRC)
  .filter((name) => name.endsWith(".js"))
  .map((name) => name.slice(0, -3));

/** Names that a module declares at its top. */
function declared(name) {
  const declaration = /^(?:export )?(?:async )?(?:function\*?|class|const|let|var) (\{[^}]*\}|\[[^\]]*\]|\w+)/gm;
  return [...source(name).matchAll(declaration)].flatMap(([, what]) => what.match(/\w+/g));
}

describe("the modules", () => {
  for (const [bundle, names] of Object.entries(BUNDLES)) {
    test(`of ${bundle} declare each name once, and build on those before them`, () => {
      const owners = new Map();
      for (const [index, name] of names.entries()) {
        for (const what of declared(name)) {
          assert.equal(owners.get(what), undefined, `${what} is in ${name} and ${owners.get(what)}`);
          owners.set(what, name);
        }
        for (const [, from] of source(name).matchAll(/^import .* from "\.\/([\w-]+)\.js";$/gm)) {
          const isKept = bundle === "widget.mjs" && from === "pushgate";
          assert.ok(isKept || names.slice(0, index).includes(from), `${name} imports ${from}, which comes later`);
        }
      }
    });
  }

  test("have each import and each export on one line", () => {
    for (const name of all) {
      for (const [index, line] of source(name).split("\n").entries()) {
        const where = `${name}.js:${index + 1}: ${line}`;
        if (/^\s*import\b/.test(line)) assert.match(line, /^import (?:\{ [\w, ]+ \} from )?"\.\/[\w-]+\.js";$/, where);
        if (/^\s*export\b/.test(line)) {
          assert.match(line, /^export (?:\{ [\w, ]+ \};|(?:async )?function\*? \w+\(|class \w+ |const \w+ = )/, where);
        }
        assert.ok(!/\bimport\(/.test(line), where);
      }
    }
  });

  test("are all of some bundle", () => {
    assert.deepEqual([...new Set(Object.values(BUNDLES).flat())].sort(), all.sort());
  });

  test("are in the order in which the gateway puts them together", () => {
    const pages = join(ROOT, "../src/gate/pages/mod.rs");
    const [, list] = /const CLIENT: [^=]*= \[([^\]]*)\]/.exec(readFileSync(pages, "utf8"));
    const names = [...list.matchAll(/client-js\/src\/([\w-]+)\.js/g)].map(([, name]) => name);
    assert.deepEqual([...names, "client"], MODULES.client);
  });

  test("make no markup, and no code, out of texts", () => {
    const pages = readdirSync(join(ROOT, "pages")).filter((name) => name.endsWith(".js"));
    const texts = [
      ...all.map((name) => [name, source(name)]),
      ...pages.map((name) => [name, readFileSync(join(ROOT, "pages", name), "utf8")]),
    ];
    for (const [name, text] of texts) {
      const code = text.replace(/\/\/.*|\/\*[^]*?\*\//g, "");
      assert.doesNotMatch(
        code,
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setHTML|DOMParser/,
        name,
      );
    }
  });
});

describe("the scripts", () => {
  let directory;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "pushgate-bundle-"));
    for (const [bundle, names] of Object.entries(BUNDLES)) {
      const kept = bundle === "widget.mjs" ? '"./pushgate.js"' : undefined;
      writeFileSync(join(directory, bundle), bundle.endsWith(".cjs") ? classic(names) : module(names, kept));
    }
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  for (const bundle of Object.keys(BUNDLES)) {
    test(`${bundle} is one that can be read`, () => {
      execFileSync(process.execPath, ["--check", join(directory, bundle)]);
    });
  }

  test("the module exports what the package does", async () => {
    const bundled = await import(pathToFileURL(join(directory, "pushgate.mjs")));
    assert.deepEqual(Object.keys(bundled).sort(), Object.keys(client).sort());
    assert.equal(new bundled.Pushgate("http://gate.test").url, "http://gate.test/");
  });
});

describe("the package", () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

  test("holds what belongs there, and nothing else", () => {
    // Without the cache of whoever runs this, and without asking anybody.
    const flags = ["pack", "--dry-run", "--json", "--offline", "--loglevel=error"];
    const [{ files, name }] = JSON.parse(
      execFileSync("npm", flags, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
    );
    assert.equal(name, "pushgate");
    const expected = [
      "LICENSE-APACHE",
      "LICENSE-MIT",
      "README.md",
      "package.json",
      "src/pushgate.d.ts",
      "src/widget.d.ts",
      ...all.map((it) => `src/${it}.js`),
    ];
    assert.deepEqual(files.map(({ path }) => path).sort(), expected.sort());
  });

  test("depends on nothing, and what it names is there", () => {
    for (const kind of ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"]) {
      assert.equal(manifest[kind], undefined, kind);
    }
    const named = [
      manifest.main,
      manifest.types,
      ...Object.values(manifest.exports).flatMap((it) => (typeof it === "string" ? it : Object.values(it))),
    ];
    for (const path of [...named, ...manifest.sideEffects]) assert.ok(existsSync(join(ROOT, path)), path);
  });

  test("has types for each way in", () => {
    for (const [way, { types, default: script }] of Object.entries(manifest.exports)) {
      assert.ok(existsSync(join(ROOT, types ?? "")), way);
      assert.equal(types, script.replace(/\.js$/, ".d.ts"));
    }
    const [types, script] = [readFileSync(join(SRC, "widget.d.ts"), "utf8"), source("widget")];
    const classes = (text) => [...text.matchAll(/^export class (\w+)/gm)].map(([, name]) => name);
    assert.deepEqual(classes(types), classes(script));
    const told = [...script.matchAll(/#emit\("([\w-]+)"/g)].map(([, type]) => type);
    for (const type of told) assert.ok(types.includes(`"${type}": CustomEvent<`), type);
    const [, body] = /^export class \w+[^{]*\{\n([^]*?)^\}/m.exec(types);
    const [, members] = /^export class \w+[^{]*\{\n([^]*?)^\}/m.exec(script);
    const typed = [...body.matchAll(/^ {2}(?:static )?(?:readonly )?(\w+)[?]?[:(]/gm)].map(([, member]) => member);
    const made = [...members.matchAll(/^ {2}(?:static )?(?:get )?(\w+)(?:\(| =)/gm)].map(([, member]) => member);
    assert.deepEqual(typed.sort(), made.sort());
  });

  test("has types of what it exports", () => {
    const types = readFileSync(join(SRC, "pushgate.d.ts"), "utf8");
    const classes = [...types.matchAll(/^export class (\w+)[^{]*\{\n([^]*?)^\}/gm)];
    assert.deepEqual(classes.map(([, name]) => name).sort(), Object.keys(client).sort());
    for (const [, name, body] of classes) {
      const members = [...body.matchAll(/^ {2}(?:readonly )?(\w+)[?]?[:(]/gm)].map(([, member]) => member);
      const made = {
        Pushgate: () => new client.Pushgate("http://gate.test"),
        PushgateError: () => new client.PushgateError("code"),
      }[name];
      const there = made ? made() : client[name].prototype;
      for (const member of members) {
        if (member === "constructor" || (name === "Channel" && member === "name")) continue;
        assert.ok(member in there, `${name}.${member} is in the types only`);
      }
      // What a channel has is for pages; of the others some is for the parts of the client.
      const own = Object.getOwnPropertyNames(client[name].prototype).filter((it) => it !== "constructor");
      if (name === "Channel")
        for (const member of own) assert.ok(members.includes(member), `${name}.${member} has no type`);
    }
    const documented = [...source("client").matchAll(/@param \{.*\} \[options\.(\w+)\]/g)].map(([, option]) => option);
    const [, options] = /interface PushgateOptions \{\n([^]*?)^\}/m.exec(types);
    assert.deepEqual([...options.matchAll(/^ {2}(\w+)\?/gm)].map(([, option]) => option).sort(), documented.sort());
    const [, events] = /interface ChannelEvents \{\n([^]*?)^\}/m.exec(types);
    const told = [...source("channel").matchAll(/#tell\("(\w+)"/g)].map(([, type]) => type);
    assert.deepEqual([...events.matchAll(/^ {2}(\w+):/gm)].map(([, type]) => type).sort(), [...new Set(told)].sort());
  });
});
