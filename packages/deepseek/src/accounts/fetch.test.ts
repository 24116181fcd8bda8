import { createTestClock } from "@breakwater/testing";
import { expect, test } from "vitest";

import { deepseekFetch } from "../deepseek-fetch.ts";
import { createDeepSeek } from "../deepseek.ts";
import { completion, fakeFetch } from "../fake-fetch.test-help.ts";

const URL = "https://api.deepseek.com/chat/completions";
const EMPTY = '{"error":{"message":"Insufficient Balance"}}';
const NOTHING = '{"is_available":false,"balance_infos":[]}';
const post = (key: string): RequestInit => ({
  method: "POST",
  headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
  body: '{"messages":[]}',
});
const codeOf = (response: Response): unknown[] => [
  response.status,
  response.headers.get("x-breakwater-code"),
  response.headers.get("x-should-retry"),
];

function make(account?: (key: string) => string | undefined) {
  const fake = fakeFetch();
  const clock = createTestClock();
  const ask = deepseekFetch({
    fetch: fake.fetch,
    runtime: clock,
    errorMode: "response",
    ...(account !== undefined && { account }),
  });
  /** Finds the account of a key empty. */
  async function drain(key: string): Promise<void> {
    const asked = ask(URL, post(key));
    (await fake.next()).respond(402, EMPTY);
    expect(codeOf(await asked)).toEqual([402, "QUOTA", "false"]);
    (await fake.next()).respond(200, NOTHING);
    await clock.settle();
  }
  return { ...fake, ask, clock, drain };
}

test("an SDK is told what it should not try again, and other keys go on", async () => {
  const { ask, clock, drain, next, requests } = make();
  await drain("sk-first-0000-aaaa");
  expect(requests[1]?.url).toBe("https://api.deepseek.com/user/balance");
  const refused = await ask(URL, post("sk-first-0000-aaaa"));
  expect(codeOf(refused)).toEqual([402, "QUOTA_EXHAUSTED", "false"]);
  expect(refused.headers.get("retry-after")).toBe("60");
  expect(await refused.json()).toMatchObject({ error: { code: "QUOTA_EXHAUSTED" } });
  const other = ask(URL, post("sk-other-0000-bbbb"));
  (await next()).respond(200, completion());
  expect((await other).status).toBe(200);
  expect(ask.accounts.snapshot()).toMatchObject([
    { id: "key-aaaa", state: "closed", retryAfterMs: 60_000 },
    { id: "key-bbbb", state: "open" },
  ]);
  expect(JSON.stringify([ask.accounts.snapshot(), ask.snapshot()])).not.toMatch(/-0000-/);

  await clock.advance(60_000);
  const again = ask(URL, post("sk-first-0000-aaaa"));
  (await next()).respond(200, '{"is_available":true}');
  (await next()).respond(200, completion());
  expect((await again).status).toBe(200);
});

test("keys of one account share what is known of it, if somebody says which they are", async () => {
  const { ask, drain, next } = make((key) => (key.endsWith("cccc") ? undefined : "ours"));
  await drain("sk-first-0000-aaaa");
  expect(codeOf(await ask(URL, post("sk-second-000-bbbb")))).toEqual([402, "QUOTA_EXHAUSTED", "false"]);
  const other = ask(URL, post("sk-their-0000-cccc"));
  (await next()).respond(200, completion());
  expect((await other).status).toBe(200);
  ask.accounts.reset("ours");
  const after = ask(URL, post("sk-second-000-bbbb"));
  (await next()).respond(200, completion());
  expect((await after).status).toBe(200);
});

test("policies are made for an account, which a store that is shared does not know", async () => {
  const { fetch, next } = fakeFetch();
  const made: (string | undefined)[] = [];
  const ask = deepseekFetch({
    fetch,
    account: (key) => (key.endsWith("cccc") ? undefined : "ours"),
    policies({ account }) {
      made.push(account);
      return [];
    },
  });
  for (const key of ["sk-first-0000-aaaa", "sk-second-000-bbbb", "sk-their-0000-cccc"]) {
    const asked = ask(URL, post(key));
    (await next()).respond(200, completion());
    expect((await asked).status).toBe(200);
  }
  expect(made).toEqual(["ours", undefined]);
});

test("accounts are not remembered without end", async () => {
  const { fetch, next } = fakeFetch();
  const ask = deepseekFetch({ fetch, policies: [], otherPolicies: [] });
  for (let i = 0; i < 1_010; i++) {
    const asked = ask(URL, post(`sk-key-of-number-${i}`));
    (await next()).respond(200, completion());
    await asked;
  }
  expect(ask.accounts.snapshot()).toHaveLength(1_000);
});

test("a guest of the router is told 402 without a word of the account, and nothing that is his when a key is refused", async () => {
  for (const [status, asked, told] of [
    [402, "/user/balance", [402, "QUOTA_EXHAUSTED", "false"]],
    [401, "/models", [502, "KEYS_DISABLED", "false"]],
  ] as const) {
    const { fetch, next } = fakeFetch();
    const clock = createTestClock();
    const deepseek = createDeepSeek({ apiKey: "sk-mine-0000-dddd", fetch, runtime: clock, policies: [] });
    const handle = deepseek.handler({ authorize: "public" });
    const request = (): Request => new Request("http://here/v1/chat/completions", post("-"));
    const first = handle(request());
    (await next()).respond(status, status === 402 ? EMPTY : "{}");
    await first;
    const question = await next();
    expect(question.url).toBe(`https://api.deepseek.com${asked}`);
    question.respond(status === 402 ? 200 : 401, NOTHING);
    await clock.settle();
    const refused = await handle(request());
    expect(codeOf(refused)).toEqual(told);
    expect(await refused.text()).not.toMatch(/dddd|default|deepseek|\bkey\b/);
    // Its balance can still be looked at.
    const looked = deepseek.fetch("https://api.deepseek.com/user/balance");
    (await next()).respond(200, NOTHING);
    expect((await looked).status).toBe(200);
  }
});
