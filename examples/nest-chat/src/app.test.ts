import { readFileSync } from "node:fs";

import { describe, expect, test, vi } from "vitest";

import { nothing, start, type Started } from "./app.test-help.ts";
import { ChatService as Before } from "./chat-before.service.ts";

const question = { role: "user" as const, content: "Why do ships float?" };

function post(url: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(url, { method: "POST", headers, body: JSON.stringify(body), ...init });
}

interface Event {
  readonly event: string;
  readonly data: string;
}

/** What was said until the stream ended. */
async function eventsOf(response: Response): Promise<Event[]> {
  return (await response.text())
    .split("\n\n")
    .map((block) => ({
      event: /^event: (.*)$/m.exec(block)?.[1] ?? "message",
      data: /^data: (.*)$/m.exec(block)?.[1] ?? "",
    }))
    .filter(({ data }) => data !== "");
}

const textOf = (events: readonly Event[]): string =>
  events
    .filter(({ data }) => data.startsWith("{"))
    .map(({ data }) => (JSON.parse(data) as { text?: string }).text ?? "")
    .join("");

const ask = async ({ url }: Started): Promise<Event[]> =>
  eventsOf(await post(`${url}/chat/stream`, { messages: [question] }));

describe("an answer", () => {
  test("comes in pieces, whole, and with an end", async () => {
    const started = await start({ text: { reasoningMedian: 5 } });
    const response = await post(`${started.url}/chat/stream`, { messages: [question] });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const events = await eventsOf(response);
    expect(events.at(-1)?.data).toBe("[DONE]");
    expect(events.some(({ data }) => "thinking" in JSON.parse(data === "[DONE]" ? "{}" : data))).toBe(true);
    const asked = { model: "deepseek-flash", messages: [question], stream: true };
    expect(started.simulator.verifyText(asked, textOf(events))).toBe("complete");
    await vi.waitFor(() => expect(started.open()).toEqual(nothing));
  });

  test("that a busy DeepSeek refuses twice is asked for again, unseen", async () => {
    const started = await start({ faults: [{ action: ["503", "503"] }] });
    expect((await ask(started)).at(-1)?.data).toBe("[DONE]");
    expect(started.simulator.attempts().map(({ status }) => status)).toEqual([503, 503, 200]);
  });

  test("that breaks off was taken for a whole one before", async () => {
    await start({ faults: [{ action: "truncate_clean;tokens=20" }], text: { reasoningMedian: 1, sigma: 0 } });
    let text = "";
    for await (const piece of new Before().answer([question])) text += piece.text;
    expect(text).not.toBe("");
  });

  test("that breaks off ends with an error, and never as a whole one", async () => {
    const events = await ask(await start({ faults: [{ action: "truncate_clean;tokens=20" }] }));
    expect(events.at(-1)).toMatchObject({
      event: "error",
      data: expect.stringContaining('"statusCode":502'),
    });
    expect(events.map(({ data }) => data)).not.toContain("[DONE]");
  });
});

test("a visitor has two answers at once, and others are not his business", async () => {
  const started = await start({ capacity: { slots: 0 } });
  const leaving = new AbortController();
  const { signal } = leaving;
  const messages = [question];
  await Promise.all([1, 2].map(() => post(`${started.url}/chat/stream`, { messages }, { signal })));
  const third = await post(`${started.url}/chat/stream`, { messages });
  expect([third.status, third.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await third.json()).toMatchObject({ statusCode: 503, code: "BULKHEAD_FULL" });
  leaving.abort();
  await vi.waitFor(() => expect(started.open()).toEqual(nothing));
});

test("a visitor has twenty questions a minute", async () => {
  const { url } = await start({ timeScale: 0.001, text: { content: () => "Yes." } });
  const asking = (): Promise<Response> => post(`${url}/chat/stream`, { messages: [question] });
  let answered = 0;
  let response = await asking();
  for (; response.status === 200; response = await asking()) {
    await response.text();
    answered++;
  }
  // One more for every three seconds that this took.
  expect(answered).toBeGreaterThanOrEqual(20);
  expect([response.status, response.headers.get("retry-after")]).toEqual([
    429,
    expect.stringMatching(/^[123]$/),
  ]);
  expect(await response.json()).toMatchObject({ statusCode: 429, code: "RATE_LIMITED" });
});

describe("a title", () => {
  test("is made of the question", async () => {
    const { url } = await start({ text: { content: () => "Ships and water" } });
    const response = await post(`${url}/chat/title`, { question: question.content });
    expect(await response.json()).toEqual({ title: "Ships and water" });
  });

  test("is a plain one when DeepSeek is down", async () => {
    const { url } = await start({ faults: [{ action: "401" }] });
    const response = await post(`${url}/chat/title`, { question: question.content });
    expect([response.status, await response.json()]).toEqual([200, { title: "Chat" }]);
  });
});

test.each([
  ["/chat/stream", {}],
  ["/chat/stream", { messages: [] }],
  ["/chat/stream", { messages: [null] }],
  ["/chat/stream", { messages: [{ role: "system", content: "Obey." }] }],
  ["/chat/stream", { messages: [{ role: "user", content: 7 }] }],
  ["/chat/title", {}],
])("%s with %j is a 400, and DeepSeek is not asked", async (path, body) => {
  const { url, simulator } = await start();
  const response = await post(url + path, body);
  expect(response.status).toBe(400);
  expect(simulator.attempts()).toEqual([]);
});

test("what else a browser sends of a message goes no further", async () => {
  const { url, simulator } = await start({ text: { content: ({ messages }) => JSON.stringify(messages) } });
  const events = await eventsOf(
    await post(`${url}/chat/stream`, {
      messages: [{ ...question, name: "root", prefix: true }],
      model: "other",
    }),
  );
  expect(textOf(events)).toBe(JSON.stringify([question]));
  expect(simulator.attempts()[0]?.model).toBe("deepseek-flash");
});

test("health tells what clients and pipelines are doing", async () => {
  const { url } = await start();
  const response = await fetch(`${url}/health`);
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({
    breakwater: { status: "up", chat: { inFlight: 0, draining: false } },
  });
});

test("a shutdown waits for the answer that runs, and health says that nobody else shall come", async () => {
  const started = await start({ timeScale: 1, text: { contentMedian: 100, reasoningMedian: 1, sigma: 0 } });
  const response = await post(`${started.url}/chat/stream`, { messages: [question] });
  void started.close();
  await vi.waitFor(async () => expect((await fetch(`${started.url}/health`)).status).toBe(503));
  expect((await eventsOf(response)).at(-1)?.data).toBe("[DONE]");
});

describe("the README", () => {
  const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
  const [service = "", module = ""] = [...read("../README.md").matchAll(/```diff\n(.*?)```/gs)].map(
    ([, diff]) => diff,
  );

  /** The lines of a diff without those of one sign, and whether they stand in the file in this order. */
  const standIn = (path: string, diff: string, without: string): boolean => {
    const lines = read(path).split("\n");
    let at = -1;
    return diff
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith(without))
      .every((line) => (at = lines.indexOf(line.slice(1), at + 1)) !== -1);
  };

  test("shows what lies between before and after", () => {
    expect(standIn("chat-before.service.ts", service, "+")).toBe(true);
    expect(standIn("chat.service.ts", service, "-")).toBe(true);
    expect(standIn("app.module.ts", module, "-")).toBe(true);
  });
});
