import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { bodyFor } from "./body.ts";
import { canonicalKey } from "./canonical-key.ts";
import { codec } from "./codec.ts";
import { bench, completion } from "./fake-fetch.test-help.ts";
import { type HostProfile, hosts, sglang, vllm } from "./hosts.ts";
import { rawOf, rememberRaw } from "./raw.ts";
import { redact } from "./redact.ts";
import { createTokenMeter } from "./tokens/meter.ts";
import type { ChatChunk, ChatCompletion, ChatRequest } from "./types.ts";

const messages = [{ role: "user", content: "Hi" }] as const;

describe("the body", () => {
  const off = { thinking: { type: "disabled" } } as const;
  const own: HostProfile = {
    name: "own",
    baseURL: "http://x",
    thinking: ({ thinking }) => ({ thinking: undefined, think: thinking?.type }),
  };

  test.each<[string, HostProfile, Partial<ChatRequest>, object]>([
    ["DeepSeek", hosts.deepseek, off, { ...off }],
    [
      "SiliconFlow",
      hosts.siliconflow,
      off,
      { model: "deepseek-ai/DeepSeek-V4-Flash", enable_thinking: false },
    ],
    [
      "Model Studio",
      hosts["model-studio"],
      { thinking: { type: "enabled" } },
      { model: "deepseek-v4-flash", enable_thinking: true },
    ],
    ["Ark", hosts["volcengine-ark"], off, { model: "deepseek-v4-flash", ...off }],
    [
      "OpenRouter",
      hosts.openrouter,
      off,
      { model: "deepseek/deepseek-v4.1-flash", reasoning: { enabled: false } },
    ],
    [
      "OpenRouter, with an effort",
      hosts.openrouter,
      { reasoning_effort: "max" },
      { model: "deepseek/deepseek-v4.1-flash", reasoning: { effort: "max" } },
    ],
    ["vLLM", vllm({ model: "mine" }), off, { model: "mine", chat_template_kwargs: { thinking: false } }],
    [
      "SGLang",
      sglang({ model: "mine" }),
      { ...off, chat_template_kwargs: { x: 1 } },
      { model: "mine", chat_template_kwargs: { thinking: false, x: 1 } },
    ],
    ["one's own way", own, off, { think: "disabled" }],
    ["a model that is not listed", hosts.siliconflow, { model: "other" }, { model: "other" }],
    [
      "fields that nobody knows",
      hosts.siliconflow,
      { seed: 1 } as never,
      { model: "deepseek-ai/DeepSeek-V4-Flash", seed: 1 },
    ],
  ])("for %s", (_, profile, request, expected) => {
    const body = JSON.parse(
      bodyFor({ model: "deepseek-flash", messages, ...request }, { callId: "1", attempts: 0 }, profile),
    );
    expect(body).toEqual({ model: "deepseek-flash", messages, ...expected });
  });

  test("is written once for a call, and anew for the next one", () => {
    const request = { model: "m", messages: [] as ChatRequest["messages"][number][] };
    const meta = { callId: "1", attempts: 0 };
    const first = bodyFor(request, meta, hosts.deepseek);
    request.messages.push({ role: "user", content: "more" });
    expect(bodyFor(request, meta, hosts.deepseek)).toBe(first);
    expect(bodyFor(request, { callId: "2", attempts: 0 }, hosts.deepseek)).toContain("more");
  });
});

describe("where it is sent", () => {
  test("and with which key and headers", async () => {
    const { next, outcome } = bench({
      baseURL: "http://host.test/v9//",
      apiKey: async ({ attempt }) => `key-${attempt}`,
      headers: (call) => ({ "x-call": call.id }),
      host: { ...hosts.openrouter, headers: { "x-title": "mine" } },
    });
    const asked = outcome();
    const { url, headers, respond } = await next();
    respond(200, completion());
    expect(url).toBe("http://host.test/v9/chat/completions");
    expect(headers.get("authorization")).toBe("Bearer key-1");
    expect([headers.get("x-title"), headers.get("x-call")]).toEqual(["mine", (await asked).meta.callId]);
  });

  test("comes from the environment where it is not said", async () => {
    process.env["DEEPSEEK_API_KEY"] = "sk-from-environment";
    process.env["DEEPSEEK_BASE_URL"] = "http://elsewhere.test";
    try {
      const { next, outcome } = bench({ apiKey: undefined, baseURL: undefined });
      const asked = outcome();
      const { url, headers, respond } = await next();
      respond(200, completion());
      await asked;
      expect([url, headers.get("authorization")]).toEqual([
        "http://elsewhere.test/chat/completions",
        "Bearer sk-from-environment",
      ]);
    } finally {
      delete process.env["DEEPSEEK_API_KEY"];
      delete process.env["DEEPSEEK_BASE_URL"];
    }
  });

  test("needs no key on a server of one's own", async () => {
    const { next, outcome } = bench({ apiKey: undefined, baseURL: undefined, host: vllm({ model: "mine" }) });
    const asked = outcome();
    const { url, headers, body, respond } = await next();
    respond(200, completion());
    await asked;
    expect(url).toBe("http://127.0.0.1:8000/v1/chat/completions");
    expect(headers.has("authorization")).toBe(false);
    expect(JSON.parse(body)).toMatchObject({ model: "mine" });
    expect(() => vllm({ model: "" })).toThrow(/model is required/);
  });

  test("is refused when a function gives no key, without showing what it gave", async () => {
    const { outcome, requests } = bench({ apiKey: () => "sk-secret with spaces" });
    const failed = await outcome();
    expect(failed).toMatchObject({ status: "failed", fault: "caller", error: { code: "CONFIG" } });
    expect(JSON.stringify(failed)).not.toContain("secret");
    expect(requests).toHaveLength(0);
  });
});

describe("the key of a request", () => {
  test("is the same in any order, and without what does not change the answer", () => {
    const a = canonicalKey({ model: "m", messages, temperature: 1, user_id: "ada", stream: false });
    const b = canonicalKey({
      temperature: 1,
      stream_options: { include_usage: true },
      messages,
      model: "m",
      max_tokens: null,
    });
    expect(a).toBe(b);
    expect(canonicalKey({ messages, stream: true })).toBe(canonicalKey({ messages })); // given out in either shape
    expect(canonicalKey({ messages, enable_thinking: false })).not.toBe(canonicalKey({ messages }));
  });

  test("takes what is the default anyway for nothing said", () => {
    const here = hosts.deepseek;
    const said: ChatRequest = {
      messages,
      model: "deepseek-flash",
      thinking: { type: "enabled" },
      reasoning_effort: "high",
      temperature: 1.0,
      top_p: 1,
      presence_penalty: -0,
      response_format: { type: "text" },
      stop: [],
      logprobs: false,
    };
    expect(canonicalKey(said, here)).toBe(canonicalKey({ messages }, here));
    expect(canonicalKey({ messages, stop: "x" }, here)).toBe(canonicalKey({ messages, stop: ["x"] }, here));
    // A server of one's own has its own ideas of thinking and temperature.
    const own = vllm({ model: "mine" });
    expect(canonicalKey({ messages, temperature: 1 }, own)).not.toBe(canonicalKey({ messages }, own));
    expect(canonicalKey({ messages, model: "deepseek-flash" }, own)).toBe(canonicalKey({ messages }, own));
    for (const change of [{ temperature: 0 }, { thinking: { type: "disabled" } }, { max_tokens: 1 }] as const)
      expect(canonicalKey({ messages, ...change }, here)).not.toBe(canonicalKey({ messages }, here));
  });

  test("trap 70: tells any two requests apart that are not the same JSON", () => {
    const sorted = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(sorted)
        : typeof value === "object" && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .toSorted(([a], [b]) => (a < b ? -1 : 1))
                .map(([k, v]) => [k, sorted(v)]),
            )
          : value;
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.array(fc.jsonValue()), (a, b) => {
        const same =
          JSON.stringify(sorted(JSON.parse(JSON.stringify(a)))) ===
          JSON.stringify(sorted(JSON.parse(JSON.stringify(b))));
        expect(canonicalKey({ messages: a as never }) === canonicalKey({ messages: b as never })).toBe(same);
      }),
    );
  });
});

test.each<[string, Partial<ChatRequest>, number, number]>([
  ["Latin letters", { messages: [{ role: "user", content: "a".repeat(96) }] }, 30, 65_536],
  ["Chinese characters", { messages: [{ role: "user", content: "深".repeat(98) }] }, 60, 65_536],
  [
    "parts, of which pictures count nothing",
    {
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "" },
            { type: "image_url", image_url: { url: "x".repeat(999) } },
          ],
        },
      ],
    },
    6,
    65_536,
  ],
  ["max_tokens", { messages: [], max_tokens: 10 }, 0, 10],
  ["no thinking", { messages: [], thinking: { type: "disabled" } }, 0, 8_192],
  ["much thinking", { messages: [], reasoning_effort: "max" }, 0, 131_072],
])("costs: %s", (_, request, promptTokens, completionTokens) => {
  const meter = createTokenMeter({ modelOf: () => "m", reserveOutput: "max" });
  const cost = meter.reserve({ messages: [], ...request });
  expect(cost).toEqual({
    promptTokens,
    completionTokens,
    totalTokens: promptTokens + completionTokens,
    estimated: true,
  });
});

describe("answers that are kept", () => {
  const answer = (message: object, reason: string): ChatCompletion =>
    JSON.parse(completion(message as never, reason)) as ChatCompletion;
  const chunks = (...reasons: (string | null)[]): ChatChunk[] =>
    reasons.map(
      (finish_reason) =>
        ({ choices: [{ index: 0, delta: { content: "x" }, finish_reason }] }) as unknown as ChatChunk,
    );

  test.each([
    ["a finished one", answer({ content: "x" }, "stop"), true],
    ["a tool call", answer({ content: null, tool_calls: [{}] }, "tool_calls"), true],
    ["one that was cut", answer({ content: "x" }, "length"), false],
    ["one that was filtered", answer({ content: "x" }, "content_filter"), false],
    ["an empty one", answer({ content: "" }, "stop"), false],
    ["a finished stream", chunks(null, "stop"), true],
    ["a cut stream", chunks(null, "length"), false],
    ["a stream without an end", chunks(null), false],
  ])("%s: %#", (_, value, expected) => {
    expect(codec.storable?.(value)).toBe(expected);
  });

  test("are copied deeply, and written out as they came", () => {
    const value = answer({ content: "x" }, "stop");
    rememberRaw(value, `${completion({ content: "x" })} `);
    const copy = codec.copy?.(value) as ChatCompletion;
    expect(copy).toEqual(value);
    expect(copy.choices[0]).not.toBe(value.choices[0]);
    expect(rawOf(copy)).toBe(`${completion({ content: "x" })} `);
    expect(codec.copy?.(chunks("stop"))).toEqual(chunks("stop"));
    expect(codec.size?.(value)).toBeGreaterThan(100);
  });
});

test.each([
  ["key sk-0123456789abcdef is wrong", "sk-0123456789abcdef", "key ****cdef is wrong"],
  ["key other-key-1234 is wrong", "other-key-1234", "key ****1234 is wrong"],
  ["key sk-aaaaaaaabbbbcccc of somebody", undefined, "key ****cccc of somebody"],
  ["the word sk-ill stays", "k", "the word sk-ill stays"],
])("redacts %s", (text, key, expected) => {
  expect(redact(text, key)).toBe(expected);
});
