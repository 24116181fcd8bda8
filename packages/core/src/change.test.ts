import { describe, expect, it } from "vitest";

import { createTestClock } from "../../testing/src/index.ts";
import { createClient } from "./client.ts";
import { ConfigError } from "./errors.ts";
import type { BreakwaterEvent } from "./events.ts";
import type { Handler, Policy } from "./handler.ts";
import { createPipeline } from "./pipeline.ts";
import { bulkhead } from "./policies/bulkhead/index.ts";
import { circuitBreaker } from "./policies/circuit-breaker/index.ts";
import { retry } from "./policies/retry/index.ts";
import { timeout } from "./policies/timeout/index.ts";
import { upstream } from "./upstream.ts";

function setUp() {
  const client = createClient(
    { upstream: upstream((text: string) => text), name: "search", runtime: createTestClock() },
    timeout({ total: "10s" }),
    retry({ attempts: 2 }),
    circuitBreaker({ name: "upstream" }),
    createPipeline(bulkhead({ name: "places", concurrency: 2 })),
    timeout({ name: "each", overall: "5s" }),
    timeout({ name: "each", overall: "4s" }),
  );
  const events: BreakwaterEvent[] = [];
  client.on((event) => events.push(event));
  return { client, events };
}

describe("change", () => {
  it("holds a circuit open and closed, and gives it back", async () => {
    const { client, events } = setUp();
    await client.change("upstream", { force: "open" }, { by: "ada" });
    expect(await client.outcome("a")).toMatchObject({ status: "refused", refusal: { code: "CIRCUIT_OPEN" } });
    await client.change("upstream", { force: "auto" });
    expect((await client.outcome("a")).status).toBe("answered");
    expect(events.filter(({ type }) => type === "policy-change")).toMatchObject([
      { client: "search", policy: "upstream", kind: "circuit-breaker", change: { force: "open" }, by: "ada" },
      { client: "search", policy: "upstream", change: { force: "auto" } },
    ]);
    expect(events.filter(({ type }) => type === "policy-change")[1]).not.toHaveProperty("by");
  });

  it("changes options, also of a policy in a pipeline, which is found by its name or its position", async () => {
    const { client } = setUp();
    expect(client.policies.map(({ name }) => name)).toEqual(
      client.describe().policies.map(({ name }) => name),
    );
    await client.change("places", { update: { concurrency: 1 } });
    await client.change(3, { update: { mode: "shadow" } });
    expect(client.describe().policies[3]?.options).toMatchObject({ concurrency: 1, mode: "shadow" });
  });

  it("forces one circuit of many, and none that no call goes through", async () => {
    const client = createClient(
      { upstream: upstream((text: string) => text), name: "search", runtime: createTestClock() },
      circuitBreaker({ name: "keyed", key: (text: string) => text }),
      circuitBreaker({ name: "one" }),
    );
    const events: BreakwaterEvent[] = [];
    client.on((event) => events.push(event));
    await expect(client.change("keyed", { force: "open" })).rejects.toThrow(
      'keyed: it has a circuit for each key; say which one: { force: "open", key: "…" }',
    );
    await expect(client.change("one", { force: "open", key: "a" })).rejects.toThrow(
      'one: it has one circuit for all calls; leave key out, got "a"',
    );
    expect(events).toEqual([]);
    await client.change("keyed", { force: "open", key: "a" });
    expect((await client.outcome("a")).status).toBe("refused");
    expect((await client.outcome("b")).status).toBe("answered");
    await client.change("keyed", { force: "open", key: "" });
    expect((await client.outcome("")).status).toBe("refused");
  });

  it("changes a policy that is an object of a class", async () => {
    class Own implements Policy<string, string> {
      readonly kind = "own";
      readonly name = "own";
      limit = 1;
      apply(next: Handler<string, string>): Handler<string, string> {
        return next;
      }
      update({ limit }: Readonly<Record<string, unknown>>): void {
        this.limit = limit as number;
      }
    }
    const own = new Own();
    const client = createClient(
      upstream((text: string) => text),
      own,
    );
    await client.change("own", { update: { limit: 2 } });
    expect(own.limit).toBe(2);
  });

  it("finds a policy by its kind, too, unless another is called so", async () => {
    const { client, events } = setUp();
    await client.change("circuit-breaker", { force: "open" });
    await client.change("bulkhead", { update: { concurrency: 1 } });
    await client.change("timeout", { update: { total: "5s" } });
    expect(events.filter(({ type }) => type === "policy-change")).toMatchObject([
      { policy: "upstream" },
      { policy: "places" },
      { policy: "timeout" },
    ]);
    expect(client.describe().policies[0]?.options).toMatchObject({ total: 5_000 });
  });

  it("asks which one where several are of a kind", async () => {
    const client = createPipeline(
      bulkhead({ name: "a", concurrency: 1 }),
      bulkhead({ name: "b", concurrency: 1 }),
    );
    const changed = client.change("bulkhead", { update: { concurrency: 2 } });
    await expect(changed).rejects.toThrow(/2 policies are called "bulkhead".*0 bulkhead "a", 1 bulkhead "b"/);
  });

  const mistakes: readonly [RegExp, string | number, unknown][] = [
    [
      /search: there is no policy "plaices"; there is 0 timeout, 1 retry, 2 circuit-breaker "upstream", 3 bulkhead "places"/,
      "plaices",
      { force: "open" },
    ],
    [/search: there is no policy 6/, 6, { force: "open" }],
    [/search: there is no policy -1/, -1, { force: "open" }],
    [
      /search: 2 policies are called "each"; say which one by its kind or position: .*4 timeout "each", 5 timeout "each"/,
      "each",
      { update: {} },
    ],
    [/places: only a circuit breaker can be forced, and this is a bulkhead/, "places", { force: "open" }],
    [/force must be "open", "closed" or "auto", got "half"/, "upstream", { force: "half" }],
    [/key must be a string, got 3/, "upstream", { force: "open", key: 3 }],
    [/key belongs to force/, "upstream", { update: { mode: "off" }, key: "a" }],
    [/either \{ force: "open" \} or \{ update/, "upstream", {}],
    [/either \{ force: "open" \} or \{ update/, "upstream", { force: "open", update: { mode: "off" } }],
    [/unknown member "mode" of a change; known are force, key and update/, "upstream", { mode: "off" }],
    [
      /update must be an object of options, such as \{ mode: "shadow" \}, got an array/,
      "upstream",
      { update: [] },
    ],
    [/update is empty/, "upstream", { update: {} }],
    [/a change is \{ force: "open" \} or \{ update: \{ … \} \}, got "open"/, "upstream", "open"],
    [/mode must be one of "enforce", "shadow", "off", got "on"/, "upstream", { update: { mode: "on" } }],
    [/unknown option "concurency"/, "places", { update: { concurency: 5 } }],
    [
      /unknown option "__proto__"/,
      "places",
      JSON.parse('{ "update": { "__proto__": { "concurrency": 5 } } }'),
    ],
    [/a policy keeps its name/, "places", { update: { name: "other" } }],
  ];
  it.each(mistakes)("says what is wrong: %s", async (message, policy, change) => {
    const { client, events } = setUp();
    const before = JSON.stringify(client.describe());
    const failed = client.change(policy, change as never);
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toBeInstanceOf(ConfigError);
    expect(JSON.stringify(client.describe())).toBe(before);
    expect(events).toEqual([]);
  });
});
