// The widget in the reader's language: nothing that it shows is in another one.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { awaited, explained, unsent, wordsFor } from "../src/widget-words.js";

const LANGUAGES = ["en", "ja", "ko", "zh"];
/** Every code of a problem, and some that nobody knows. */
const CODES = [
  "unauthorized token-expired token-invalid unknown-client token-required bad-request target-too-long",
  "headers-too-large too-large bad-channel unknown-channel not-postable forbidden key-reused rate-limited",
  "over-capacity draining unavailable upgrade-required not-found method-not-allowed request-timeout internal",
  "unreachable http-404 closed bad-gateway-address too-many-posts logged-out of-a-later-version toString",
].flatMap((line) => line.split(" "));

describe("the words of the widget", () => {
  test("are the same ones in each language", () => {
    const names = (language) => Object.keys(wordsFor([language])).sort();
    for (const language of LANGUAGES) assert.deepEqual(names(language), names("en"), language);
  });

  for (const language of LANGUAGES) {
    test(`tell of every failure in ${language}`, () => {
      const words = wordsFor([language]);
      const texts = CODES.flatMap((code) => {
        const error = { code, detail: "Details of the server", message: "of the server" };
        return [explained(words, error), unsent(words, error), awaited(words, error, true), awaited(words, error, false)];
      });
      texts.push(explained(words, undefined), unsent(words, new TypeError("of the server")));
      for (const closeCode of [1000, 4001, 4002, 4003, 4008, 4999]) {
        texts.push(explained(words, { code: "closed", closeCode }));
      }
      for (const text of texts) {
        assert.equal(typeof text, "string");
        assert.ok(text.length > 3);
        assert.doesNotMatch(text, /server/);
        if (language !== "en") assert.doesNotMatch(text, /[a-z]/i);
      }
    });
  }

  test("tell one failure from another", () => {
    const words = wordsFor(["en"]);
    assert.match(explained(words, { code: "token-invalid" }), /token/);
    assert.match(explained(words, { code: "closed", closeCode: 4003 }), /sent away/);
    assert.notEqual(unsent(words, { code: "unreachable" }), unsent(words, { code: "bad-request" }));
    assert.match(awaited(words, { code: "unreachable" }, false), /does not answer/);
    assert.match(awaited(words, { code: "unreachable" }, true), /lost/);
    assert.match(awaited(words, { code: "rate-limited" }, false), /busy/);
  });
});
