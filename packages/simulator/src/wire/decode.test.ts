import { describe, expect, test } from "vitest";

import { chat, headersOf, withSimulator } from "../http.test-help.ts";
import type { ChatRequest, FimRequest, Simulator } from "../index.ts";
import { assemble, naiveParser, strictParser, type Decoded } from "./decode.test-help.ts";

const plain = { thinking: { type: "disabled" as const } };
const weather = {
  type: "function" as const,
  function: {
    name: "weather",
    parameters: { type: "object", properties: { location: { type: "string" }, days: { type: "integer" } } },
  },
};

const variants: readonly [name: string, path: string, request: ChatRequest | FimRequest][] = [
  ["text", "/chat/completions", chat("Hello", "content=9", plain)],
  ["reasoning", "/chat/completions", chat("Hello", "reasoning=7,content=9")],
  ["tools", "/chat/completions", chat("Hello", "reasoning=3,tools=2", { tools: [weather] })],
  [
    "tools without thinking",
    "/v1/chat/completions",
    chat("Hello", "tools=1", { tools: [weather], ...plain }),
  ],
  [
    "text, then tools",
    "/chat/completions",
    chat("Hello", "content=4,tools=1", { tools: [weather], ...plain }),
  ],
  [
    "a continuation",
    "/beta/chat/completions",
    {
      ...chat("Hello", "reasoning=7,content=9"),
      messages: [
        { role: "user", content: "Hello" },
        { role: "assistant", content: "", reasoning_content: "", prefix: true },
      ],
    },
  ],
  [
    "FIM",
    "/beta/completions",
    {
      model: "deepseek-flash",
      prompt: "function add(",
      suffix: "return a + b;",
      metadata: { sim: "content=9" },
    },
  ],
];

async function ask(
  simulator: Simulator,
  path: string,
  body: unknown,
  headers: Record<string, string>,
): Promise<Uint8Array> {
  const response = await simulator.fetch(simulator.url + path, {
    method: "POST",
    headers: headersOf(simulator, headers),
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  return new Uint8Array(await response.arrayBuffer());
}

function piecesOf(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  );
}

describe.each(["deepseek", "openai", "openrouter", "siliconflow"] as const)("%s", (personality) => {
  describe.each([{ unicode: false }, { unicode: true }])("unicode: $unicode", (text) => {
    test.each(variants)("%s: every parser reads the right answer", async (_name, path, request) => {
      await withSimulator({ personality, text }, async (simulator) => {
        const wanted = simulator.expectedText(request);
        const check = (got: Decoded): void => {
          expect(simulator.verifyText(request, got)).toBe("complete");
          expect(got.finish).toBe(wanted.finishReason);
          expect(got.error).toBeUndefined();
          expect(got.usage?.["completion_tokens"]).toBeGreaterThanOrEqual(9);
        };
        const stream = { ...request, stream: true, stream_options: { include_usage: true } };
        const decode = new TextDecoder();
        for (const fault of ["none", "fragment;bytes=1", "fragment;bytes=7", "fragment;bytes=5;crlf=true"]) {
          const bytes = await ask(simulator, path, stream, {
            "x-sim-fault": fault,
            "x-sim-id": "always the same",
          });
          check(assemble(naiveParser(decode.decode(bytes))));
          for (const size of [1, 2, 3, 5, bytes.length]) check(assemble(strictParser(piecesOf(bytes, size))));
        }
        check(assemble([decode.decode(await ask(simulator, path, request, {}))]));
      });
    });
  });
});
