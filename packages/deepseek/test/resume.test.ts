// Delivered plus resumed is the uninterrupted text, exactly: streams cut at random, against the simulator.
import { type BreakwaterEvent, bulkhead, retry, timeout } from "@breakwater/core";
import { type Simulator, startSimulator } from "@breakwater/simulator";
import { createTestClock, seeded, type TestClock } from "@breakwater/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { inUse } from "../src/fake-fetch.test-help.ts";
import {
  type ChatChunk,
  type ChatRequest,
  createDeepSeek,
  type DeepSeek,
  type DeepSeekOptions,
  resume,
} from "../src/index.ts";

let sim: Simulator;
beforeAll(async () => {
  sim = await startSimulator({
    clock: "manual",
    accounts: [{ balanceUsd: 1e6 }],
    text: { unicode: true },
  });
});
afterAll(() => sim.close());

/** Half a second is shorter than any clock, and longer than most gaps between tokens. */
const STEP_MS = 500;

/** Both clocks go on together until the promise settles. */
async function together<T>(clock: TestClock, promise: Promise<T>): Promise<T> {
  let settled = false;
  const done = (): void => void (settled = true);
  promise.then(done, done);
  for (let ms = 0; !settled && ms < 600_000; ms += STEP_MS) {
    await sim.advance(STEP_MS);
    await clock.advance(STEP_MS);
  }
  expect(settled).toBe(true);
  return promise;
}

interface Case {
  readonly request: ChatRequest & { readonly model: string };
  readonly fault: string;
}

/**
 * A request, and where and how the stream of its answer breaks: behind the first word of its content and before its
 * last, or `anywhere`, in its reasoning too.
 */
function caseOf(seed: number, anywhere = false): Case {
  const random = seeded(seed);
  const between = (from: number, to: number): number => from + Math.floor(random() * (to - from + 1));
  const thinking = anywhere || random() < 0.5;
  const reasoning = thinking ? between(1, 40) : 0;
  const content = between(3, 200);
  const tokens = anywhere ? between(0, reasoning + content - 1) : reasoning + between(1, content - 1);
  const kinds = [
    "reset_mid_stream",
    "reset_mid_chunk",
    "truncate_clean",
    "truncate_chunked",
    "garbage_then_eof",
    "error_event",
    "isr",
    "aborted",
    "stall_after",
    "stall_with_keepalive",
  ];
  const kind = kinds[between(0, kinds.length - 1)];
  // Cut by max_tokens as well, where enough is left to be counted exactly.
  const limit = random() < 0.3 ? tokens + between(16, 60) : undefined;
  return {
    request: {
      model: "deepseek-flash",
      messages: [{ role: "user", content: `Question ${seed}` }],
      thinking: { type: thinking ? "enabled" : "disabled" },
      metadata: { sim: `reasoning=${reasoning},content=${content}` },
      ...(limit !== undefined && { max_tokens: limit }),
    },
    fault: `${kind};tokens=${tokens}`,
  };
}

function questionOf({ messages }: ChatRequest): string {
  const content = messages[0]?.content;
  return typeof content === "string" ? content : "";
}

/** Breaks the first attempt at each request, and none of those that follow. */
function client(
  options: DeepSeekOptions,
  broken: readonly Case[] = cases,
): {
  readonly clock: TestClock;
  readonly deepseek: DeepSeek;
  readonly events: BreakwaterEvent[];
} {
  const clock = createTestClock();
  const events: BreakwaterEvent[] = [];
  const faults = new Map(broken.map(({ fault, request }) => [questionOf(request), fault]));
  const deepseek = createDeepSeek({
    apiKey: sim.key,
    baseURL: sim.url,
    fetch: sim.fetch,
    runtime: clock,
    headers: ({ request }) => {
      const question = questionOf(request);
      const fault = faults.get(question);
      faults.delete(question);
      return fault === undefined ? {} : { "x-sim-fault": fault };
    },
    ...options,
  });
  deepseek.on((event) => events.push(event));
  return { clock, deepseek, events };
}

const SEEDS = Array.from({ length: 240 }, (_, seed) => seed);
const cases = SEEDS.map((seed) => caseOf(seed));

interface Read {
  readonly content: string;
  readonly reasoning: string;
  readonly chunks: readonly ChatChunk[];
  readonly error: unknown;
}

async function read(stream: AsyncIterable<ChatChunk>): Promise<Read> {
  const chunks: ChatChunk[] = [];
  let error: unknown;
  try {
    for await (const chunk of stream) chunks.push(chunk);
  } catch (thrown) {
    error = thrown;
  }
  const text = (of: (chunk: ChatChunk) => string | null | undefined): string =>
    chunks.map((chunk) => of(chunk) ?? "").join("");
  return {
    content: text((chunk) => chunk.choices[0]?.delta.content),
    reasoning: text((chunk) => chunk.choices[0]?.delta.reasoning_content),
    chunks,
    error,
  };
}

describe("240 streams that break", { timeout: 120_000 }, () => {
  it("end with errors that say what happened", async () => {
    const { clock, deepseek } = client({});
    const reads = await together(
      clock,
      Promise.all(cases.map(({ request }) => read(deepseek.stream(request)))),
    );
    for (const [i, { content, error }] of reads.entries()) {
      const { request } = cases[i] as Case;
      expect(sim.verifyText(request, content)).toBe("prefix");
      expect(["UpstreamError", "TimedOutError"]).toContain((error as Error | undefined)?.name);
    }
    expect([deepseek.snapshot().inFlight, clock.pending]).toEqual([0, 0]);
  });

  it("are whole answers where they are resumed, each after one resume", async () => {
    const { clock, deepseek, events } = client({ midStream: "resume", budget: { perSecond: 1_000 } });
    const reads = await together(
      clock,
      Promise.all(cases.map(({ request }) => read(deepseek.stream(request)))),
    );
    for (const [i, { chunks, content, error, reasoning }] of reads.entries()) {
      const { request } = cases[i] as Case;
      expect(error).toBeUndefined();
      expect(sim.verifyText(request, { content, reasoning })).toBe("complete");
      expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
      expect(chunks.filter(({ choices }) => choices[0]?.delta.role !== undefined)).toHaveLength(1);
      expect(chunks.at(-1)).toMatchObject({
        choices: [{ finish_reason: sim.expectedText(request).finishReason }],
        x_breakwater: { resumed: 1 },
      });
    }
    const count = (type: BreakwaterEvent["type"]): number =>
      events.filter((event) => event.type === type).length;
    expect([count("stream-resume"), count("resume-stop")]).toEqual([SEEDS.length, 0]);
    expect([deepseek.snapshot().inFlight, clock.pending]).toEqual([0, 0]);
    expect(sim.state().open).toBe(0);
  });

  it("are whole wherever they break, where they begin with their content as well", async () => {
    const anywhere = SEEDS.map((seed) => caseOf(seed, true));
    const { clock, deepseek, events } = client(
      { commitOn: "content", midStream: "resume", budget: { perSecond: 1_000 } },
      anywhere,
    );
    const reads = await together(
      clock,
      Promise.all(anywhere.map(({ request }) => read(deepseek.stream(request)))),
    );
    for (const [i, { content, error, reasoning }] of reads.entries()) {
      expect(error).toBeUndefined();
      expect(sim.verifyText((anywhere[i] as Case).request, { content, reasoning })).toBe("complete");
    }
    const ends = events.flatMap((event) => (event.type === "call-end" ? [event.attempts] : []));
    expect(new Set(ends)).toEqual(new Set([2]));
    const resumes = events.filter(({ type }) => type === "stream-resume").length;
    expect([resumes > 0, resumes < SEEDS.length]).toEqual([true, true]);
    expect([deepseek.snapshot().inFlight, clock.pending]).toEqual([0, 0]);
  });

  it("leave nothing behind, whenever their readers leave, abort or fall asleep", async () => {
    const { clock, deepseek } = client({
      policies: [resume({ resumes: 2 }), retry(), bulkhead({ concurrency: 1_000 }), timeout({ idle: "60s" })],
    });
    const ways = await together(
      clock,
      Promise.all(cases.map(({ request }, seed) => leave(clock, deepseek, request, seed))),
    );
    // Each of them happened, and some answers came to their end before.
    expect(new Set(ways)).toEqual(new Set(["left", "aborted", "asleep", "read"]));
    expect(inUse(deepseek)).toEqual({ inFlight: 0, permits: 0 });
    expect(clock.pending).toBe(0);
    expect(sim.state().open).toBe(0);
  });
});

/** Reads some of an answer, and stops in one way or another: between two chunks, or in the middle of a read or a switch. */
async function leave(
  clock: TestClock,
  deepseek: DeepSeek,
  request: ChatRequest,
  seed: number,
): Promise<"left" | "aborted" | "asleep" | "read"> {
  const random = seeded(seed + 1_000);
  const controller = new AbortController();
  const way = (["left", "aborted", "asleep"] as const)[Math.floor(random() * 3)] ?? "left";
  const chunks = Math.floor(random() * 150);
  const stream = deepseek.stream(request, { signal: controller.signal });
  // Streams that stalled are in the middle of their switch a minute later.
  const patience = new Promise<"late">((resolve) => {
    clock.setTimer(random() * 62_000, () => resolve("late"));
  });
  for (let i = 0; i < chunks; i++) {
    const reading = stream.next().catch(() => ({ done: true }) as const);
    const step = await Promise.race([reading, patience]);
    if (step === "late") break;
    if (step.done === true) return "read";
  }
  if (way === "aborted") controller.abort("enough");
  else if (way === "left") await stream.return?.();
  else await new Promise<void>((resolve) => void clock.setTimer(130_000, resolve));
  return way;
}
