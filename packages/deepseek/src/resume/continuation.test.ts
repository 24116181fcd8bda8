import { describe, expect, test } from "vitest";

import type { ChatRequest } from "../types.ts";
import { canContinue, continuationOf } from "./continuation.ts";

const request = { messages: [{ role: "user", content: "Hi" }], stream: true } satisfies ChatRequest;
const delivered = { content: "He", reasoning: "", tokens: 2, reasoningTokens: 0 };

describe("a continuation", () => {
  test("is asked for behind what was delivered, with everything else as it was", () => {
    expect(continuationOf({ ...request, temperature: 0, stop: ["x"] }, delivered)).toEqual({
      messages: [...request.messages, { role: "assistant", content: "He", prefix: true }],
      stream: true,
      temperature: 0,
      stop: ["x"],
    });
  });

  test("knows what the model thought", () => {
    const { messages } = continuationOf(request, { ...delivered, reasoning: "hm" });
    expect(messages.at(-1)).toEqual({
      role: "assistant",
      content: "He",
      reasoning_content: "hm",
      prefix: true,
    });
  });

  test("is not asked for behind half a character", () => {
    const { messages } = continuationOf(request, { ...delivered, content: `He${"🌊".slice(0, 1)}` });
    expect(messages.at(-1)).toMatchObject({ content: "He" });
    expect(continuationOf(request, { ...delivered, content: "He🌊" }).messages.at(-1)).toMatchObject({
      content: "He🌊",
    });
  });

  test("goes on behind a text that the request had begun", () => {
    const begun: ChatRequest = {
      ...request,
      messages: [...request.messages, { role: "assistant", content: "Oh, ", name: "ada", prefix: true }],
    };
    expect(continuationOf(begun, delivered).messages).toEqual([
      ...request.messages,
      { role: "assistant", content: "Oh, He", name: "ada", prefix: true },
    ]);
  });

  test.each([
    [100, 40, 60],
    [100, 84, 16],
    [100, 99, 16],
  ])("has what is left of %i tokens after %i: %i", (limit, tokens, left) => {
    expect(continuationOf({ ...request, max_tokens: limit }, { ...delivered, tokens }).max_tokens).toBe(left);
  });
});

describe("an answer", () => {
  const tool = { type: "function", function: { name: "f" } } as const;
  const call = { id: "1", type: "function", function: { name: "f", arguments: "{}" } } as const;

  test.each<[string, Partial<ChatRequest> & { n?: number }]>([
    ["is plain text", {}],
    ["is one choice", { n: 1 }],
    ["is said to be text", { response_format: { type: "text" } }],
    ["may use no tool", { tools: [tool], tool_choice: "none" }],
    ["has an empty list of tools", { tools: [] }],
    ["was begun by the request", { messages: [{ role: "assistant", content: "Oh", prefix: true }] }],
  ])("that %s can be continued", (_, more) => {
    expect(canContinue({ ...request, ...more })).toBe(true);
  });

  test.each<[string, Partial<ChatRequest> & { n?: number }]>([
    ["comes at once", { stream: false }],
    ["has several choices", { n: 2 }],
    ["is JSON", { response_format: { type: "json_object" } }],
    ["has log probabilities", { logprobs: true }],
    ["may call tools", { tools: [tool] }],
    ["must call one", { tools: [tool], tool_choice: "required" }],
    ["follows the result of a tool", { messages: [{ role: "tool", content: "1", tool_call_id: "1" }] }],
    ["follows nothing that is a message", { messages: [null as never] }],
    ["follows a call of one", { messages: [{ role: "assistant", content: "", tool_calls: [call] }] }],
    [
      "was begun in parts",
      { messages: [{ role: "assistant", content: [{ type: "text", text: "Oh" }], prefix: true }] },
    ],
  ])("that %s cannot", (_, more) => {
    expect(canContinue({ ...request, ...more })).toBe(false);
  });
});
