import { describe, expect, test } from "vitest";

import { chat, headersOf, withSimulator } from "../http.test-help.ts";
import type { ChatMessage, ChatRequest, Simulator } from "../index.ts";
import { expectedText } from "./answer.ts";

const request = chat("Hello", "reasoning=4,content=10");
const { content, reasoning } = expectedText(request);
const continued = (prefix: Partial<ChatMessage>): ChatRequest => ({
  ...request,
  messages: [...request.messages, { role: "assistant", prefix: true, content: "", ...prefix }],
});
const head = (text: string, tokens: number): string => text.split(" ").slice(0, tokens).join(" ");

test("what was delivered and its continuation are the uninterrupted answer, wherever it was cut", () => {
  for (let tokens = 1; tokens <= 10; tokens++) {
    const delivered = head(content, tokens);
    const rest = expectedText(continued({ content: delivered }));
    expect(delivered + rest.content).toBe(content);
    expect(rest.reasoning).toBe("");
  }
});

test("a cut inside the reasoning is continued inside the reasoning", () => {
  const rest = expectedText(continued({ reasoning_content: head(reasoning, 3) }));
  expect(head(reasoning, 3) + rest.reasoning).toBe(reasoning);
  expect(rest.content).toBe(content);
});

test("max_tokens bounds the continuation alone", () => {
  const rest = expectedText({ ...continued({ content: head(content, 4) }), max_tokens: 2 });
  expect(rest).toMatchObject({ contentTokens: 2, finishReason: "length" });
});

describe("over the wire", () => {
  const ask = (simulator: Simulator, path: string, body: ChatRequest): Promise<Response> =>
    simulator.fetch(simulator.url + path, {
      method: "POST",
      headers: headersOf(simulator),
      body: JSON.stringify(body),
    });

  test.each(["/beta/chat/completions", "/beta/v1/chat/completions"])("%s continues", async (path) => {
    await withSimulator({}, async (simulator) => {
      const answer = (await (
        await ask(simulator, path, continued({ content: head(content, 4) }))
      ).json()) as {
        choices: { message: { content: string } }[];
        usage: { completion_tokens: number };
      };
      expect(head(content, 4) + answer.choices[0]?.message.content).toBe(content);
      expect(answer.usage.completion_tokens).toBe(6);
    });
  });

  test("a prefix that is not the last message, or not the assistant's, is refused; beta answers the rest alike", async () => {
    await withSimulator({}, async (simulator) => {
      const { messages } = continued({ content: "a" });
      const notLast = { ...request, messages: [...messages, { role: "user" as const, content: "b" }] };
      const notAssistant = { ...request, messages: [{ role: "user" as const, content: "a", prefix: true }] };
      expect((await ask(simulator, "/beta/chat/completions", notLast)).status).toBe(400);
      expect((await ask(simulator, "/beta/chat/completions", notAssistant)).status).toBe(400);
      expect((await ask(simulator, "/beta/chat/completions", request)).status).toBe(200);
      expect((await ask(simulator, "/beta/completions", request)).status).toBe(404);
    });
  });
});
