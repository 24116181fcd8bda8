import { createTestClock } from "@breakwater/testing";
import { expect, test } from "vitest";

import { rememberRaw } from "../raw.ts";
import type { ChatChunk } from "../types.ts";
import { sseBody } from "./sse-body.ts";

const runtime = createTestClock();
const chunk = (id: string): ChatChunk => ({
  id,
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [],
});

test("asks for a chunk only when it is asked for one", async () => {
  let asked = 0;
  let left = 0;
  const chunks: AsyncIterator<ChatChunk> = {
    next: async () => ({ done: false, value: chunk(String(++asked)) }),
    return: async () => (left++, { done: true, value: undefined }),
  };
  const body = sseBody({ chunks }, { runtime, inBand: () => undefined });
  await runtime.settle();
  expect(asked).toBe(0);
  const reader = body.getReader();
  for (let i = 1; i <= 3; i++) {
    await reader.read();
    await runtime.settle();
    expect(asked).toBe(i);
  }
  await reader.cancel();
  expect(left).toBe(1);
});

test("writes data of several lines as several lines", async () => {
  const value = chunk("1");
  rememberRaw(value, '{"id":\n"1"}');
  const given: IteratorResult<ChatChunk>[] = [
    { done: false, value },
    { done: true, value: undefined },
  ];
  const chunks = { next: async () => given.shift() as IteratorResult<ChatChunk> };
  const body = sseBody({ chunks }, { runtime, inBand: () => undefined });
  expect(await new Response(body).text()).toBe('data: {"id":\ndata: "1"}\n\ndata: [DONE]\n\n');
});

test("breaks off with the error that is not told in band", async () => {
  const broken = new Error("broken");
  const chunks = { next: () => Promise.reject(broken) };
  const body = sseBody({ chunks }, { runtime, inBand: () => undefined });
  await expect(new Response(body).text()).rejects.toBe(broken);
});
