import { expect, test } from "vitest";

import { chat, post, withSimulator } from "../http.test-help.ts";
import { expectedText, type ChatRequest } from "../index.ts";

const json = (content: string, tokens: string, more: Partial<ChatRequest> = {}): ChatRequest =>
  chat(content, tokens, { response_format: { type: "json_object" }, ...more });

test("the answer is JSON text, of any length and in any characters", () => {
  for (const unicode of [false, true]) {
    for (let tokens = 1; tokens < 40; tokens++) {
      const { content, contentTokens } = expectedText(json("As Json", `content=${tokens}`), { unicode });
      expect(contentTokens).toBe(tokens);
      expect(JSON.parse(content)).toBeTypeOf("object");
    }
  }
});

test("max_tokens cuts it, as it cuts any text", () => {
  const { content, finishReason } = expectedText(json("JSON!", "reasoning=2,content=9", { max_tokens: 8 }));
  expect(finishReason).toBe("length");
  expect(() => JSON.parse(content) as unknown).toThrow(SyntaxError);
});

test("a prompt that does not say JSON gets white space until max_tokens", async () => {
  await withSimulator({}, async (simulator) => {
    const request = json("As YAML", "reasoning=5,content=10", { max_tokens: 400 });
    const { choices, usage } = (await (await post(simulator, request)).json()) as {
      choices: [{ message: { content: string }; finish_reason: string }];
      usage: { completion_tokens: number };
    };
    expect(choices[0].finish_reason).toBe("length");
    expect(choices[0].message.content).toMatch(/^\s{395}$/);
    expect(usage.completion_tokens).toBe(400);
    expect(simulator.verifyText(request, choices[0].message.content)).toBe("complete");
  });
});

test("content parts count as words of the prompt", () => {
  const request = json("", "content=3");
  const parts = [{ type: "text", text: "in JSON" }];
  const { finishReason } = expectedText({ ...request, messages: [{ role: "user", content: parts }] });
  expect(finishReason).toBe("stop");
});
