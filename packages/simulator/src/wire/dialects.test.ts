import { describe, expect, test } from "vitest";

import { chat, eventsOf, headersOf, post, withSimulator } from "../http.test-help.ts";
import type { Personality, Simulator } from "../index.ts";
import { assemble, strictParser } from "./decode.test-help.ts";

const stream = chat("Hello", "reasoning=9,content=12", { stream: true });

async function bodyOf(simulator: Simulator, body: unknown, fault = "none"): Promise<string> {
  const response = await post(simulator, body, { "x-sim-fault": fault });
  return response.text();
}

const dataOf = (body: string): Record<string, unknown>[] =>
  eventsOf(body)
    .filter((event) => event.startsWith("data: {"))
    .map((event) => JSON.parse(event.slice("data: ".length)) as Record<string, unknown>);

const read = (body: string) => assemble(strictParser([new TextEncoder().encode(body)]));

/** The status, the headers and the body of an error. */
async function refusal(personality: Personality, fault: string) {
  return withSimulator({ personality }, async (simulator) => {
    const response = await post(simulator, stream, { "x-sim-fault": fault });
    return { status: response.status, headers: response.headers, body: await response.json() };
  });
}

describe("openai", () => {
  test("usage comes in a chunk without choices, and only when it was asked for", async () => {
    await withSimulator({ personality: "openai" }, async (simulator) => {
      const silent = dataOf(await bodyOf(simulator, stream));
      expect(silent.some((chunk) => "usage" in chunk)).toBe(false);
      const asked = dataOf(await bodyOf(simulator, { ...stream, stream_options: { include_usage: true } }));
      expect(asked.slice(0, -1).every((chunk) => chunk["usage"] === null)).toBe(true);
      expect(asked.at(-1)).toMatchObject({
        choices: [],
        usage: { completion_tokens: 21, completion_tokens_details: { reasoning_tokens: 9 } },
      });
      expect(JSON.stringify(asked)).not.toContain("prompt_cache");
      const whole = await bodyOf(simulator, { ...stream, stream: false });
      expect(whole).toContain('"cached_tokens":0');
      expect(whole).not.toContain("prompt_cache");
    });
  });

  test("a 429 tells when to come back; what a fault says goes before it", async () => {
    const { headers } = await refusal("openai", "429_plain");
    expect(headers.get("retry-after")).toBe("1");
    for (const kind of ["requests", "tokens"]) {
      expect(headers.get(`x-ratelimit-limit-${kind}`)).toMatch(/^\d+$/);
      expect(headers.get(`x-ratelimit-remaining-${kind}`)).toBe("0");
      expect(headers.get(`x-ratelimit-reset-${kind}`)).toBe("1s");
    }
    expect((await refusal("openai", "retry_after;seconds=7;status=429")).headers.get("retry-after")).toBe(
      "7",
    );
    expect((await refusal("openai", "503")).headers.get("retry-after")).toBeNull();
    expect((await refusal("deepseek", "429_plain")).headers.get("x-ratelimit-limit-requests")).toBeNull();
  });
});

describe("openrouter", () => {
  test("says that it is processing while a request waits", async () => {
    await withSimulator({ personality: "openrouter", clock: "manual" }, async (simulator) => {
      const waiting = simulator.fetch(`${simulator.url}/chat/completions`, {
        method: "POST",
        headers: headersOf(simulator, { "x-sim-fault": "queue_for;ms=30000" }),
        body: JSON.stringify(stream),
      });
      await simulator.advance(60_000);
      const body = await (await waiting).text();
      expect(body.match(/^: .*$/gm)).toEqual([": OPENROUTER PROCESSING", ": OPENROUTER PROCESSING"]);
      expect(simulator.verifyText(stream, read(body))).toBe("complete");
    });
  });

  test("thinks in `reasoning`", async () => {
    await withSimulator({ personality: "openrouter" }, async (simulator) => {
      const body = await bodyOf(simulator, stream);
      expect(body).not.toContain("reasoning_content");
      expect(simulator.verifyText(stream, read(body))).toBe("complete");
      const whole = JSON.parse(await bodyOf(simulator, { ...stream, stream: false })) as {
        choices: { message: Record<string, unknown> }[];
      };
      expect(whole.choices[0]?.message["reasoning"]).toBe(simulator.expectedText(stream).reasoning);
    });
  });

  test("an error in the middle of a stream is a choice that ends with it", async () => {
    await withSimulator({ personality: "openrouter" }, async (simulator) => {
      const chunks = dataOf(await bodyOf(simulator, stream, "error_event;tokens=12"));
      expect(chunks.at(-1)).toEqual({
        id: chunks[0]?.["id"],
        choices: [{ index: 0, delta: { content: "" }, finish_reason: "error" }],
        error: { code: 502, message: "Provider disconnected" },
      });
    });
  });

  test("errors have a number for a code, and what the provider said", async () => {
    const busy = await refusal("openrouter", "503");
    expect(busy.body).toMatchObject({ error: { code: 503, metadata: { provider_name: "DeepSeek" } } });
    expect((await refusal("openrouter", "402")).body).toEqual({
      error: { message: "Insufficient Balance", code: 402 },
    });
  });
});

describe("siliconflow", () => {
  test("several tokens come in a chunk", async () => {
    await withSimulator({ personality: "siliconflow" }, async (simulator) => {
      const got = read(await bodyOf(simulator, stream));
      expect(simulator.verifyText(stream, got)).toBe("complete");
      // 9 and 12 tokens, in chunks of 3 to 5 and one rest each.
      expect(got.chunks).toBeGreaterThanOrEqual(5);
      expect(got.chunks).toBeLessThanOrEqual(8);
      expect(got.usage).toMatchObject({ completion_tokens: 21 });
    });
  });

  test("a cut comes after the tokens that it names, also in the middle of a chunk", async () => {
    await withSimulator({ personality: "siliconflow" }, async (simulator) => {
      for (let tokens = 1; tokens < 20; tokens++) {
        const body = await bodyOf(simulator, stream, `truncate_clean;tokens=${tokens}`);
        const { reasoning, content } = read(body);
        expect(`${reasoning} ${content}`.trim().split(" ")).toHaveLength(tokens);
        expect(simulator.attempts().at(-1)).toMatchObject({ tokensWritten: tokens, tokensGenerated: tokens });
      }
    });
  });

  test("errors are flat", async () => {
    expect((await refusal("siliconflow", "503")).body).toEqual({
      code: 50508,
      message: "System is too busy now. Please try again later.",
      data: null,
    });
    expect((await refusal("siliconflow", "402")).body).toMatchObject({
      code: 30001,
      message: "Insufficient Balance",
      data: null,
    });
    await withSimulator({ personality: "siliconflow" }, async (simulator) => {
      const chunks = dataOf(await bodyOf(simulator, stream, "error_event;tokens=2"));
      expect(chunks.at(-1)).toEqual({ code: 50508, message: "Internal Server Error", data: null });
    });
  });
});

test("the personality changes while the simulator runs; what is being answered stays as it began", async () => {
  await withSimulator({ clock: "manual" }, async (simulator) => {
    const start = (): Promise<Response> =>
      simulator.fetch(`${simulator.url}/chat/completions`, {
        method: "POST",
        headers: headersOf(simulator),
        body: JSON.stringify(stream),
      });
    const before = start();
    await simulator.advance(260);
    simulator.configure({ personality: "openrouter" });
    const after = start();
    await simulator.advance(10_000);
    expect(await (await before).text()).toContain('"reasoning_content":');
    expect(await (await after).text()).toContain('"reasoning":');
    expect(simulator.state().personality).toBe("openrouter");
    expect(() => simulator.configure({ personality: "azure" as Personality })).toThrow(
      /personality: got "azure"; allowed is one of deepseek, openai, openrouter, siliconflow/,
    );
  });
});
