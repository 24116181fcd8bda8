import { describe, expect, test } from "vitest";

import { eventsOf, headersOf, withSimulator } from "../http.test-help.ts";
import { expectedText, type FimRequest, type Simulator } from "../index.ts";

const request: FimRequest = {
  model: "deepseek-flash",
  prompt: "def add(a, b):",
  suffix: "print(add(1, 2))",
  metadata: { sim: "content=6" },
};

function ask(
  simulator: Simulator,
  body: unknown,
  path = "/beta/completions",
  headers: Record<string, string> = {},
): Promise<Response> {
  return simulator.fetch(simulator.url + path, {
    method: "POST",
    headers: headersOf(simulator, headers),
    body: JSON.stringify(body),
  });
}

test("JSON: a text_completion with the text that follows from prompt and suffix", async () => {
  await withSimulator({}, async (simulator) => {
    const body = (await (await ask(simulator, request)).json()) as Record<string, unknown>;
    expect(Object.keys(body)).toEqual(["id", "object", "created", "model", "choices", "usage"]);
    const { content } = simulator.expectedText(request);
    expect(body).toMatchObject({
      object: "text_completion",
      choices: [{ text: content, index: 0, logprobs: null, finish_reason: "stop" }],
      usage: { prompt_tokens: 9, completion_tokens: 6 },
    });
    expect(body["usage"]).not.toHaveProperty("completion_tokens_details");
    expect(content).not.toBe(expectedText({ ...request, suffix: "" }).content);
    expect(content).not.toBe(expectedText({ ...request, prompt: "def sub(a, b):" }).content);
    expect(simulator.attempts()[0]).toMatchObject({ path: "/completions", outcome: "completed" });
  });
});

test("streamed: chunks of the same shape, the usage on the last, [DONE]", async () => {
  await withSimulator({}, async (simulator) => {
    const body = await (await ask(simulator, { ...request, stream: true }, "/beta/v1/completions")).text();
    const events = eventsOf(body);
    expect(events.at(-1)).toBe("data: [DONE]");
    const chunks = events
      .slice(0, -1)
      .map(
        (event) =>
          JSON.parse(event.slice(6)) as { choices: [{ text: string; finish_reason: string | null }] },
      );
    expect(Object.keys(chunks[0] ?? {})).toEqual(["id", "object", "created", "model", "choices"]);
    expect(Object.keys(chunks.at(-1) ?? {})).toEqual([
      "id",
      "object",
      "created",
      "model",
      "choices",
      "usage",
    ]);
    expect(chunks.map((chunk) => chunk.choices[0].text).join("")).toBe(
      simulator.expectedText(request).content,
    );
    expect(chunks.map((chunk) => chunk.choices[0].finish_reason)).toEqual([
      ...Array.from({ length: 6 }, () => null),
      "stop",
    ]);
  });
});

test("4K tokens are the limit, and what comes when nothing is said", async () => {
  const endless = { ...request, metadata: { sim: "content=9000" } };
  expect(expectedText(endless)).toMatchObject({ contentTokens: 4096, finishReason: "length" });
  await withSimulator({}, async (simulator) => {
    const over = await ask(simulator, { ...request, max_tokens: 4097 });
    expect(over.status).toBe(400);
    expect(await over.text()).toContain("valid range of max_tokens is [1, 4096]");
    expect((await ask(simulator, { ...request, max_tokens: 4096 })).status).toBe(200);
  });
});

describe("everything else is as for a chat", () => {
  test("only below /beta; mistakes of the body are 400", async () => {
    await withSimulator({}, async (simulator) => {
      expect((await ask(simulator, request, "/completions")).status).toBe(404);
      expect((await ask(simulator, request, "/v1/completions")).status).toBe(404);
      for (const [body, message] of [
        [{ model: "deepseek-flash" }, "missing field `prompt`"],
        [{ ...request, suffix: 5 }, "suffix: invalid type"],
        [{ ...request, prompt: ["a"] }, "prompt: invalid type"],
        [{ ...request, model: "deepseek-chat" }, "Model Not Exist"],
        [{ ...request, user_id: "an na" }, "user_id"],
      ] as const) {
        const response = await ask(simulator, body);
        expect(response.status).toBe(400);
        expect(await response.text()).toContain(message);
      }
    });
  });

  test("faults, by header and by rule", async () => {
    const faults = [{ match: { path: "/completions", nth: 2 }, action: "503" }];
    await withSimulator({ faults }, async (simulator) => {
      const cut = await ask(simulator, { ...request, stream: true }, undefined, {
        "x-sim-fault": "truncate_clean;tokens=2",
      });
      const body = await cut.text();
      expect(eventsOf(body)).toHaveLength(2);
      expect((await ask(simulator, request)).status).toBe(200);
      expect((await ask(simulator, request)).status).toBe(503);
    });
  });

  test("it takes a slot, and counts for its account", async () => {
    await withSimulator({ capacity: { slots: 1, queue: 0 }, clock: "manual" }, async (simulator) => {
      const first = ask(simulator, request);
      await simulator.advance(0);
      expect(simulator.state()).toMatchObject({
        active: 1,
        accounts: [{ inFlight: { "deepseek-flash": 1 } }],
      });
      expect((await ask(simulator, request)).status).toBe(503);
      await simulator.advance(5000);
      expect((await first).status).toBe(200);
    });
  });
});
