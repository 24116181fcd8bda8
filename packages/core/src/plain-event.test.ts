import { describe, expect, it } from "vitest";

import type { Call } from "./call.ts";
import { createClient } from "./client.ts";
import { ConfigError, RefusedError, TimedOutError, UpstreamError } from "./errors.ts";
import type { BreakwaterEvent } from "./events.ts";
import { failed, type Outcome } from "./outcome.ts";
import { createPipeline } from "./pipeline.ts";
import { plainData } from "./plain-data.ts";
import { plainError, type PlainEvent, plainEvent } from "./plain-event.ts";
import { circuitBreaker } from "./policies/circuit-breaker/index.ts";
import { retry } from "./policies/retry/index.ts";
import { watchables } from "./watchable.ts";

const SECRET = "sk-0123456789abcdef";

describe("plainEvent", () => {
  it("tells how calls end, and nothing that is nobody's business", async () => {
    const search = createPipeline(
      { name: "search" },
      retry({ attempts: 2, baseDelay: 0 }),
      circuitBreaker({ key: () => SECRET, window: { calls: 2 }, minimumCalls: 1 }),
    );
    const events: BreakwaterEvent[] = [];
    search.on((event) => events.push(event));
    const fail = (): Promise<never> =>
      Promise.reject(Object.assign(new Error(`no ${SECRET}`), { status: 503, code: "BUSY", body: SECRET }));
    await search.outcome(fail, { tenant: SECRET, callId: "c1", input: SECRET });
    await search.outcome(fail, { tenant: SECRET, signal: AbortSignal.abort(SECRET) });
    const plain = events.map((event) => plainEvent(event));
    expect(JSON.stringify(plain)).not.toContain(SECRET);
    expect(plain.map(({ type }) => type)).toEqual(
      expect.arrayContaining(["call-start", "attempt-end", "breaker-open", "call-refused", "call-end"]),
    );
    expect(plain.find(({ type }) => type === "attempt-end")).toMatchObject({
      client: "search",
      callId: "c1",
      ending: { status: "failed", fault: "upstream", error: { name: "Error", code: "BUSY", status: 503 } },
    });
    const ends = plain.filter(({ type }) => type === "call-end");
    expect(ends).toMatchObject([
      { ending: { status: "refused", refusal: { by: "circuit-breaker", code: "CIRCUIT_OPEN" } } },
      { ending: { status: "cancelled", error: { name: "string" } } },
    ]);
    const whole = events.map((event) => plainEvent(event, { identities: true }));
    expect(whole.find(({ type }) => type === "call-start")?.["tenant"]).toBe(SECRET);
    expect(whole.find(({ type }) => type === "breaker-open")?.["key"]).toBe(SECRET);
  });

  it("tells of what an upstream writes down only what it is asked for", async () => {
    const usage = { promptTokens: 3, thinkingTokens: 4, estimated: true, note: SECRET };
    const search = createPipeline({ name: "search" });
    const events: BreakwaterEvent[] = [];
    search.on((event) => events.push(event));
    await search.outcome(({ call }) => {
      Object.assign(call.meta, { model: "m", traceId: `no id, but ${SECRET}`, saved: usage, note: SECRET });
      call.usage = usage;
    });
    const plain = events.map((event) => plainEvent(event));
    const end = plain.find(({ type }) => type === "call-end");
    const counted = { promptTokens: 3, thinkingTokens: 4, estimated: true };
    expect(end?.["meta"]).toEqual({ callId: end?.callId, attempts: 1, model: "m", saved: counted });
    expect(end?.["ending"]).toMatchObject({ status: "answered", usage: counted });
    expect(JSON.stringify(plain)).not.toContain(SECRET);
  });

  it("tells of a failure that an upstream made only what a failure has", async () => {
    const careless = Object.assign(
      (call: Call<string>): Outcome<string> => {
        const more = { body: SECRET, retryAfterMs: 5 };
        return failed(new Error(SECRET), { fault: "upstream", retryable: true, ...more }, call.meta);
      },
      { traits: { name: "careless" } },
    );
    const ask = createClient(careless);
    const plain: PlainEvent[] = [];
    ask.on((event) => plain.push(plainEvent(event)));
    await ask.outcome("a");
    expect(plain.at(-1)?.["ending"]).toMatchObject({ status: "failed", fault: "upstream", retryAfterMs: 5 });
    expect(JSON.stringify(plain)).not.toContain(SECRET);
  });

  it("shows what may be shown of a key that is disabled, and of a change", () => {
    const disabled = {
      type: "key-disable",
      client: "c",
      at: 1,
      account: "a",
      key: "cdef",
      retryAfterMs: 1,
    } as const;
    expect(plainEvent(disabled)).toEqual(disabled);
    const changed = {
      type: "policy-change",
      client: "c",
      at: 1,
      policy: "p",
      kind: "circuit-breaker",
      change: { force: "open", key: SECRET },
    } as const;
    expect(plainEvent(changed)).toEqual({ ...changed, change: { force: "open" } });
    expect(plainEvent(changed, { identities: true })).toEqual(changed);
  });

  it("knows errors by name, code and status only", () => {
    const meta = { callId: "c", attempts: 1 };
    const timedOut = new TimedOutError("firstToken", 60_000, { retryable: true, meta });
    expect(plainError(timedOut)).toMatchObject({ name: "TimedOutError", clock: "firstToken" });
    expect(plainError(new RefusedError({ by: "x", code: "CIRCUIT_OPEN" }))).toMatchObject({
      code: "CIRCUIT_OPEN",
    });
    expect(
      plainError(Object.assign(new Error(SECRET), { name: SECRET, code: SECRET, status: "503" })),
    ).toEqual({
      name: "Error",
    });
    expect([plainError(SECRET), plainError(null), plainError(undefined)]).toEqual([
      { name: "string" },
      { name: "object" },
      { name: "undefined" },
    ]);
    expect(UpstreamError.isInstance(timedOut)).toBe(false);
  });
});

describe("plainData", () => {
  it("says what has no JSON", () => {
    class Store {
      readonly url = SECRET;
    }
    const given = {
      limit: Infinity,
      none: undefined,
      cents: 5n,
      key: () => SECRET,
      store: new Store(),
      made: { url: SECRET, decide: () => true },
      pattern: /x/,
      list: [1, null, NaN],
      deep: { deep: { deep: { deep: { deep: { deep: { deep: { deep: { deep: 1 } } } } } } } },
    };
    expect(plainData(given)).toEqual({
      limit: "Infinity",
      cents: "5",
      key: "(function)",
      store: "(Store)",
      made: "(object)",
      pattern: "(RegExp)",
      list: [1, null, "NaN"],
      deep: { deep: { deep: { deep: { deep: { deep: { deep: { deep: "(…)" } } } } } } },
    });
  });

  it("is bounded, also where things hold one another", () => {
    const around: Record<string, unknown> = {};
    around["self"] = around;
    expect(JSON.stringify(plainData(around)).length).toBeLessThan(200);
    const many = Array.from({ length: 150 }, (_, i) => i);
    expect((plainData(many) as unknown[]).slice(99)).toEqual([99, "and 50 more"]);
    const keys = plainData(Object.fromEntries(many.map((i) => [`k${i}`, i]))) as Record<string, unknown>;
    expect([Object.keys(keys).length, keys["…"]]).toEqual([101, "and 50 more"]);
  });

  it("keeps a member of any name to itself", () => {
    const plain = plainData(JSON.parse('{ "__proto__": { "polluted": true }, "a": 1 }')) as object;
    expect("polluted" in plain).toBe(false);
    expect(Object.keys(plain)).toEqual(["__proto__", "a"]);
  });
});

describe("watchables", () => {
  it("takes one or several, each once, and says what is none", () => {
    const one = createPipeline({ name: "one" });
    const two = createPipeline({ name: "two" });
    expect(watchables(one, "metrics")).toEqual([one]);
    expect(watchables([one, two, one], "metrics")).toEqual([one, two]);
    expect(one.managed()[0]?.snapshot().name).toBe("one");
    const message =
      /^metrics: a client is expected, such as createClient\(\) or createDeepSeek\(\) makes it, or a list of them, got undefined/;
    expect(() => watchables([undefined] as never, "metrics")).toThrow(message);
    expect(() => watchables(undefined as never, "metrics")).toThrow(ConfigError);
    expect(() => watchables([], "metrics")).toThrow("metrics: the list of clients is empty");
  });
});
