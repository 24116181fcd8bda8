import { describe, expect, test } from "vitest";

import { chat, headersOf, withSimulator } from "../http.test-help.ts";
import type { ChatRequest, Simulator, SimulatorOptions } from "../index.ts";
import { promptBlocks } from "../request/prompt-blocks.ts";
import { promptTokens } from "../request/prompt-tokens.ts";
import { createContextCache } from "./context-cache.ts";

describe("blocks", () => {
  const blocksOf = (request: ChatRequest, partition = "a"): readonly number[] =>
    promptBlocks(request, partition, 64);
  const long = (text: string): string => text.repeat(200);

  test("there are as many as the prompt has full blocks, whatever it is written in", () => {
    for (const text of ["", "x", long("Hello "), long("你好"), long("Grüße 😀, 世界! "), "x".repeat(212)]) {
      const request = chat(text);
      expect(blocksOf(request)).toHaveLength(Math.floor(promptTokens(request) / 64));
    }
  });

  test("two prompts share those that their beginnings share", () => {
    const common = long("The same beginning. ");
    const [a, b] = [blocksOf(chat(`${common} A ${common}`)), blocksOf(chat(`${common} B ${common}`))];
    const shared = a.findIndex((hash, index) => hash !== b[index]);
    expect(shared).toBe(Math.floor((4 + 0.3 * common.length) / 64));
    expect(a.slice(shared).some((hash) => b.includes(hash))).toBe(false);
  });

  test("the next turn of a conversation begins with the one before it", () => {
    const first = chat(long("A question. "));
    const second = {
      ...first,
      messages: [
        ...first.messages,
        { role: "assistant" as const, content: long("An answer. ") },
        { role: "user" as const, content: "And now?" },
      ],
    };
    const before = blocksOf(first);
    expect(blocksOf(second).slice(0, before.length)).toEqual(before);
  });

  test("another account, user, model, role, tool or a word at the start shares none", () => {
    const text = long("The same. ");
    const request = chat(text);
    const others = [
      blocksOf(request, "b"),
      blocksOf({ ...request, messages: [{ role: "system", content: text }] }),
      blocksOf({ ...request, tools: [{ type: "function", function: { name: "f" } }] }),
      blocksOf(chat(`.${text}`)),
    ];
    const own = blocksOf(request);
    for (const other of others) expect(other.some((hash) => own.includes(hash))).toBe(false);
  });
});

describe("the cache", () => {
  const options = { buildMs: 2000, ttlMs: 10_000, blocks: 100 };

  test("a block is there when it is built, and for as long as it is used", () => {
    const cache = createContextCache(options);
    expect(cache.use([1, 2, 3], 0)).toBe(0);
    expect(cache.use([1, 2, 3], 1999)).toBe(0);
    expect(cache.use([1, 2, 3], 2000)).toBe(3);
    expect(cache.use([1, 2, 9, 3], 4000)).toBe(2);
    expect(cache.use([1, 2, 9], 14_000)).toBe(3);
    expect(cache.use([1, 2, 3], 14_001)).toBe(2);
    expect(cache.use([1], 24_002)).toBe(0);
  });

  test("it holds no more than it may, and forgets the end of what was not used for longest", () => {
    const cache = createContextCache({ ...options, blocks: 4 });
    cache.use([1, 2, 3], 0);
    cache.use([7, 8], 1);
    expect(cache.use([1, 2, 3], 3000)).toBe(2);
    const none = createContextCache({ ...options, blocks: 0 });
    none.use([1], 0);
    expect(none.use([1], 5000)).toBe(0);
  });
});

describe("over the wire", () => {
  const question = chat("Tell me of the sea. ".repeat(40), "reasoning=0,content=5");
  const hits = 64 * 3;

  async function evening(
    options: SimulatorOptions,
    use: (ask: (change?: Partial<ChatRequest>) => Promise<unknown>, simulator: Simulator) => Promise<void>,
  ): Promise<void> {
    await withSimulator({ clock: "manual", ...options }, async (simulator) => {
      await use(async (change = {}) => {
        const response = simulator.fetch(`${simulator.url}/chat/completions`, {
          method: "POST",
          headers: headersOf(simulator),
          body: JSON.stringify({ ...question, ...change }),
        });
        await simulator.advance(3000);
        const { usage } = (await (await response).json()) as { usage: Record<string, unknown> };
        return usage;
      }, simulator);
    });
  }

  test("usage, log and bill tell hits and misses", async () => {
    await evening({}, async (ask, simulator) => {
      const prompt = promptTokens(question);
      expect(await ask()).toMatchObject({
        prompt_tokens: prompt,
        prompt_tokens_details: { cached_tokens: 0 },
        prompt_cache_hit_tokens: 0,
        prompt_cache_miss_tokens: prompt,
      });
      expect(await ask()).toMatchObject({
        prompt_tokens: prompt,
        prompt_tokens_details: { cached_tokens: hits },
        prompt_cache_hit_tokens: hits,
        prompt_cache_miss_tokens: prompt - hits,
      });
      const attempts = simulator.attempts();
      expect(attempts.map((attempt) => attempt.cacheHitTokens)).toEqual([0, hits]);
      expect(attempts.map((attempt) => attempt.billedNanoUsd)).toEqual([
        String(prompt * 150 + 5 * 600),
        String(hits * 3 + (prompt - hits) * 150 + 5 * 600),
      ]);
    });
  });

  test("what is there need not be read: the first token comes earlier", async () => {
    await evening({ capacity: { prefillTokensPerSecond: 100, jitter: 0 } }, async (ask, simulator) => {
      await ask();
      await ask();
      const [first, second] = simulator
        .attempts()
        .map(({ tStarted = 0, tFirstToken = 0 }) => tFirstToken - tStarted);
      expect((first ?? 0) - (second ?? 0)).toBeCloseTo(hits * 10, 6);
    });
  });

  test("users and models share nothing", async () => {
    await evening({}, async (ask) => {
      const none = { prompt_cache_hit_tokens: 0 };
      await ask({ user_id: "anna" });
      expect(await ask({ user_id: "ben" })).toMatchObject(none);
      expect(await ask()).toMatchObject(none);
      expect(await ask({ user_id: "anna", model: "deepseek-v4-pro" })).toMatchObject(none);
      expect(await ask({ user_id: "anna" })).toMatchObject({ prompt_cache_hit_tokens: hits });
    });
  });

  test("contextCache: false remembers nothing", async () => {
    await evening({ contextCache: false }, async (ask) => {
      await ask();
      expect(await ask()).toMatchObject({ prompt_cache_hit_tokens: 0 });
    });
  });
});
