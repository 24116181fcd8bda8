import { expect, test } from "vitest";

import { chat, post, withSimulator } from "../http.test-help.ts";
import { expectedText, SimulatorConfigError, startSimulator, type ChatRequest } from "../index.ts";

/** Says whether anybody asked for a refund, in JSON, and nothing about anything else. */
const refunds = ({ messages }: ChatRequest): string | undefined => {
  const last = String(messages.at(-1)?.content);
  return last.includes("money") ? '{"label": "refund"}' : undefined;
};

const ask = (content: string, more: Partial<ChatRequest> = {}): ChatRequest =>
  chat(content, "reasoning=3", { response_format: { type: "json_object" }, ...more });

test("what is said is the answer, and can be checked", async () => {
  await withSimulator({ text: { content: refunds } }, async (simulator) => {
    const request = ask("As JSON: I want my money back");
    const { choices, usage } = (await (await post(simulator, request)).json()) as {
      choices: [{ message: { content: string; reasoning_content: string }; finish_reason: string }];
      usage: { completion_tokens: number };
    };
    expect(choices[0].message.content).toBe('{"label": "refund"}');
    expect(choices[0].message.reasoning_content.split(" ")).toHaveLength(3);
    expect(choices[0].finish_reason).toBe("stop");
    expect(usage.completion_tokens).toBe(5);
    expect(simulator.verifyText(request, '{"label": "refund"}')).toBe("complete");
    expect(simulator.verifyText(request, '{"label": "other"}')).toBe("wrong");
  });
});

test("what nothing is said about is left to the seed", () => {
  const request = ask("As JSON: hello");
  expect(expectedText(request, { content: refunds })).toEqual(expectedText(request));
});

test("every text comes out as it is, whatever its blanks, and is cut and continued like any other", () => {
  for (const text of ["", " ", "one", "  two  words\n", "中文 and 👩‍💻 "]) {
    const { content, finishReason } = expectedText(ask("JSON"), { content: () => text });
    expect([content, finishReason]).toEqual([text, "stop"]);
  }
  const say = { content: () => "one two three" };
  expect(expectedText(ask("JSON", { max_tokens: 5 }), say)).toMatchObject({
    content: "one two",
    finishReason: "length",
  });
  const messages = [
    { role: "user" as const, content: "JSON" },
    { role: "assistant" as const, content: "one tw", prefix: true },
  ];
  expect(expectedText({ ...ask("JSON"), messages }, say).content).toBe("o three");
});

test("answers that call tools, and JSON mode without the word, stay what they are", () => {
  const tools = [{ type: "function" as const, function: { name: "look_up" } }];
  const say = { content: () => "never" };
  const called = expectedText({ ...chat("Hello", "reasoning=3"), tools }, { ...say, answer: "tools" });
  expect(called.toolCalls).toHaveLength(1);
  expect(called.content).toBe("");
  expect(expectedText(ask("As YAML", { max_tokens: 9 }), say).content).toMatch(/^\s+$/);
});

test("FIM is not asked about", () => {
  const request = { model: "deepseek-flash", prompt: "a = ", suffix: ";" };
  expect(expectedText(request, { content: () => "never" })).toEqual(expectedText(request));
});

test.each([
  ["throws", () => JSON.parse("") as string, /text\.content\(\): got "SyntaxError/],
  ["says no text", () => 7 as never, /text\.content\(\): got 7; allowed is a text/],
])("a function that %s is told so, by who speaks, and the simulator goes on", async (_, content, message) => {
  await withSimulator({ text: { content } }, async (simulator) => {
    for (let time = 0; time < 2; time++) {
      const response = await post(simulator, ask("JSON"));
      expect(response.status).toBe(400);
      const { error } = (await response.json()) as { error: { message: string; type: string } };
      expect(error.type).toBe("simulator_error");
      expect(error.message).toMatch(message);
    }
  });
});

test("what is no function is refused before anything starts", async () => {
  const text = { content: "yes" as never };
  await expect(startSimulator({ text })).rejects.toThrow(SimulatorConfigError);
  await expect(startSimulator({ text })).rejects.toThrow('text.content: got "yes"; allowed is a function');
});
