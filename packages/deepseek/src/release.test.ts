// A permit is given back at the first of these, whichever SDK reads, and however it stops.
import { bulkhead, type Ending, timeout } from "@breakwater/core";
import { createTestClock, type TestClock } from "@breakwater/testing";
import { expect, test } from "vitest";

import { deepseekFetch } from "./deepseek-fetch.ts";
import { bench, fakeFetch, inUse, sse, STREAM } from "./fake-fetch.test-help.ts";
import { type ChatChunk, isStream } from "./types.ts";

type Body = ReturnType<Awaited<ReturnType<ReturnType<typeof fakeFetch>["next"]>>["stream"]>;

interface Scene {
  readonly clock: TestClock;
  /** What the host sends. */
  readonly host: Body;
  readonly response: Response;
  readonly abort: (reason: unknown) => void;
}

/** Two chunks at least, so that whoever has read one has not read all. */
const BEGINS = sse.role + sse.text("The sea ");

function readerOf({ response }: Scene): ReadableStreamDefaultReader<Uint8Array> {
  if (response.body === null) throw new Error("no body");
  return response.body.getReader();
}

/** What ends the call, and what it comes to. `within`: how long it may take. */
const TRIGGERS: Readonly<
  Record<string, readonly [within: number, status: Ending["status"], act: (scene: Scene) => unknown]>
> = {
  "the end of the answer": [
    0,
    "answered",
    async ({ host, response }) => {
      host.push(sse.finish() + sse.done);
      host.end();
      await response.text();
    },
  ],
  "the finish chunk, behind which nothing comes": [
    5_000,
    "answered",
    ({ host, response }) => {
      host.push(sse.finish());
      void response.text();
    },
  ],
  "a reader who leaves at the finish chunk": [
    0,
    "answered",
    async (scene) => {
      scene.host.push(sse.finish());
      const reader = readerOf(scene);
      for (let i = 0; i < 3; i++) await reader.read();
      await reader.cancel();
    },
  ],
  "a reader who stops at the finish chunk": [
    60_000,
    "answered",
    async (scene) => {
      scene.host.push(sse.finish());
      const reader = readerOf(scene);
      for (let i = 0; i < 3; i++) await reader.read();
    },
  ],
  "the end of the body without one of the answer": [
    0,
    "failed",
    async ({ host, response }) => {
      host.end();
      await response.text();
    },
  ],
  "a reset": [
    0,
    "failed",
    async ({ host, response }) => {
      host.fail(new TypeError("terminated"));
      await response.text();
    },
  ],
  "an idle clock": [30_000, "failed", ({ response }) => void response.text()],
  "a reader who cancels the body": [
    0,
    "cancelled",
    async (scene) => {
      const reader = readerOf(scene);
      await reader.read();
      await reader.cancel();
    },
  ],
  "a body that is cancelled unread": [0, "cancelled", ({ response }) => response.body?.cancel()],
  "a signal and nothing else, in the middle of a read": [
    0,
    "cancelled",
    async (scene) => {
      const reader = readerOf(scene);
      for (let i = 0; i < 2; i++) await reader.read();
      const waiting = reader.read().catch((error: unknown) => error);
      await scene.clock.settle();
      scene.abort("closed");
      expect(await waiting).toBe("closed");
    },
  ],
  "a signal and nothing else, between two reads": [
    0,
    "cancelled",
    async (scene) => {
      const reader = readerOf(scene);
      await reader.read();
      scene.abort("closed");
      await scene.clock.settle();
      await expect(reader.read()).rejects.toBe("closed");
    },
  ],
  "a signal, while nobody has begun to read": [0, "cancelled", ({ abort }) => abort("closed")],
  "a reader who stops reading": [
    60_000,
    "cancelled",
    async (scene) => {
      await readerOf(scene).read();
    },
  ],
  "a body that nobody touches": [60_000, "cancelled", () => undefined],
};

test.each(Object.entries(TRIGGERS))("%s gives everything back", async (_, [within, status, act]) => {
  const fake = fakeFetch();
  const clock = createTestClock();
  const ask = deepseekFetch({
    fetch: fake.fetch,
    runtime: clock,
    policies: [bulkhead({ concurrency: 1 }), timeout({ idle: "30s" })],
  });
  const endings: Ending[] = [];
  ask.on((event) => {
    if (event.type === "call-end") endings.push(event.ending);
  });
  const permits = (): unknown =>
    ask
      .snapshot()
      .map(({ inFlight, policies }) => [inFlight, policies.find(({ kind }) => kind === "bulkhead")?.state]);

  const controller = new AbortController();
  const asked = ask("https://api.deepseek.com/chat/completions", {
    method: "POST",
    body: JSON.stringify({ ...STREAM, messages: [] }),
    signal: controller.signal,
  });
  const host = (await fake.next()).stream();
  host.push(BEGINS);
  const response = await asked;
  const held = permits();

  await act({ clock, host, response, abort: (reason) => controller.abort(reason) });
  if (within > 0) {
    await clock.advance(within - 1);
    expect(permits()).toEqual(held);
    await clock.advance(1);
  }
  await clock.settle();
  expect(endings).toMatchObject([{ status }]);
  if (status === "answered") expect(endings[0]?.usage).toMatchObject({ totalTokens: 5 });
  expect(ask.snapshot().map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  expect(JSON.stringify(permits())).toMatch(/"active":\{\}/);
  expect(clock.pending).toBe(0);
});

test("one chunk is read ahead of the reader, and no more", async () => {
  let pulls = 0;
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>(
    { pull: (controller) => controller.enqueue(encoder.encode(sse.text(`${++pulls} `))) },
    { highWaterMark: 0 },
  );
  const fetch = async (): Promise<Response> =>
    new Response(body, { headers: { "content-type": "text/event-stream" } });
  const { ask, clock, outcome } = bench({ fetch }, bulkhead({ concurrency: 1 }));
  const answer = await outcome(STREAM);
  if (answer.status !== "answered" || !isStream(answer.value)) throw new Error(answer.status);
  const stream: AsyncIterator<ChatChunk> = answer.value[Symbol.asyncIterator]();
  for (let reads = 0; reads < 5; reads++) {
    await clock.settle();
    expect(pulls).toBe(Math.max(1, reads));
    await stream.next();
  }
  await stream.return?.();
  expect(inUse(ask)).toEqual({ inFlight: 0, permits: 0 });
});
