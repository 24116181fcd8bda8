import { afterEach, expect, test } from "vitest";

import { startSimulator, type Simulator } from "../index.ts";

let simulator: Simulator | undefined;
afterEach(() => simulator?.close());

const request = {
  model: "deepseek-flash",
  messages: [{ role: "user" as const, content: "Hello" }],
  metadata: { sim: "reasoning=20,content=30" },
};

async function post(at: Simulator, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${at.url}/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${at.key}`, "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

test("a JSON answer carries the expected text, reasoning and usage", async () => {
  simulator = await startSimulator({ timeScale: 0.01, seed: 7 });
  const answer = (await (await post(simulator, request)).json()) as {
    choices: { message: { content: string; reasoning_content: string } }[];
    usage: { completion_tokens: number };
  };
  const expected = simulator.expectedText(request);
  expect(answer.choices[0]?.message.content).toBe(expected.content);
  expect(answer.choices[0]?.message.reasoning_content).toBe(expected.reasoning);
  expect(answer.usage.completion_tokens).toBe(50);
});
