// Names of rooms as the pages judge them, and what a browser remembers.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Memory, addressOf, channelOf, problemOf } from "../pages/rooms.js";

describe("the name of a room", () => {
  test("is letters and digits of any script, and a few signs", () => {
    for (const name of ["lobby", "로비", "東京", "Łódź", "a-b_c.d~e", "...", "٣", "Ωmega", "चाय", "x".repeat(64), "cafe\u0301", "1"]) {
      assert.equal(problemOf(name), null, name);
    }
  });

  test("is none of these, and it is said why", () => {
    const cases = [
      ["", /needs a name/],
      ["x".repeat(65), /at most 64 characters; this one has 65/],
      ["東".repeat(64), null],
      ["𠮷".repeat(63), /too long/],
      [".", /lead elsewhere/],
      ["..", /lead elsewhere/],
      ["my room", /How about my-room\?$/],
      ["a/b", /How about a-b\?$/],
      ["<b>x</b>", /How about b-x-b\?$/],
      ["nul\0", /How about nul\?$/],
      ["👋", /only\.$/],
      ["\u202Eright", /How about right\?$/],
      ["%2e", /How about 2e\?$/],
    ];
    for (const [name, why] of cases) {
      if (why === null) assert.equal(problemOf(name), null, name);
      else assert.match(problemOf(name) ?? "nothing", why, name);
    }
  });

  test("has one address, and comes back from it", () => {
    for (const name of ["lobby", "로비", "東京", "a~b"]) {
      assert.match(addressOf(name), /^\/chat\/[\w.~%-]+\/$/);
      assert.equal(channelOf(addressOf(name)), `chat/${name}`);
    }
    assert.equal(channelOf(addressOf("cafe\u0301")), "chat/caf\u00e9");
    assert.equal(channelOf("/camera"), "camera");
    assert.equal(channelOf("/camera/hall/"), "camera/hall");
  });
});

describe("the memory of a browser", () => {
  const storage = (first = {}) => {
    const kept = new Map(Object.entries(first));
    return {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => kept.set(key, String(value)),
      removeItem: (key) => kept.delete(key),
    };
  };

  test("has the latest rooms, each once", () => {
    const place = storage();
    const memory = new Memory(() => place);
    for (let number = 0; number < 20; number += 1) memory.visit(`room${number % 12}`);
    assert.deepEqual(memory.rooms, [7, 6, 5, 4, 3, 2, 1, 0].map((number) => `room${number}`));
    assert.deepEqual(new Memory(() => place).rooms, memory.rooms);
    memory.forgetRooms();
    assert.deepEqual(memory.rooms, []);
    memory.name = "Ada";
    assert.equal(new Memory(() => place).name, "Ada");
  });

  test("takes nothing for a room that is none", () => {
    for (const junk of ["", "{", "7", "null", '"x"', "{}", '[1,null,"a b","..",{"x":1}]']) {
      assert.deepEqual(new Memory(() => storage({ "pushgate.rooms": junk })).rooms, [], junk);
    }
    assert.deepEqual(new Memory(() => storage({ "pushgate.rooms": '["ok",7]' })).rooms, ["ok"]);
  });

  test("may be missing, full or forbidden", () => {
    const forbidden = () => {
      throw new Error("denied");
    };
    const full = { ...storage(), setItem: forbidden, removeItem: forbidden };
    for (const find of [forbidden, () => undefined, () => null, () => full]) {
      const memory = new Memory(find);
      memory.visit("lobby");
      memory.name = "Ada";
      memory.forgetRooms();
      assert.deepEqual(memory.rooms, []);
      assert.equal(memory.name, "");
    }
  });
});
