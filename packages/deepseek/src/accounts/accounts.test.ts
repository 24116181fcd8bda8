import {
  type BreakwaterEvent,
  bulkhead,
  createClient,
  type Outcome,
  retry,
  upstream,
} from "@breakwater/core";
import { type Simulator, type SimulatorOptions, startSimulator } from "@breakwater/simulator";
import { createTestClock } from "@breakwater/testing";
import { afterEach, describe, expect, test } from "vitest";

import { createDeepSeek, type DeepSeekOptions } from "../deepseek.ts";
import { bench, completion, essence } from "../fake-fetch.test-help.ts";
import { hosts } from "../hosts.ts";
import type { ChatAnswer } from "../types.ts";
import { deepseekUpstream } from "../upstream.ts";
import { accountOf, createAccounts } from "./index.ts";

const [K1, K2, K3] = ["sk-main-0000-aaaa", "sk-main-1111-bbbb", "sk-spare-2222-cccc"] as const;
const MAIN = { id: "main", keys: [K1, K2] };
const SPARE = { id: "spare", keys: [K3] };

let sim: Simulator | undefined;
afterEach(async () => {
  await sim?.close();
  sim = undefined;
});

/** A client over a simulator, both in times that pass when the test says so, and together. */
async function evening(options: DeepSeekOptions, simulated: SimulatorOptions) {
  const simulator = (sim = await startSimulator({
    clock: "manual",
    capacity: { prefillMs: 1, decodeSpeed: 1_000 },
    text: { contentMedian: 5, reasoningMedian: 1 },
    ...simulated,
  }));
  const clock = createTestClock();
  const asked: string[] = [];
  const keys: string[] = [];
  const deepseek = createDeepSeek({
    runtime: clock,
    fetch: (input, init) => {
      const { pathname } = new URL(new Request(input).url);
      asked.push(pathname);
      if (init?.method === "POST") keys.push(new Headers(init.headers).get("authorization")?.slice(-4) ?? "");
      return simulator.fetch(input, init);
    },
    ...options,
  });
  const events: BreakwaterEvent[] = [];
  deepseek.on((event) => events.push(event));
  const pass = async (ms: number): Promise<void> => {
    await simulator.advance(ms);
    await clock.advance(ms);
  };
  /** Asks, and lets time pass until there is an outcome. */
  async function call(): Promise<Outcome<ChatAnswer>> {
    let outcome: Outcome<ChatAnswer> | undefined;
    void Promise.resolve(
      deepseek.client.outcome({
        messages: [{ role: "user", content: "Hi" }],
        thinking: { type: "disabled" },
      }),
    ).then((known) => (outcome = known));
    await clock.settle();
    for (let i = 0; outcome === undefined && i < 1_000; i++) await pass(20);
    return outcome as Outcome<ChatAnswer>;
  }
  const told = (): string[] =>
    events.map(({ type }) => type).filter((type) => type.startsWith("account-") || type.startsWith("key-"));
  const count = (path: string): number => asked.filter((each) => each === path).length;
  return { simulator, clock, deepseek, call, pass, told, events, keys, asked, count };
}

const CHAT = "/chat/completions";
const BALANCE = "/user/balance";
const MODELS = "/models";

describe("an account that is used up", () => {
  test("warns, then is closed: nothing is sent until there is money again, and then within one period", async () => {
    const { simulator, deepseek, call, pass, told, count } = await evening(
      { apiKey: [K1, K2], policies: [] },
      { accounts: [{ ...MAIN, balanceUsd: 1, balanceScaling: { perUsd: 1, minLimit: 0 } }] },
    );
    expect((await call()).status).toBe("answered");
    simulator.changeAccount("main", { balanceUsd: 0.5 }); // the limit falls to 0
    const warned = await call();
    expect(essence(warned)).toMatchObject({ code: "RATE_LIMIT", limit: 0 });
    expect(warned).toMatchObject({ error: { reason: "balance" } });
    for (let i = 0; i < 10; i++) await call();
    await pass(60_000);
    await call();
    // once a minute, however many calls
    expect([told(), count(BALANCE)]).toEqual([["account-low", "account-low"], 2]);
    expect(deepseek.accounts.snapshot()).toMatchObject([
      { id: "default", state: "low", balance: { total: { USD: 0.5 } } },
    ]);

    simulator.changeAccount("main", { balanceUsd: 0 });
    expect(essence(await call())).toMatchObject({ code: "QUOTA", retryable: false, scope: "account" });
    await pass(0);
    const [sent, balances] = [count(CHAT), count(BALANCE)];
    for (let i = 0; i < 360; i++) {
      const outcome = await call();
      if (outcome.status !== "refused") throw new Error(outcome.status);
      expect(outcome.refusal).toMatchObject({ by: "accounts", code: "QUOTA_EXHAUSTED" });
      expect(outcome.refusal.retryAfterMs).toBeLessThanOrEqual(1_800_000);
      await pass(10_000);
    }
    expect(count(CHAT)).toBe(sent);
    expect(count(BALANCE) - balances).toBe(5); // after 1, 3, 7, 15 and 31 minutes

    simulator.changeAccount("main", { balanceUsd: 100, balanceScaling: { perUsd: 20, minLimit: 5 } });
    let waited = 0;
    for (; (await call()).status === "refused"; waited += 10_000) await pass(10_000);
    expect(waited).toBeLessThanOrEqual(1_800_000);
    expect(told()).toEqual(["account-low", "account-low", "account-close", "account-open"]);
    expect(deepseek.accounts.snapshot()[0]?.state).toBe("open");
  });

  test("is said to be low for ten minutes, and to have some again after a top-up", async () => {
    const { simulator, call, events, pass, told } = await evening(
      { apiKey: K1, policies: [] },
      { accounts: [{ ...MAIN, balanceUsd: 0.5, balanceScaling: { perUsd: 1, minLimit: 0 } }] },
    );
    await call();
    await pass(0);
    simulator.changeAccount("main", { balanceUsd: 50 });
    await pass(60_000);
    await call();
    await pass(0);
    expect(told()).toEqual(["account-low", "account-open"]);
    expect(events.find(({ type }) => type === "account-low")).toMatchObject({ forMs: 600_000 });
  });

  test("by mistake costs one question, and not a call", async () => {
    const { call, count, told } = await evening(
      { apiKey: K1, policies: [] },
      { accounts: [MAIN], faults: [{ action: "402", times: 1 }] },
    );
    expect(essence(await call())).toMatchObject({ code: "QUOTA" });
    expect((await call()).status).toBe("answered");
    expect([count(BALANCE), told()]).toEqual([1, ["account-close", "account-open"]]);
  });

  test("is opened by hand after a top-up", async () => {
    const { simulator, deepseek, call } = await evening(
      { accounts: [MAIN], policies: [] },
      { accounts: [{ ...MAIN, balanceUsd: 0 }] },
    );
    await call();
    expect((await call()).status).toBe("refused");
    simulator.changeAccount("main", { balanceUsd: 5 });
    deepseek.accounts.reset("main");
    expect((await call()).status).toBe("answered");
    expect(() => deepseek.accounts.reset("mian")).toThrow(/no account of that name; known are "main"/);
  });

  test("is told to be over by each client that was told of it, whoever finds out", async () => {
    const { simulator, clock, deepseek, call, told, pass } = await evening(
      { accounts: [MAIN], policies: [] },
      { accounts: [{ ...MAIN, balanceUsd: 0 }] },
    );
    const other = createDeepSeek({
      accounts: deepseek.accounts,
      fetch: simulator.fetch,
      runtime: clock,
      policies: [],
    });
    const others: string[] = [];
    other.on(({ type }) => void (type.startsWith("account-") && others.push(type)));
    async function callOther(): Promise<void> {
      let over = false;
      void other.client.full({ messages: [{ role: "user", content: "Hi" }] }).then(
        () => (over = true),
        () => (over = true),
      );
      await clock.settle();
      while (!over) await pass(20);
    }
    await call();
    expect([told(), others]).toEqual([["account-close"], []]);
    simulator.changeAccount("main", { balanceUsd: 5 });
    await pass(60_000);
    await callOther();
    expect([told(), others]).toEqual([["account-close", "account-open"], ["account-open"]]);
    // By hand, too: nobody has found that out.
    simulator.changeAccount("main", { balanceUsd: 0 });
    await callOther();
    deepseek.accounts.reset("main");
    expect(told()).toHaveLength(2);
    expect(others).toEqual(["account-open", "account-close", "account-open"]);
  });

  test("hands over to the next one, whose calls go back when it has money again", async () => {
    const { simulator, call, pass, keys, told } = await evening(
      { accounts: [MAIN, SPARE], policies: [retry({ attempts: 3 })] },
      { accounts: [{ ...MAIN, balanceUsd: 0 }, SPARE] },
    );
    for (let i = 0; i < 3; i++) expect((await call()).status).toBe("answered");
    expect(keys).toEqual(["aaaa", "cccc", "cccc", "cccc"]);
    simulator.changeAccount("main", { balanceUsd: 5 });
    await pass(60_000);
    for (let i = 0; i < 3; i++) expect((await call()).status).toBe("answered");
    // The first of them asks, and does not wait for the answer, as somebody else can answer it.
    expect(keys.slice(4)).toEqual(["cccc", "bbbb", "aaaa"]);
    expect(told()).toEqual(["account-close", "account-open"]);
  });

  test("is not a reason to open the host's breaker", async () => {
    const { call, keys } = await evening(
      {
        accounts: [{ id: "one", keys: [K1] }, SPARE],
        fallback: deepseekUpstream({ apiKey: "sk-never-asked" }),
      },
      { accounts: [{ id: "one", keys: [K1], balanceUsd: 0 }, SPARE] },
    );
    for (let i = 0; i < 30; i++) {
      const { status, meta } = await call();
      expect([status, meta.degraded]).toEqual(["answered", undefined]);
    }
    expect(keys.filter((key) => key === "aaaa")).toHaveLength(1);
  });
});

describe("a refused key", () => {
  test("is left out, the others go on, and it comes back when the host takes it again", async () => {
    const { simulator, deepseek, call, pass, keys, told, count, events } = await evening(
      { apiKey: [K1, K2], policies: [retry({ attempts: 3 })] },
      {
        accounts: [MAIN],
        faults: [
          { match: { key: K1 }, action: "401" },
          { match: { key: K1, path: MODELS }, action: "401" },
        ],
      },
    );
    for (let i = 0; i < 4; i++) expect((await call()).status).toBe("answered");
    expect(keys).toEqual(["aaaa", "bbbb", "bbbb", "bbbb", "bbbb"]);
    expect(deepseek.accounts.snapshot()).toMatchObject([
      {
        state: "open",
        keys: [
          { key: "aaaa", state: "disabled" },
          { key: "bbbb", state: "enabled" },
        ],
      },
    ]);
    expect(events.find(({ type }) => type === "key-disable")).toMatchObject({
      account: "default",
      key: "aaaa",
    });
    for (let i = 0; i < 60; i++) {
      await call();
      await pass(60_000);
    }
    expect(count(MODELS)).toBeLessThanOrEqual(14); // at once, then after 5, 10, 20 s … and every 15 minutes
    simulator.clearFaults();
    await pass(900_000);
    await call();
    for (let i = 0; i < 2; i++) await call();
    expect(new Set(keys.slice(-2))).toEqual(new Set(["aaaa", "bbbb"]));
    expect(told()).toEqual(["key-disable", "key-enable"]);
  });

  test("without another one refuses what comes, as what it is", async () => {
    const { deepseek, call } = await evening(
      { apiKey: "sk-wrong-00001111", policies: [] },
      { accounts: [MAIN] },
    );
    expect(essence(await call())).toMatchObject({ code: "AUTH", retryable: false });
    expect(await call()).toMatchObject({ refusal: { by: "accounts", code: "KEYS_DISABLED" } });
    const response = await deepseek.fetch("https://api.deepseek.com/chat/completions", {
      method: "POST",
      body: '{"messages":[]}',
    });
    expect([response.status, response.headers.get("x-should-retry")]).toEqual([401, "false"]);
  });

  test("is none because of one answer", async () => {
    const { call, told } = await evening(
      { apiKey: K1, policies: [] },
      { accounts: [MAIN], faults: [{ action: "401", times: 1 }] },
    );
    expect(essence(await call())).toMatchObject({ code: "AUTH" });
    expect((await call()).status).toBe("answered");
    expect(told()).toEqual(["key-disable", "key-enable"]);
  });
});

const EMPTY = '{"error":{"message":"Insufficient Balance"}}';
const balance = (is_available: boolean, total_balance = "1.00"): string =>
  JSON.stringify({ is_available, balance_infos: [{ currency: "CNY", total_balance }] });

describe("asking about an account", () => {
  test("is done once at a time, however many calls wait for it", async () => {
    const { clock, next, outcome, requests } = bench();
    const first = outcome();
    (await next()).respond(402, EMPTY);
    await first;
    const waiting = Array.from({ length: 20 }, () => outcome());
    await clock.settle();
    expect(requests.map(({ url }) => url.slice(16))).toEqual([CHAT, BALANCE]);
    (await next()).respond(200, balance(true));
    for (let i = 0; i < 20; i++) (await next()).respond(200, completion());
    const answers = await Promise.all(waiting);
    expect(answers.every(({ status }) => status === "answered")).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test("is waited for by a call for a second, and no longer than the call itself has", async () => {
    const { ask, clock, next, outcome } = bench();
    const first = outcome();
    (await next()).respond(402, EMPTY);
    await first;
    const patient = outcome();
    const hurried = ask.outcome({ messages: [] }, { deadline: 200 });
    const controller = new AbortController();
    const leaving = outcome({}, controller.signal);
    controller.abort("gone");
    expect(await leaving).toMatchObject({ status: "cancelled", reason: "gone" });
    await clock.advance(200);
    expect(await hurried).toMatchObject({ status: "failed", fault: "caller" });
    await clock.advance(800);
    expect(await patient).toMatchObject({ status: "refused", meta: { waitedMs: 1_000, attempts: 0 } });
    await clock.advance(4_000); // the question itself is given up after five
    expect(clock.pending).toBe(0);
    expect(await outcome()).toMatchObject({ refusal: { code: "QUOTA_EXHAUSTED", retryAfterMs: 60_000 } });
  });

  test("a late 402 of a call that was sent before it opened closes nothing", async () => {
    const { clock, next, outcome } = bench();
    const [early, second] = [outcome(), outcome()];
    const late = await next();
    (await next()).respond(402, EMPTY);
    await second;
    (await next()).respond(200, balance(true));
    await clock.settle();
    late.respond(402, EMPTY);
    expect(essence(await early)).toMatchObject({ code: "QUOTA" });
    const after = outcome();
    (await next()).respond(200, completion());
    expect((await after).status).toBe("answered");
  });

  test.each([
    ["says that it is not available", balance(false), "refused"],
    ["tells a balance of nothing", balance(true, "0.00"), "refused"],
    ["tells no amount", '{"is_available":true}', "answered"],
  ])("a host that %s", async (_, body, status) => {
    const { clock, next, outcome } = bench();
    const first = outcome();
    (await next()).respond(402, EMPTY);
    await first;
    (await next()).respond(200, body);
    await clock.settle();
    const then = outcome();
    if (status === "answered") (await next()).respond(200, completion());
    expect((await then).status).toBe(status);
  });

  test.each([
    ["has no such place", {}, true],
    ["was never said to have one", { host: "siliconflow" as const }, false],
  ])("a host that %s: the next call tries, one at a time", async (_, options, asks) => {
    const { clock, next, outcome, requests } = bench(options);
    const first = outcome();
    (await next()).respond(402, EMPTY);
    await first;
    if (asks) (await next()).respond(404, "<html></html>");
    await clock.settle();
    const trial = outcome();
    const sent = await next();
    expect(await outcome()).toMatchObject({ refusal: { code: "QUOTA_EXHAUSTED" } });
    sent.respond(402, EMPTY);
    expect(essence(await trial)).toMatchObject({ code: "QUOTA" });
    expect(await outcome()).toMatchObject({ refusal: { retryAfterMs: 60_000 } });

    await clock.advance(60_000);
    const unclear = outcome();
    (await next()).respond(503, "{}");
    await unclear;
    const again = outcome();
    (await next()).respond(200, completion());
    expect((await again).status).toBe("answered");
    const after = outcome();
    (await next()).respond(200, completion());
    expect((await after).status).toBe("answered");
    expect(requests.filter(({ url }) => url.endsWith(BALANCE))).toHaveLength(asks ? 1 : 0);
  });
});

describe("accountOf", () => {
  test("keeps a limit for each account, and is where the call then goes", async () => {
    const seen: (string | undefined)[] = [];
    const limit = bulkhead({
      concurrency: 1,
      key: (_, call) => {
        seen.push(accountOf(call));
        return accountOf(call);
      },
    });
    const { simulator, call, keys } = await evening(
      { accounts: [MAIN, SPARE], policies: [retry(), limit] },
      { accounts: [MAIN, SPARE] },
    );
    await call();
    await call();
    simulator.changeAccount("main", { balanceUsd: 0 });
    await call();
    expect(seen).toEqual(["main", "main", "main", "spare"]);
    expect(keys).toEqual(["aaaa", "bbbb", "aaaa", "cccc"]);
  });

  test("is seen through a client of a client, and knows nothing where there are no accounts", async () => {
    const seen: (string | undefined)[] = [];
    const look = bulkhead({ concurrency: 1, key: (_, call) => void seen.push(accountOf(call)) });
    const { ask, next } = bench({ apiKey: K1 });
    const outer = createClient(ask, look);
    const asked = outer.outcome({ messages: [] });
    (await next()).respond(200, completion());
    await asked;
    await createClient(
      upstream((text: string) => text),
      look,
    )("x");
    expect(seen).toEqual(["default", undefined]);
  });
});

test("clients that share accounts share what they know", async () => {
  const accounts = createAccounts({ accounts: [MAIN] });
  const [first, second] = [bench({ apiKey: undefined, accounts }), bench({ apiKey: undefined, accounts })];
  const asked = first.outcome();
  (await first.next()).respond(402, EMPTY);
  await asked;
  (await first.next()).respond(200, balance(false));
  await first.clock.settle();
  expect((await second.outcome()).status).toBe("refused");
});

test("keys of a function count one by one", async () => {
  let key: string = K1;
  const { clock, next, outcome } = bench({ apiKey: () => key });
  const first = outcome();
  (await next()).respond(401, "{}");
  await first;
  (await next()).respond(401, "{}");
  await clock.settle();
  expect(await outcome()).toMatchObject({ refusal: { code: "KEYS_DISABLED", retryAfterMs: 5_000 } });
  key = K2;
  const second = outcome();
  (await next()).respond(200, completion());
  expect((await second).status).toBe("answered");
});

test("no key comes out: not in events, errors, snapshots or descriptions", async () => {
  const { deepseek, call, events, told } = await evening(
    { accounts: [MAIN, SPARE] },
    {
      accounts: [{ ...MAIN, balanceUsd: 0 }, SPARE],
      faults: [{ match: { account: "spare" }, action: ["401", "none"] }],
    },
  );
  const outcomes = [await call(), await call(), await call()];
  expect(told()).toEqual(expect.arrayContaining(["account-close", "key-disable"]));
  const all = [outcomes, events, deepseek.snapshot(), deepseek.describe(), deepseek.accounts.snapshot()];
  const seen = all.map((each) => JSON.stringify(each)).join("\n") + outcomes.map(String).join("\n");
  for (const key of [K1, K2, K3]) expect(seen).not.toContain(key);
  expect(seen).toContain("aaaa");
});

test.each([
  [{ accounts: [] }, /accounts must be a list/],
  [{ accounts: [{ id: "a", keys: [] }] }, /accounts\[0\]\.keys must be a list with one key/],
  [{ accounts: [{ id: "a", keys: [K1, K1] }] }, /the same key is there twice/],
  [
    {
      accounts: [
        { id: "a", keys: [K1] },
        { id: "b", keys: [K1] },
      ],
    },
    /a key belongs to one account/,
  ],
  [
    {
      accounts: [
        { id: "a", keys: [K1] },
        { id: "a", keys: [K2] },
      ],
    },
    /id "a" is there twice/,
  ],
  [{ accounts: [{ id: K1, keys: [K1] }] }, /id looks like a key/],
  [{ accounts: [{ id: "a", keys: ["sk-with-break\n"] }] }, /without spaces and line breaks/],
  [{ accounts: [MAIN], minBalance: -1 }, /minBalance must be a number of at least 0/],
  [{ accounts: [MAIN], closedFor: 10 }, /closedFor must be at least 1 s/],
  [{ accounts: [MAIN], closedFor: "1h" }, /maxClosedFor must not be shorter/],
  [{ accounts: [MAIN], probe: 1 }, /unknown option "probe"/],
] as const)("refuses %o", (options, message) => {
  expect(() => createAccounts(options as never)).toThrow(message);
  expect(() => createAccounts(options as never)).not.toThrow(K1);
});

test("two ways to say which keys there are are one too many", () => {
  expect(() => deepseekUpstream({ apiKey: K1, accounts: [MAIN] })).toThrow(/apiKey and accounts both say/);
  expect(() => deepseekUpstream({ apiKey: [] })).toThrow(/apiKey must be a list with one key or more/);
  expect(hosts.deepseek.balance).toBe(BALANCE);
});
