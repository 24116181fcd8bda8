import { describe, expect, test } from "vitest";

import { actsOf, changeOf, editable, readEdit } from "../page/act.ts";
import { figuresOf } from "../page/figures.ts";
import { bytes, dollars, duration, durations, percent, short } from "../page/format.ts";
import { standingOf } from "../page/gauges.ts";
import { mergeClients, type PolicyView } from "../page/merge.ts";
import { sentenceOf } from "../page/sentences.ts";
import type { RecentEvent } from "../page/state.ts";
import { clientState, instanceState, policyState } from "./page-state.ts";

const view = (kind: string, more: Partial<PolicyView> = {}): PolicyView => ({
  ...policyState(kind),
  target: kind,
  modes: [],
  copies: 1,
  degraded: 0,
  ...more,
});

test("figures are as short as they may be, and never say all or nothing of what is not", () => {
  expect([0, 999, 1_200, 12_000, 150_000, 8_000_000].map(duration)).toEqual([
    "0 ms",
    "999 ms",
    "1.2 s",
    "12 s",
    "3 min",
    "2 h",
  ]);
  expect([durations(250, 350), durations(950, 2_000), durations(500, 90_000)]).toEqual([
    "250 · 350 ms",
    "950 ms · 2.0 s",
    "500 ms · 90 s",
  ]);
  expect([percent(0, 0), percent(1, 5_000), percent(4_999, 5_000), percent(5, 5), percent(1, 3)]).toEqual([
    "–",
    "<0.1 %",
    ">99.9 %",
    "100 %",
    "33.3 %",
  ]);
  expect([short(9_999), short(12_345), short(123_456), short(2_500_000)]).toEqual([
    "9,999",
    "12.3k",
    "123k",
    "2.5M",
  ]);
  expect([dollars(0), dollars(0.001234), dollars(0.5), dollars(12)]).toEqual([
    "$0",
    "$0.00123",
    "$0.5000",
    "$12.00",
  ]);
  expect([bytes(12), bytes(4_096), bytes(3_145_728)]).toEqual(["12 B", "4 KiB", "3.0 MiB"]);
});

test("tokens of calls that go on are no infinity of any call", () => {
  const [client] = mergeClients([instanceState("web-1", [clientState({ stats: { calls: 0, tokens: 7 } })])]);
  const tokens = client && figuresOf(client).find(({ label }) => label === "Tokens");
  expect(tokens).toEqual({ label: "Tokens", value: "7", note: "of calls that go on" });
});

describe("what a policy holds against its limits", () => {
  test("permits, the fullest first, and who waits", () => {
    const { gauges, facts } = standingOf(
      view("adaptive", {
        options: { queue: 10 },
        state: { limit: { a: 10, b: 4 }, active: { a: 1, b: 4 }, queued: { b: 3 } },
      }),
    );
    expect(gauges).toEqual([
      { label: "b", used: 4, of: 4 },
      { label: "a", used: 1, of: 10 },
      { label: "waiting", used: 3, of: 20 },
    ]);
    expect(facts).toEqual([]);
  });

  test("a limit that nobody has used yet is all there", () => {
    const options = {
      limits: { requests: { limit: 60, per: "1m" }, tokens: { limit: 100, per: 1_000, burst: 400 } },
    };
    expect(standingOf(view("rate-limit", { options, state: { remaining: {}, queued: {} } })).gauges).toEqual([
      { label: "requests", used: 0, of: 60, text: "60 of 60 per 1m left" },
      { label: "tokens", used: 0, of: 400, text: "400 of 400 per 1.0 s left" },
    ]);
  });

  test("a limit of each of three instances is there three times", () => {
    const options = { limits: { requests: { limit: 10, per: "1s" } } };
    const state = { remaining: { "": { requests: 24 } }, queued: {} };
    expect(standingOf(view("rate-limit", { options, state, copies: 3 })).gauges).toEqual([
      { label: "requests", used: 6, of: 30, text: "24 of 30 per 1s left" },
    ]);
  });

  test("a limit that a function says has no bar, and an overdrawn one nothing left", () => {
    const state = { remaining: { t1: { tokens: -20 } }, queued: { t1: 2 } };
    expect(standingOf(view("rate-limit", { options: { limits: "(function)" }, state }))).toEqual({
      gauges: [],
      facts: ["2 waiting", "tokens of t1: 0 left"],
    });
  });

  test("many keys are few bars, and how many more", () => {
    const active = Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`k${at}`, at]));
    const { gauges, facts } = standingOf(view("bulkhead", { state: { limit: 9, active, queued: {} } }));
    expect(gauges.map(({ used }) => used)).toEqual([8, 7, 6, 5, 4, 3]);
    expect(facts).toEqual(["and 3 more keys"]);
  });

  test("a cache saves calls", () => {
    const state = { hits: 6, misses: 2, joins: 1, stale: 1, entries: 3, bytes: 2_048, flights: 0 };
    expect(standingOf(view("cache", { state, options: { maxBytes: 4_096 } }))).toEqual({
      gauges: [{ label: "memory", used: 2_048, of: 4_096, text: "2 KiB of 4 KiB" }],
      facts: ["80.0 % of 10 reads saved a call", "3 answers"],
    });
  });

  test.each([null, "odd", [1], { limit: "Infinity", active: "x" }])(
    "a state of %o breaks nothing",
    (state) => {
      for (const kind of ["bulkhead", "rate-limit", "cache", "circuit-breaker", "hedge"])
        expect(standingOf(view(kind, { state, options: null })).gauges.every(({ of }) => of >= 0)).toBe(true);
    },
  );
});

describe("what may be done", () => {
  test("is what the policy can, and a cache has no shadow", () => {
    const verbs = (kind: string, can: PolicyView["can"]) =>
      actsOf(view(kind, { can })).map(({ verb }) => verb);
    expect(verbs("circuit-breaker", ["force"])).toEqual(["Hold open", "Hold closed", "Make automatic"]);
    expect(verbs("bulkhead", ["mode", "update"])).toEqual([
      "Enforce",
      "Shadow",
      "Switch off",
      "Change numbers",
    ]);
    expect(verbs("cache", ["mode"])).toEqual(["Enforce", "Switch off"]);
    expect(verbs("timeout", [])).toEqual([]);
  });

  test("is not offered where it is so already, on all instances", () => {
    const now = (modes: readonly string[]) =>
      actsOf(view("bulkhead", { can: ["mode"], modes })).map((act) => act.now);
    expect(now(["shadow"])).toEqual([false, true, false]);
    expect(now(["enforce", "shadow"])).toEqual([false, false, false]);
  });

  test("with numbers, is what is different from the present ones", () => {
    const options = {
      name: "n",
      mode: "enforce",
      queue: 3,
      maxWait: "30s",
      key: "(function)",
      limits: { requests: { limit: 5, per: "1m" } },
    };
    expect(Object.keys(editable(options))).toEqual(["queue", "maxWait", "limits"]);
    expect(readEdit('{"queue": 4, "maxWait": "30s", "fresh": true}', options)).toEqual({
      update: { queue: 4, fresh: true },
      said: "queue from 3 to 4, fresh from its default to true",
    });
    expect(readEdit('{"queue": 3}', options)).toHaveProperty(
      "problem",
      "Nothing is different from what it is now.",
    );
    expect(readEdit("[1]", options)).toHaveProperty("problem", 'Options are written as { "name": value }.');
    expect(readEdit("{", options)).toHaveProperty("problem", expect.stringContaining("no JSON"));
  });

  test("comes to a change", () => {
    const [open, , auto] = actsOf(view("circuit-breaker", { can: ["force"] }));
    const [, shadow] = actsOf(view("bulkhead", { can: ["mode"] }));
    expect(open && changeOf(open, "m", undefined)).toEqual({ force: "open", key: "m" });
    expect(auto && changeOf(auto, undefined, undefined)).toEqual({ force: "auto" });
    expect(auto && changeOf(auto, "", undefined)).toEqual({ force: "auto", key: "" });
    expect(shadow && changeOf(shadow, "", undefined)).toEqual({ update: { mode: "shadow" } });
  });
});

test.each<[Partial<RecentEvent> & { readonly type: string }, string]>([
  [{ type: "breaker-open", policy: "b", key: "m", openForMs: 5_000 }, "Circuit b / m opened for 5.0 s."],
  [{ type: "breaker-close", policy: "b", key: "" }, "Circuit b closed."],
  [
    { type: "would-refuse", refusal: { by: "slots", code: "BULKHEAD_FULL", retryAfterMs: 400 } },
    "slots would have refused a call: no permit free, and no place to wait; again in 400 ms.",
  ],
  [
    { type: "retry-stop", policy: "retry", attempt: 2, because: "budget" },
    "retry gave up after attempt 2: the retry budget is empty.",
  ],
  [
    { type: "policy-change", policy: "b", change: { force: "auto" }, by: "ada" },
    "ada let b decide by itself again.",
  ],
  [{ type: "policy-change", policy: "b", change: { force: "open", key: "m" } }, "somebody holds b / m open."],
  [
    { type: "policy-change", policy: "b", change: { update: { queue: 3 } }, by: "ada" },
    "ada changed b: queue 3.",
  ],
  [
    { type: "store-degrade", policy: "b", to: "local" },
    "The store of b is away: decided “local” until it is back.",
  ],
  [
    { type: "callback-throw", where: "key", error: { name: "TypeError" } },
    "A callback threw in key: TypeError.",
  ],
  [{ type: "something-new", policy: "b", ms: 3 }, "something new: policy b, ms 3"],
  [{ type: "constructor" }, "constructor: "],
])("an event is a sentence: %o", (event, sentence) => {
  expect(sentenceOf({ client: "chat", time: 1, at: 1, serial: 1, ...event }).text).toBe(sentence);
});
