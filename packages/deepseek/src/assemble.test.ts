import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { assembleChat, type Run } from "./assemble.ts";
import { bench, fakeFetch, readAll } from "./fake-fetch.test-help.ts";
import { createDeepSeek, deepseekFetch } from "./index.ts";
import { piecesOf } from "./pieces.ts";
import { rawOf } from "./raw.ts";
import type { ChatChunk, ChatCompletion } from "./types.ts";

function assemble(chunks: Iterable<unknown>): {
  readonly whole: ChatCompletion;
  readonly runs: readonly Run[];
} {
  const assembly = assembleChat();
  for (const chunk of chunks) assembly.add(chunk as ChatChunk);
  const { whole, cuts } = assembly.finish();
  return { whole, runs: cuts as readonly Run[] };
}

const chunk = (delta: object, more: object = {}, top: object = {}): object => ({
  id: "c1",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [{ index: 0, delta, logprobs: null, finish_reason: null, ...more }],
  ...top,
});

describe("putting a stream together", () => {
  test("joins what differs from host to host", () => {
    const { whole } = assemble([
      chunk({ role: "assistant", content: "", refusal: null }, {}, { provider: "X", service_tier: null }),
      chunk({ content: null, reasoning: "hm", reasoning_details: [{ text: "h" }] }),
      chunk({ content: "", reasoning: ", so", reasoning_details: [{ text: "m" }] }),
      chunk({ content: "Hello", note: 1 }, { native_finish_reason: null }),
      chunk(
        { role: "assistant", content: "" },
        { finish_reason: "stop", native_finish_reason: "eos" },
        { id: "c2" },
      ),
      { choices: [], usage: { total_tokens: 1 } },
    ]);
    expect(whole).toEqual({
      id: "c1",
      object: "chat.completion",
      created: 1,
      model: "m",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: "Hello",
            refusal: null,
            reasoning: "hm, so",
            reasoning_details: [{ text: "h" }, { text: "m" }],
            note: 1,
          },
          logprobs: null,
          finish_reason: "stop",
          native_finish_reason: "eos",
        },
      ],
      usage: { total_tokens: 1 },
      provider: "X",
    });
  });

  test("joins tool calls by their index, also where a host says things twice, or numbers nothing", () => {
    const call = (tools: object[]) => chunk({ tool_calls: tools });
    const numbered = assemble([
      call([{ index: 1, id: "b", type: "function", function: { name: "g", arguments: "" } }]),
      call([{ index: 0, id: "a", type: "function", function: { name: "f", arguments: "{" } }]),
      call([
        { index: 0, id: "", function: { name: "f", arguments: '"x":' } },
        { index: 1, function: { arguments: "[]" } },
      ]),
      call([{ index: 0, id: null, function: { name: null, arguments: "1}" } }]),
    ]);
    const tools = [
      { index: 0, id: "a", type: "function", function: { name: "f", arguments: '{"x":1}' } },
      { index: 1, id: "b", type: "function", function: { name: "g", arguments: "[]" } },
    ];
    expect(numbered.whole.choices[0]?.message).toEqual({
      role: "assistant",
      content: null,
      tool_calls: tools,
    });
    const bare = assemble([
      call([{ id: "a", type: "function", function: { name: "f", arguments: '{"x"' } }]),
      call([{ function: { arguments: ":1}" } }]),
      call([{ id: "b", type: "function", function: { name: "g", arguments: "[]" } }]),
    ]);
    expect(bare.whole.choices[0]?.message.tool_calls).toEqual(tools);
  });

  test("joins log probabilities, and keeps choices apart", () => {
    const odds = (token: string) => ({ token, logprob: -1, bytes: null, top_logprobs: [] });
    const { whole } = assemble([
      chunk({ content: "a" }, { index: 1, logprobs: { content: [odds("a")], reasoning_content: null } }),
      chunk({ content: "b" }, { index: 0, logprobs: { content: [odds("b")] } }),
      chunk({ content: "c" }, { index: 1, logprobs: { content: [odds("c")], reasoning_content: null } }),
    ]);
    expect(whole.choices.map(({ index, message, logprobs }) => [index, message.content, logprobs])).toEqual([
      [0, "b", { content: [odds("b")] }],
      [1, "ac", { content: [odds("a"), odds("c")], reasoning_content: null }],
    ]);
  });

  test("is not led astray by what is no answer", () => {
    const odd = JSON.parse('{"__proto__":{"x":1},"content":"y"}') as object;
    const { whole } = assemble([chunk(odd), { choices: null }, { choices: [null, { delta: "z" }] }, {}]);
    expect(whole.choices).toMatchObject([{ message: { content: "y" } }]);
    expect(Object.getPrototypeOf(whole.choices[0]?.message)).toBe(Object.prototype);
  });
});

// --- There and back ---

const text = fc.string({ unit: "grapheme", maxLength: 100 });
const odds = fc.option(
  fc.array(
    fc.record({ token: text, logprob: fc.double(), bytes: fc.constant(null), top_logprobs: fc.constant([]) }),
    {
      maxLength: 5,
    },
  ),
);
const tool = fc.record({
  id: fc.string({ minLength: 1 }),
  name: fc.string({ minLength: 1 }),
  arguments: text,
});
const completions = fc
  .record({
    content: fc.oneof(text, fc.constant(null)),
    reasoning: fc.option(text, { nil: undefined }),
    tools: fc.array(tool, { maxLength: 3 }),
    logprobs: odds,
    usage: fc.option(fc.constant({ prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 }), {
      nil: undefined,
    }),
    choices: fc.integer({ min: 1, max: 2 }),
  })
  .map(({ content, reasoning, tools, logprobs, usage, choices }) => ({
    id: "c1",
    object: "chat.completion",
    created: 1,
    model: "m",
    choices: Array.from({ length: choices }, (_, index) => ({
      index,
      message: {
        role: "assistant",
        content,
        ...(reasoning !== undefined && { reasoning_content: reasoning }),
        ...(tools.length > 0 && {
          tool_calls: tools.map(({ id, ...called }, at) => ({
            index: at,
            id,
            type: "function",
            function: called,
          })),
        }),
      },
      logprobs: logprobs === null || logprobs.length === 0 ? null : { content: logprobs },
      finish_reason: "stop",
    })),
    ...(usage !== undefined && { usage }),
    system_fingerprint: "fp",
  }));

const lone = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

describe("taking a whole answer apart", () => {
  test("gives pieces that make the same answer again, and break no character", () => {
    fc.assert(
      fc.property(completions, fc.boolean(), (completion, includeUsage) => {
        const whole = completion as unknown as ChatCompletion;
        const chunks = [...piecesOf(whole, undefined, includeUsage)];
        const again = assemble(chunks);
        expect(again.whole).toEqual(whole);
        for (const { choices, usage } of chunks.slice(0, -1)) {
          expect(usage).toBe(includeUsage ? null : undefined);
          const { content } = choices[0]?.delta ?? {};
          expect((content ?? "").length).toBeLessThanOrEqual(33);
          if (!lone.test(whole.choices[0]?.message.content ?? "")) expect(content ?? "").not.toMatch(lone);
        }
        // The same pieces, from the borders that were found in them.
        expect([...piecesOf(again.whole, again.runs, includeUsage)]).toEqual(chunks);
      }),
      { numRuns: 300, seed: 20_261_121 },
    );
  });

  test("breaks no character where the host did", () => {
    const { whole, runs } = assemble([chunk({ content: "a\ud83d" }), chunk({ content: "\ude00b" })]);
    const contents = [...piecesOf(whole, runs, false)].map(({ choices }) => choices[0]?.delta.content);
    expect(contents).toEqual(["", "a😀", "b", ""]);
  });

  test("shares nothing with the answer", () => {
    const { whole } = assemble([
      chunk({ tool_calls: [{ index: 0, id: "a", function: { name: "f", arguments: "1" } }] }),
      chunk({}, { logprobs: { content: [{ token: "x" }] } }, { usage: { total_tokens: 1 } }),
    ]);
    const before = structuredClone(whole);
    const spoil = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return;
      for (const member of Object.values(value)) spoil(member);
      for (const name of Object.keys(value)) (value as Record<string, unknown>)[name] = "spoilt";
    };
    for (const piece of piecesOf(whole, undefined, true)) spoil(piece);
    expect(whole).toEqual(before);
  });
});

// --- As recorded ---

const recorded = join(import.meta.dirname, "../../../../shared/fixtures/deepseek-wire");
const recordings = existsSync(recorded);
if (!recordings) console.log("skipped: the recorded answers of DeepSeek are not here");

describe.skipIf(!recordings)("what DeepSeek sent", () => {
  const lines = recordings
    ? readFileSync(join(recorded, "deepseek-text.chunks.txt"), "utf8").split("\n").filter(Boolean)
    : [];
  const wire = `${lines.map((line) => `data: ${line}\n\n`).join("")}data: [DONE]\n\n`;
  const json = (name: string): unknown => JSON.parse(readFileSync(join(recorded, name), "utf8"));
  const members = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(members);
    if (typeof value !== "object" || value === null) return typeof value;
    return Object.entries(value).map(([name, member]) => [name, members(member)]);
  };

  test("is read and written out again line by line, by the stream, the fetch and the router", async () => {
    const { next, outcome } = bench();
    const asked = outcome({ stream: true });
    const body = (await next()).stream();
    body.push(wire);
    body.end();
    const answer = await asked;
    const { chunks } = await readAll(answer.status === "answered" && answer.value);
    expect(chunks.map((one) => rawOf(one))).toEqual(lines);

    const headers = { "content-type": "application/json" };
    const request = {
      method: "POST",
      headers,
      body: JSON.stringify({ messages: [{ role: "user", content: "Hi" }], stream: true }),
    };
    const fake = fakeFetch();
    const deepseek = createDeepSeek({
      apiKey: "k",
      baseURL: "http://host.test",
      fetch: fake.fetch,
      policies: [],
    });
    const router = deepseek.handler({ authorize: "public" });
    const address = "http://host.test/v1/chat/completions";
    for (const through of [
      () => deepseekFetch({ fetch: fake.fetch, policies: [] })(address, request),
      () => deepseek.fetch(address, request),
      () => router(new Request(address, request)),
    ]) {
      const response = through();
      const sent = (await fake.next()).stream();
      sent.push(wire);
      sent.end();
      expect(await (await response).text()).toBe(wire);
    }
  });

  test("makes, put together, what DeepSeek sends as JSON: the same members in the same order", () => {
    const { whole, runs } = assemble(lines.map((line) => JSON.parse(line) as unknown));
    expect(members(whole)).toEqual(members(json("deepseek-text.json")));
    expect(whole.choices[0]?.message.content).toMatch(/^## \*\*Holid/);
    expect(runs).toHaveLength(1);
    // Apart again it is what was sent, byte for byte.
    expect([...piecesOf(whole, runs, true)].map((one) => JSON.stringify(one))).toEqual(lines);
  });

  test.each(["deepseek-text.json", "deepseek-json.json"])("survives being taken apart: %s", (name) => {
    const whole = json(name) as ChatCompletion;
    expect(JSON.stringify(assemble(piecesOf(whole, undefined, false)).whole)).toBe(JSON.stringify(whole));
  });
});
