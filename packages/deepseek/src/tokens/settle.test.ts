// What a limit of tokens is charged in the end, beside what the host has computed: a client over the simulator.
import { createClient, type Ending, guard, type Policy, rateLimit, retry, timeout } from "@breakwater/core";
import {
  type Attempt,
  type FaultRule,
  type Personality,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from "@breakwater/simulator";
import { createTestClock } from "@breakwater/testing";
import { afterEach, describe, expect, test } from "vitest";

import { hosts } from "../hosts.ts";
import { resume } from "../resume/index.ts";
import { type ChatRequest, isStream } from "../types.ts";
import type { DeepSeekUpstreamOptions } from "../upstream-options.ts";
import { deepseekUpstream } from "../upstream.ts";

let sim: Simulator | undefined;
afterEach(async () => {
  await sim?.close();
  sim = undefined;
});

const LIMIT = 1_000_000;
const REQUEST = {
  model: "deepseek-flash",
  messages: [{ role: "user", content: "Why is the sea salty? ".repeat(20) }],
  max_tokens: 2_000,
} satisfies ChatRequest;

interface Given {
  readonly simulated?: SimulatorOptions;
  readonly options?: DeepSeekUpstreamOptions;
  readonly inside?: readonly Policy[];
}

/** A client with a limit of tokens over a simulator, both in times that pass together when the test says so. */
async function limited({ simulated, options, inside = [] }: Given = {}) {
  const simulator = (sim = await startSimulator({
    clock: "manual",
    text: { contentMedian: 200, reasoningMedian: 50 },
    ...simulated,
  }));
  const clock = createTestClock();
  const upstream = deepseekUpstream({
    apiKey: simulator.key,
    baseURL: simulator.url,
    fetch: simulator.fetch,
    ...options,
  });
  const endings: Ending[] = [];
  const watch = guard("watch", {
    name: "watch",
    admit(call) {
      call.defer((ending) => endings.push(ending));
      return undefined;
    },
  });
  // A window gives nothing back by itself before a day is over.
  const limits = { tokens: { limit: LIMIT, per: "1d", algorithm: "window" } } as const;
  const client = createClient({ upstream, runtime: clock }, rateLimit({ limits }), ...inside, watch);

  const charged = (): number => {
    const state = client.snapshot().policies[0]?.state as {
      readonly remaining: Readonly<Record<string, { readonly tokens: number }>>;
    };
    return LIMIT - (state.remaining[""]?.tokens ?? LIMIT);
  };
  /** Lets time pass until it is so. */
  const until = async (done: () => boolean, stepMs = 50): Promise<void> => {
    for (let i = 0; !done(); i++) {
      if (i > 20_000) throw new Error("it never came to that");
      await simulator.advance(stepMs);
      await clock.advance(stepMs);
    }
  };
  /** Asks, reads up to so many chunks, leaves, and lets time pass until it is over for both sides. */
  async function ask(
    request: Partial<ChatRequest> = {},
    { chunks = Infinity, signal }: { readonly chunks?: number; readonly signal?: AbortSignal } = {},
  ): Promise<Attempt | undefined> {
    const known = simulator.attempts().length;
    let over = false;
    const reading = (async () => {
      const outcome = await client.outcome({ ...REQUEST, ...request }, signal && { signal });
      if (outcome.status !== "answered" || !isStream(outcome.value)) return;
      let read = 0;
      for await (const _ of outcome.value) if (++read === chunks) break;
    })().catch(() => undefined);
    void reading.then(() => (over = true));
    await clock.settle();
    await until(() => over && simulator.state().open === 0);
    return simulator.attempts()[known];
  }
  return { simulator, clock, client, endings, charged, until, ask };
}

const computed = ({ promptTokens, tokensGenerated }: Attempt): number => promptTokens + tokensGenerated;
const NOTHING = { promptTokens: 0, completionTokens: 0, totalTokens: 0, estimated: true };

describe.each([
  ["JSON", { stream: false }],
  ["a stream", { stream: true }],
])("a limit of tokens over %s", (_, shape) => {
  test("is charged exactly what the host counted", async () => {
    const { ask, charged, client, clock, until } = await limited();
    let sum = 0;
    for (let i = 0; i < 5; i++) {
      const attempt = await ask({ ...shape, user_id: `u${i}` });
      if (attempt?.outcome !== "completed") throw new Error(attempt?.outcome);
      sum += computed(attempt);
      expect(charged()).toBe(sum);
    }
    const going = client.outcome({ ...REQUEST, ...shape });
    await clock.settle();
    expect(charged() - sum, "reserved: the prompt, and max_tokens").toBeGreaterThan(2_000);
    let over = false;
    void Promise.resolve(going).then((outcome) => {
      over = true;
      if (outcome.status === "answered" && isStream(outcome.value))
        void outcome.value[Symbol.asyncIterator]().return?.();
    });
    await until(() => over);
  });

  test.each(["400", "401", "402", "429_plain", "500", "502_html", "503"])(
    "is charged nothing for a %s",
    async (action) => {
      const { ask, charged, endings } = await limited({ simulated: { faults: [{ action }] } });
      expect((await ask(shape))?.outcome).toBe("rejected");
      expect(charged()).toBe(0);
      expect(endings).toMatchObject([{ status: "failed", spent: false }]);
    },
  );

  test("is charged what was reserved when nobody knows how far it came", async () => {
    const { ask, charged } = await limited({ simulated: { faults: [{ action: "504_html" }] } });
    await ask(shape);
    expect(charged()).toBeGreaterThan(2_000);
  });

  test("is charged what it can have come to when its caller leaves after it was begun", async () => {
    const { charged, client, clock, endings } = await limited();
    const controller = new AbortController();
    const asked = client.outcome({ ...REQUEST, ...shape }, { signal: controller.signal });
    await clock.settle();
    await sim?.advance(400); // a few tokens
    controller.abort("gone");
    await asked;
    await clock.settle();
    expect(endings).toMatchObject([{ status: "cancelled" }]);
    if (shape.stream) expect(charged()).toBe(endings[0]?.usage?.totalTokens);
    else expect(charged(), "a whole answer is silent in the making").toBeGreaterThan(2_000);
  });

  test("is charged nothing when the host gave it up in its queue", async () => {
    const action = shape.stream ? "keepalive_then_eof;n=5" : "blank_then_eof;n=5";
    const { ask, charged, endings } = await limited({
      simulated: { faults: [{ action }] },
      options: { queueLimit: "1m" },
    });
    expect(await ask(shape)).toMatchObject({ tokensGenerated: 0 });
    expect(endings).toMatchObject([{ status: "failed", error: { code: "QUEUE_TIMEOUT" }, spent: false }]);
    expect(charged()).toBe(0);
  });
});

describe("a stream", () => {
  const STREAM = { stream: true } as const;

  test("that breaks is charged its prompt and the chunks that came", async () => {
    const { ask, charged, endings } = await limited({
      simulated: { faults: [{ action: "reset_mid_stream;tokens=40" }] },
    });
    const attempt = await ask(STREAM);
    expect(attempt).toMatchObject({ outcome: "faulted", tokensGenerated: 40 });
    const [ending] = endings;
    expect(ending).toMatchObject({
      status: "failed",
      spent: true,
      usage: { completionTokens: 40, estimated: true },
    });
    expect(ending?.usage?.promptTokens).toBeGreaterThan(0.9 * (attempt?.promptTokens ?? 0));
    expect(ending?.usage?.promptTokens).toBeLessThan(1.1 * (attempt?.promptTokens ?? 0));
    expect(charged()).toBe(ending?.usage?.totalTokens);
  });

  test("that its reader leaves is charged so, too", async () => {
    const { ask, charged, endings } = await limited({ simulated: { capacity: { abortLagTokens: 0 } } });
    const attempt = await ask(STREAM, { chunks: 60 });
    expect(attempt?.outcome).toBe("client_closed");
    expect(endings).toMatchObject([{ status: "cancelled", usage: { estimated: true } }]);
    expect(charged()).toBe(endings[0]?.usage?.totalTokens);
    expect(Math.abs(charged() - computed(attempt as Attempt))).toBeLessThan(20);
  });

  test("that is cancelled, or stalls, costs no more than came", async () => {
    const controller = new AbortController();
    const { ask, charged, endings, until } = await limited({
      simulated: { faults: [{ action: "stall_after;tokens=30" }] },
    });
    const asked = ask(STREAM, { signal: controller.signal });
    await until(() => (sim?.state().open ?? 0) > 0 && endings.length === 0 && charged() > 0, 2_000);
    for (let i = 0; i < 5; i++) await sim?.advance(1_000);
    controller.abort("gone");
    await asked;
    expect(endings).toMatchObject([{ status: "cancelled", usage: { completionTokens: 30 } }]);
    expect(charged()).toBe(endings[0]?.usage?.totalTokens);
  });

  test.each([
    ["its caller leaves", []],
    ["a clock ends", [timeout({ firstToken: "30s" })]],
  ])("that is still queued when %s costs nothing", async (why, inside) => {
    const controller = new AbortController();
    const { ask, charged, clock, endings } = await limited({
      inside,
      simulated: { faults: [{ action: "queue_forever" }] },
    });
    const asked = ask(STREAM, { signal: controller.signal });
    expect(charged()).toBeGreaterThan(2_000);
    await clock.settle();
    if (why === "its caller leaves") controller.abort("gone");
    await asked;
    expect(endings).toMatchObject([{ usage: NOTHING }]);
    expect(charged()).toBe(0);
  });

  test("of a host that tells no usage is charged what it came to, and says so", async () => {
    const { charged, client, endings, until, clock } = await limited({
      simulated: { faults: [{ action: "usage_missing" }] },
    });
    let over = false;
    const asked = (async () => {
      const outcome = await client.outcome({ ...REQUEST, ...STREAM });
      if (outcome.status === "answered" && isStream(outcome.value)) for await (const _ of outcome.value);
      return outcome;
    })();
    void asked.then(() => (over = true));
    await clock.settle();
    await until(() => over);
    const { meta } = await asked;
    const [attempt] = sim?.attempts() ?? [];
    expect(meta.usage).toMatchObject({ completionTokens: attempt?.tokensGenerated, estimated: true });
    expect(endings).toMatchObject([{ status: "answered", usage: meta.usage }]);
    expect(charged()).toBe(meta.usage?.totalTokens);
  });

  test("of a host that sends several tokens in a chunk is charged by its text", async () => {
    const personality: Personality = "siliconflow";
    const { ask, charged, endings } = await limited({
      simulated: { personality, faults: [{ action: "reset_mid_stream;tokens=120" }] },
      options: { host: { ...hosts.siliconflow, baseURL: "", models: {} } },
    });
    const attempt = (await ask(STREAM)) as Attempt;
    expect(charged()).toBe(endings[0]?.usage?.totalTokens);
    expect(charged() / computed(attempt)).toBeGreaterThan(0.6);
    expect(charged() / computed(attempt)).toBeLessThan(1.7);
  });

  test.each<[string, number, readonly FaultRule[]]>([
    ["breaks again", Infinity, [{ action: "reset_mid_stream;tokens=60" }]],
    ["its reader leaves", 100, [{ action: "reset_mid_stream;tokens=60", times: 1 }]],
  ])("that is continued is charged all of its parts when it %s", async (_, chunks, faults) => {
    const { ask, charged, simulator, endings } = await limited({ inside: [resume()], simulated: { faults } });
    await ask({ ...STREAM, thinking: { type: "disabled" } }, { chunks });
    expect(simulator.attempts().map(({ outcome }) => outcome)).toEqual([
      "faulted",
      chunks === Infinity ? "faulted" : "client_closed",
    ]);
    const used = endings.map(({ usage }) => usage?.totalTokens ?? 0);
    expect(Math.abs(charged() / ((used[0] ?? 0) + (used[1] ?? 0)) - 1)).toBeLessThan(0.05);
    const sum = simulator.attempts().reduce((total, attempt) => total + computed(attempt), 0);
    expect(Math.abs(charged() / sum - 1)).toBeLessThan(0.1);
  });

  test("outside of retry() it is charged for the attempt that was the last", async () => {
    const { ask, charged, simulator } = await limited({
      inside: [retry({ attempts: 3, baseDelay: 0 })],
      simulated: { faults: [{ action: "503", times: 1 }] },
    });
    await ask(STREAM);
    const [refused, answered] = simulator.attempts();
    expect([refused?.outcome, answered?.outcome]).toEqual(["rejected", "completed"]);
    expect(charged()).toBe(computed(answered as Attempt));
  });

  test("outside of retry() it is charged for what came when its reader leaves", async () => {
    const { ask, charged, endings } = await limited({ inside: [retry({ attempts: 2 })] });
    await ask(STREAM, { chunks: 60 });
    expect(charged()).toBe(endings[0]?.usage?.totalTokens);
    expect(charged()).toBeLessThan(400);
  });
});

test("what is reserved comes to what is used: the prompt by what the host counted, the answer by recent ones", async () => {
  const { ask, charged, client, clock, simulator } = await limited({
    // A third of what the host counts.
    options: { countTokens: () => 50 },
  });
  const request = { max_tokens: null, stream: true } as const;
  const reserved = async (): Promise<number> => {
    const controller = new AbortController();
    const before = charged();
    const asked = client.outcome({ ...REQUEST, ...request }, { signal: controller.signal });
    const amount = charged() - before;
    controller.abort();
    await asked;
    await clock.settle();
    return amount;
  };
  expect(await reserved(), "nothing is known").toBe(50 + 4_096);
  for (let i = 0; i < 40; i++) await ask({ ...request, user_id: `u${i}` });
  const attempts = simulator.attempts().filter(({ outcome }) => outcome === "completed");
  const [prompt = 0] = attempts.map(({ promptTokens }) => promptTokens);
  const answers = attempts.map(({ tokensGenerated }) => tokensGenerated).toSorted((a, b) => a - b);
  expect(answers).toHaveLength(40);
  const output = (await reserved()) - prompt;
  expect(output).toBeGreaterThan(0.95 * (answers[35] ?? 0) - 20);
  expect(output).toBeLessThan(1.05 * (answers[35] ?? 0) + 20);
  const another = deepseekUpstream({ apiKey: "k" });
  expect(another.traits?.cost?.({ ...REQUEST, ...request }), "it learns for itself").toMatchObject({
    completionTokens: 4_096,
  });
});
