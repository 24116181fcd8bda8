import { describe, expect, test } from "vitest";

import { chat, headersOf, readStream, withSimulator } from "../http.test-help.ts";
import type { ChatMessage, ChatRequest, Simulator } from "../index.ts";
import { expectedText } from "./answer.ts";

const request = chat("Hello", "reasoning=4,content=10");
const { content } = expectedText(request);
const continued = (prefix: Partial<ChatMessage>): ChatRequest => ({
  ...request,
  messages: [...request.messages, { role: "assistant", prefix: true, content: "", ...prefix }],
});
const head = (text: string, tokens: number): string => text.split(" ").slice(0, tokens).join(" ");

/** Every way of cutting an answer in two, inside of a character's halves too. */
const cuts = (text: string): string[] =>
  Array.from({ length: text.length + 1 }, (_, at) => text.slice(0, at));

describe.each([
  ["words", {}, {}],
  ["characters of several bytes", { unicode: true }, {}],
  ["JSON text", {}, { response_format: { type: "json_object" } }],
  ["JSON text of such characters", { unicode: true }, { response_format: { type: "json_object" } }],
] as const)("%s", (_name, options, more) => {
  const asked = { ...chat("Hello, JSON", "reasoning=12,content=30"), ...more };
  const whole = expectedText(asked, options);
  const resumed = (prefix: Partial<ChatMessage>): ChatRequest => ({
    ...asked,
    messages: [...asked.messages, { role: "assistant", prefix: true, content: "", ...prefix }],
  });

  test("what was delivered and its continuation are the uninterrupted answer, wherever it was cut", () => {
    for (const delivered of cuts(whole.content).slice(1)) {
      const rest = expectedText(resumed({ content: delivered, reasoning_content: whole.reasoning }), options);
      expect(delivered + rest.content).toBe(whole.content);
      expect(rest.reasoning).toBe("");
    }
  });

  test("a cut inside the reasoning is continued inside the reasoning, and the answer follows", () => {
    for (const delivered of cuts(whole.reasoning)) {
      const rest = expectedText(resumed({ reasoning_content: delivered }), options);
      expect(delivered + rest.reasoning).toBe(whole.reasoning);
      expect(rest.content).toBe(whole.content);
    }
  });

  test("what max_tokens cut is continued, too, and never ends in half a character", () => {
    for (let limit = 1; limit < 42; limit++) {
      const first = expectedText({ ...asked, max_tokens: limit }, options);
      const delivered = { reasoning_content: first.reasoning, content: first.content };
      const rest = expectedText(resumed(delivered), options);
      expect(first.finishReason).toBe("length");
      expect(first.reasoning + first.content).not.toMatch(/[\ud800-\udbff]$/);
      expect(first.reasoning + rest.reasoning).toBe(whole.reasoning);
      expect(first.content + rest.content).toBe(whole.content);
    }
  });
});

test("a text that is somebody else's stands for as many tokens as it has words", () => {
  const rest = expectedText(continued({ content: "One two three." }));
  expect(content.endsWith(rest.content)).toBe(true);
  expect(rest.contentTokens).toBe(7);
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

  test("streams that break are resumed to the end, however often and wherever", async () => {
    await withSimulator({ text: { unicode: true } }, async (simulator) => {
      const asked = chat("Hello", "reasoning=20,content=30", { stream: true });
      const delivered = { reasoning: "", content: "" };
      for (let turn = 0; turn <= 14; turn++) {
        const prefix = {
          role: "assistant" as const,
          prefix: true,
          content: delivered.content,
          reasoning_content: delivered.reasoning,
        };
        const fault = turn < 14 ? "truncate_clean;tokens=3" : "none";
        const response = await simulator.fetch(`${simulator.url}/beta/chat/completions`, {
          method: "POST",
          headers: headersOf(simulator, { "x-sim-fault": fault }),
          body: JSON.stringify({ ...asked, messages: [...asked.messages, prefix] }),
        });
        const got = readStream(await response.text());
        expect(got.finish).toBe(turn < 14 ? null : "stop");
        // The end of what came is lost on the way: the next turn begins in the middle of a word.
        delivered.reasoning += got.content === "" ? got.reasoning.slice(0, -1) : got.reasoning;
        delivered.content += got.content.slice(0, got.finish === null ? -1 : undefined);
      }
      expect(simulator.verifyText(asked, delivered)).toBe("complete");
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
    });
  });
});
