// Who a client is, at the wrong moment: logged in, logged out, renewed while another of these is under way.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { record } from "./support.js";
import { begin, pass, settle } from "./stand-in.js";

const identity = (name) => ({ client_id: name, token: `token-${name}`, expires_in: 100, users: [] });

describe("who this is", () => {
  test("of two logins at once the later one counts", async (t) => {
    const { there, gate } = begin(t);
    const logins = [gate.login({ name: "one" }), gate.login({ name: "two" })];
    await settle();
    const [one, two] = there.of("login");
    two.answer(identity("two"));
    await settle();
    one.answer(identity("one"));
    assert.deepEqual(
      (await Promise.all(logins)).map(({ client_id }) => client_id),
      ["one", "two"],
    );
    assert.deepEqual([gate.clientId, await gate.token()], ["two", "token-two"]);
  });

  test("logged out while the login is under way", async (t) => {
    const { there, gate } = begin(t);
    const login = gate.login();
    const channel = gate.channel();
    const told = record(channel);
    await settle();
    const logout = gate.logout();
    there.of("login")[0].answer(identity("late"));
    await login;
    await settle();
    const [asked] = there.of("logout");
    assert.equal(String(asked.options.body), "token=token-late");
    asked.answer(null, 204);
    await logout;
    await pass(200);
    assert.deepEqual([gate.clientId, told.closes, there.sockets.length, there.requests.length], [null, [null], 0, 0]);
  });

  test("logged out while the login fails", async (t) => {
    const { there, gate } = begin(t);
    const login = gate.login();
    login.catch(() => {});
    await settle();
    const logout = gate.logout();
    there.of("login")[0].fail();
    await assert.rejects(login, { code: "unreachable" });
    await logout;
    await pass(60);
    assert.equal(there.requests.length, 0);
  });

  test("a logout is tried again, and one that came too late is as good", async (t) => {
    const { there, gate } = begin(t);
    const login = gate.login();
    await settle();
    there.of("login")[0].answer(identity("me"));
    await login;
    const logout = gate.logout();
    await settle();
    there.of("logout")[0].fail();
    await settle();
    await pass(1);
    there.of("logout")[0].answer({ code: "token-invalid" }, 401);
    await logout;
  });

  test("logged out while the token is renewed", async (t) => {
    const { there, gate } = begin(t);
    const login = gate.login();
    await settle();
    there.of("login")[0].answer(identity("me"));
    await login;
    await pass(81);
    const [renewal] = there.of("login");
    assert.match(renewal.url, /users=none/);
    const logout = gate.logout();
    await settle();
    there.of("logout")[0].answer(null, 204);
    renewal.answer(identity("me"));
    await settle();
    await pass(200);
    assert.deepEqual([gate.clientId, there.requests.length], [null, 0]);
    await logout.catch(() => {});
  });

  test("a renewal that fails is told, and tried again", async (t) => {
    const { there, gate } = begin(t);
    const login = gate.login();
    const errors = [];
    gate.addEventListener("error", ({ error, retryIn }) => errors.push([error.code, retryIn]));
    await settle();
    there.of("login")[0].answer(identity("me"));
    await login;
    await pass(81);
    for (let attempt = 0; attempt < 6; attempt += 1) {
      there.of("login")[0].fail();
      await pass(4);
    }
    assert.deepEqual(errors, [["unreachable", 60]]);
    await pass(61);
    there.of("login")[0].answer({ ...identity("me"), token: "newer" });
    await settle();
    assert.equal(await gate.token(), "newer");
    await pass(81);
    there.of("login")[0].answer({ code: "token-invalid" }, 401);
    await settle();
    assert.deepEqual(errors[1], ["token-invalid", null]);
    await pass(200);
    assert.equal(there.requests.length, 0);
  });

  test("a token that was refused while a new one is on the way takes nothing away", async (t) => {
    const { there, gate } = begin(t, { transports: ["sse"] });
    const first = gate.login();
    await settle();
    there.of("login")[0].answer(identity("one"));
    await first;
    gate.channel("a");
    gate.channel("b");
    await settle();
    const streams = there.of("sse");
    streams[0].answer({ code: "token-expired" }, 401);
    await settle();
    await pass(0.2);
    // The first one has asked for a new token, when the second one learns that the old one is none.
    const [login] = there.of("login");
    streams[1].answer({ code: "token-expired" }, 401);
    await settle();
    await pass(0.2);
    login.answer(identity("two"));
    await settle();
    await pass(1);
    assert.equal(there.of("login").length, 0);
    assert.equal(gate.clientId, "two");
    assert.ok(there.of("sse").length === 2 && there.of("sse").every(({ url }) => url.includes("token=token-two")));
  });

  test("an anonymous channel that is refused does not undo a login that is under way", async (t) => {
    const { there, gate } = begin(t, { transports: ["sse"] });
    const channel = gate.channel("room");
    const told = record(channel);
    await settle();
    const login = gate.login();
    await settle();
    there.of("sse")[0].answer({ code: "unauthorized" }, 401);
    await settle();
    assert.equal(channel.state, "waiting");
    there.of("login")[0].answer(identity("me"));
    await login;
    await pass(1);
    assert.deepEqual([gate.clientId, there.of("login").length, told.closes.length], ["me", 0, 0]);
    assert.match(there.of("sse")[0].url, /token=token-me/);
  });

  test("a login that nobody answers is given up after ten seconds, told, and tried again", async (t) => {
    const { there, gate } = begin(t);
    const told = record(gate.channel("chat/x"));
    const login = gate.login();
    const delays = [];
    gate.addEventListener("error", ({ error, retryIn }) => delays.push([error.code, error.detail, retryIn]));
    await pass(9);
    assert.deepEqual([delays, there.of("login").length], [[], 1]);
    await pass(1);
    assert.deepEqual(delays, [["unreachable", "no answer within 10 s", 0.1]]);
    assert.equal(told.errors.length, 1);
    await pass(1);
    there.of("login")[0].answer(identity("me"));
    assert.equal((await login).client_id, "me");
    // Renewals are in nobody's way: the old token is good.
    await pass(80);
    there.of("login")[0].fail();
    await settle();
    assert.equal(delays.length, 1);
  });

  test("where only WebSocket is wanted, another request tells why it was refused", async (t) => {
    const tokens = ["one", "two"];
    const { there, gate } = begin(t, { transports: ["ws"], token: () => tokens.shift() });
    const channel = gate.channel("room/a b");
    const told = record(channel);
    await settle();
    there.socket.refuse();
    await settle();
    const [why] = there.of("ws");
    assert.match(why.url, /\/ws\/room\/a%20b\?ids=1&start=1&text=json&direct=1&users=diff&beat=1&why=1&token=one$/);
    why.answer({ code: "token-expired" }, 401);
    await settle();
    assert.equal(told.errors[0].error.code, "token-expired");
    await pass(1);
    assert.deepEqual(there.socket.protocols, ["pushgate.v1", "bearer.two"]);
    // It says nothing against it: then something on the way has.
    there.socket.end(1006);
    await settle();
    there.of("ws")[0].answer({ code: "upgrade-required" }, 426);
    await settle();
    assert.deepEqual([told.errors[1].error.code, channel.state], ["unreachable", "waiting"]);
    await pass(1);
    // Closed while it asks.
    there.socket.end(1006);
    await settle();
    channel.close();
    there.of("ws")[0]?.answer({ code: "forbidden" }, 403);
    await settle();
    assert.deepEqual([told.errors.length, told.closes], [2, [null]]);
  });
});
