import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { chat, eventsOf, rawPost, readStream, withSimulator } from "../http.test-help.ts";

// Recorded answers are not part of the repository; where they are absent the shapes below stand for them.
const fixtures = join(import.meta.dirname, "../../../../../shared/fixtures/deepseek-wire");
const recorded = existsSync(fixtures);
if (!recorded) console.log(`No recorded answers at ${fixtures}: the comparison with them is skipped.`);

type Json = Record<string, unknown>;

/** Key order and kinds of values, all the way down; what an answer says is left out. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shape);
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).map(([key, entry]) => [key, shape(entry)]);
  }
  return value === null ? null : typeof value;
}

const json = (event: string): Json => JSON.parse(event.replace(/^data: /, "")) as Json;

describe("a stream", () => {
  const plain = chat("Hello", "reasoning=0,content=5", {
    stream: true,
    thinking: { type: "disabled" },
    stream_options: { include_usage: true },
  });

  test("thinking off: role, content, finish with usage, [DONE]", async () => {
    await withSimulator({}, async (simulator) => {
      const { body, headers, ending } = await rawPost(simulator, plain);
      const events = eventsOf(body);
      expect(ending).toBe("end");
      expect(headers).toMatchObject({
        "content-type": "text/event-stream; charset=utf-8",
        "transfer-encoding": "chunked",
        "cache-control": "no-cache",
        server: "openresty",
      });
      expect(headers["x-ds-trace-id"]).toMatch(/^[0-9a-f]{32}$/);
      expect(headers["date"]).toBeDefined();
      expect(events).toHaveLength(8);
      expect(events.at(-1)).toBe("data: [DONE]");
      const deltas = events
        .slice(0, -1)
        .map((event) => (json(event)["choices"] as { delta: Json }[])[0]?.delta);
      expect(deltas[0]).toEqual({ role: "assistant", content: "" });
      expect(deltas.at(-1)).toEqual({ content: "" });
      expect(body.endsWith("data: [DONE]\n\n")).toBe(true);
      expect(readStream(body).content).toBe(simulator.expectedText(plain).content);
    });
  });

  test("thinking on: the reasoning first, each delta with both fields", async () => {
    await withSimulator({}, async (simulator) => {
      const request = chat("Hello", "reasoning=2,content=2", { stream: true });
      const { body } = await rawPost(simulator, request);
      const deltas = eventsOf(body)
        .slice(0, -1)
        .map((event) => (json(event)["choices"] as { delta: Json }[])[0]?.delta);
      const { reasoning, content } = simulator.expectedText(request);
      const [think, more] = reasoning.split(" ");
      const [say, rest] = content.split(" ");
      expect(deltas).toEqual([
        { role: "assistant", content: null, reasoning_content: "" },
        { content: null, reasoning_content: think },
        { content: null, reasoning_content: ` ${more}` },
        { content: say, reasoning_content: null },
        { content: ` ${rest}`, reasoning_content: null },
        { content: "", reasoning_content: null },
      ]);
    });
  });

  test("usage: null stands on the earlier chunks only with include_usage; the last chunk always counts", async () => {
    await withSimulator({}, async (simulator) => {
      const withUsage = eventsOf((await rawPost(simulator, plain)).body)
        .slice(0, -1)
        .map(json);
      const { stream_options: _, ...rest } = plain;
      const without = eventsOf((await rawPost(simulator, rest)).body)
        .slice(0, -1)
        .map(json);
      expect(withUsage.slice(0, -1).every((chunk) => chunk["usage"] === null)).toBe(true);
      expect(without.slice(0, -1).some((chunk) => "usage" in chunk)).toBe(false);
      expect(withUsage.at(-1)?.["usage"]).toMatchObject({ completion_tokens: 5, prompt_cache_hit_tokens: 0 });
      expect(without.at(-1)?.["usage"]).toEqual(withUsage.at(-1)?.["usage"]);
    });
  });

  test.runIf(recorded)("has the key order and the fields of the recorded one", async () => {
    const lines = readFileSync(join(fixtures, "deepseek-text.chunks.txt"), "utf8").trim().split("\n");
    await withSimulator({}, async (simulator) => {
      const events = eventsOf((await rawPost(simulator, { ...plain, max_tokens: 4 })).body).map((event) =>
        event.slice(6),
      );
      expect(shape(JSON.parse(events[0] as string))).toEqual(shape(JSON.parse(lines[0] as string)));
      expect(shape(JSON.parse(events[1] as string))).toEqual(shape(JSON.parse(lines[1] as string)));
      expect(shape(JSON.parse(events.at(-2) as string))).toEqual(shape(JSON.parse(lines.at(-1) as string)));
      // Values aside the very bytes: no spaces, no other escapes.
      expect(JSON.stringify(JSON.parse(events[1] as string))).toBe(events[1]);
    });
  });
});

describe("a JSON answer", () => {
  test("is chunked, counts reasoning among the completion tokens, and says nothing of it when thinking is off", async () => {
    await withSimulator({}, async (simulator) => {
      const { headers, body } = await rawPost(simulator, chat("Hello"));
      expect(headers).toMatchObject({ "content-type": "application/json", "transfer-encoding": "chunked" });
      expect((JSON.parse(body) as Json)["usage"]).toMatchObject({
        completion_tokens: 10,
        total_tokens: 16,
        completion_tokens_details: { reasoning_tokens: 4 },
      });
      const off = await rawPost(simulator, chat("Hello", "content=6", { thinking: { type: "disabled" } }));
      expect(off.body).not.toContain("reasoning");
    });
  });

  test.runIf(recorded).each([
    ["deepseek-json.json", {}],
    ["deepseek-text.json", { thinking: { type: "disabled" } as const }],
  ])("has the key order and the fields of %s", async (file, more) => {
    const real = JSON.parse(readFileSync(join(fixtures, file), "utf8")) as unknown;
    await withSimulator({}, async (simulator) => {
      const { body } = await rawPost(simulator, chat("Hello", "reasoning=3,content=3", more));
      expect(shape(JSON.parse(body))).toEqual(shape(real));
    });
  });
});
