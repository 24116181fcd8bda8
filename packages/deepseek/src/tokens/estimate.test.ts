import { describe, expect, test } from "vitest";

import type { ChatRequest } from "../types.ts";
import { estimatePrompt, estimateTokens } from "./estimate.ts";

describe("estimates a text", () => {
  test.each([
    ["nothing", "", 0],
    ["Latin letters", "a".repeat(96), 28.8],
    ["many of them, exactly", "a".repeat(1_000_000), 300_000],
    ["Cyrillic ones", "море", 1.2],
    ["Chinese", "深".repeat(98), 58.8],
    ["rare Chinese, which takes two units", "𠮷", 0.6],
    ["kana", "うみウミ", 2.4],
    ["hangul, whole and in parts", "바다ᄇ", 1.8],
    ["full-width forms and punctuation", "ＡＢ。", 1.8],
    ["both together", "sea海", 1.5],
    ["an emoji, which is one character", "🌊", 0.3],
  ])("%s", (_, text, tokens) => {
    expect(estimateTokens(text)).toBeCloseTo(tokens, 9);
  });

  test("in pieces to the same as in one", () => {
    const text = "The sea 海は 🌊 𠮷 바다";
    const pieces = Array.from(text).reduce((sum, piece) => sum + estimateTokens(piece), 0);
    expect(pieces).toBeCloseTo(estimateTokens(text), 9);
  });
});

describe("estimates a prompt", () => {
  const tokens = (request: Partial<ChatRequest>): number => estimatePrompt({ messages: [], ...request });
  const said = estimateTokens;

  test.each<[string, Partial<ChatRequest>, number]>([
    ["nothing", {}, 0],
    ["a message", { messages: [{ role: "user", content: "The sea" }] }, said("userThe sea")],
    ["its name", { messages: [{ role: "user", content: "Hi", name: "Ada" }] }, said("userHiAda")],
    [
      "what was thought, and tool calls",
      {
        messages: [
          {
            role: "assistant",
            content: null,
            reasoning_content: "Tides?",
            tool_calls: [{ id: "c1", type: "function", function: { name: "tide", arguments: '{"at":1}' } }],
          },
        ],
      },
      said('assistantTides?c1functiontide{"at":1}'),
    ],
    [
      "parts, without pictures",
      {
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "sea" },
              { type: "image_url", image_url: { url: "x".repeat(9_999) } },
            ],
          },
        ],
      },
      said("usertextseaimage_url"),
    ],
    [
      "tools, with their punctuation",
      { tools: [{ type: "function", function: { name: "tide", parameters: { type: "object" } } }] },
      said('[{"type":"function","function":{"name":"tide","parameters":{"type":"object"}}}]'),
    ],
    ["no tools", { tools: null }, 0],
  ])("%s", (_, request, expected) => {
    expect(tokens(request)).toBeCloseTo(expected, 9);
  });

  test("that is to be filled in", () => {
    expect(estimatePrompt({ prompt: "The ", suffix: "。" })).toBeCloseTo(1.8, 9);
    expect(estimatePrompt({ prompt: "The ", suffix: null })).toBeCloseTo(1.2, 9);
  });
});
