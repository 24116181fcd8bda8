import { eventsOf } from "@breakwater-internal/visitor";
import { createTestClock } from "@breakwater/testing";
import { describe, expect, test } from "vitest";

import { createReaders } from "./readers.ts";

const hint = (message: string) => ({ type: "hint", client: "chat", at: 1, message }) as const;

function open(types?: readonly string[]) {
  const clock = createTestClock();
  const readers = createReaders(clock);
  const leaving = new AbortController();
  let ending = false;
  let cuts = 0;
  const response = readers.open(types === undefined ? undefined : new Set(types), {
    signal: leaving.signal,
    ending: () => ending,
    cut: () => cuts++,
  }) as Response;
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  /** All that is there to be read. */
  const read = async (): Promise<string> => {
    const { done, value } = await reader.read();
    return done ? "" : new TextDecoder().decode(value);
  };
  return { clock, readers, response, read, reader, leaving, end: () => (ending = true), cuts: () => cuts };
}

describe("who follows the events", () => {
  test("hears them as they happen", async () => {
    const { read, readers, response } = open();
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    expect(await read()).toBe(": keep-alive\n\n");
    readers.tell(hint("one"));
    expect(eventsOf(await read())).toEqual([{ event: "hint", data: { ...hint("one") } }]);
  });

  test("hears only the types that he asked for", async () => {
    const { read, readers } = open(["breaker-close"]);
    await read();
    readers.tell(hint("one"));
    readers.tell({ type: "breaker-close", client: "chat", at: 2, policy: "host", key: "tenant" });
    expect(eventsOf(await read())).toMatchObject([{ event: "breaker-close", data: { key: "tenant" } }]);
  });

  test("is told no line that somebody else made up", async () => {
    const { read, readers } = open();
    await read();
    readers.tell({ ...hint("a\n\nevent: forged\ndata: 1\r\n"), client: "x\nevent: forged" });
    readers.tell({ ...hint("b"), type: "hint\nevent: forged" as "hint" });
    expect(eventsOf(await read())).toMatchObject([{ event: "hint", data: { client: "x\nevent: forged" } }]);
    const [odd] = eventsOf(await read());
    expect(odd).toMatchObject({ data: { message: "b" } });
    expect(odd?.event).toBeUndefined();
  });

  test("loses what he does not read, and is told how much", async () => {
    const { read, readers } = open();
    const long = "x".repeat(1_000);
    for (let n = 0; n < 200; n++) readers.tell(hint(`${n} ${long}`));
    let told = 0;
    let lost: unknown;
    while (lost === undefined) {
      const text = await read();
      for (const { data, event } of text.startsWith(":") ? [] : eventsOf(text)) {
        if (event === "lost") lost = (data as { count: number }).count;
        else told++;
      }
    }
    expect(told).toBeLessThan(80);
    expect(told + (lost as number)).toBe(200);
    readers.tell(hint("after"));
    expect(eventsOf(await read())).toMatchObject([{ data: { message: "after" } }]);
  });

  test("is kept alive where nothing happens", async () => {
    const { clock, read } = open();
    await read();
    await clock.advance(14_000);
    let beat: string | undefined;
    const next = read().then((text) => (beat = text));
    await clock.settle();
    expect(beat).toBeUndefined();
    await clock.advance(2_000);
    await next;
    expect(beat).toBe(": keep-alive\n\n");
  });

  test("is let go when he reads nothing for half a minute", async () => {
    const { clock, cuts, read, readers } = open();
    const long = "x".repeat(100_000);
    readers.tell(hint(long));
    await clock.advance(29_000);
    expect(cuts()).toBe(0);
    await clock.advance(2_000);
    expect(cuts()).toBe(1);
    expect(clock.pending).toBe(0);
    await expect(read()).rejects.toThrow("does not read");
    readers.tell(hint("to nobody"));
  });

  test.each([
    ["leaves", async ({ reader }: ReturnType<typeof open>) => reader.cancel()],
    ["is gone", async ({ leaving }: ReturnType<typeof open>) => leaving.abort(new Error("gone"))],
    ["is told that all is over", async ({ readers }: ReturnType<typeof open>) => readers.close()],
  ])("leaves nothing behind when he %s", async (_, leave) => {
    const opened = open();
    await leave(opened);
    expect(opened.clock.pending).toBe(0);
    opened.readers.tell(hint("to nobody"));
  });

  test("does not hold up a server that shuts down", async () => {
    const { clock, end, read } = open();
    await read();
    end();
    await clock.advance(1_000);
    expect(await read()).toBe("");
    expect(clock.pending).toBe(0);
  });

  test("is one of fifty at most, and one who leaves makes room", async () => {
    const clock = createTestClock();
    const readers = createReaders(clock);
    const one = () => readers.open(undefined, { signal: new AbortController().signal });
    const opened = Array.from({ length: 51 }, one);
    expect(opened.map((response) => response !== undefined).lastIndexOf(true)).toBe(49);
    await opened[7]?.body?.cancel();
    expect(one()).toBeDefined();
    readers.close();
    expect(clock.pending).toBe(0);
  });

  test("who had left before he came is nobody", async () => {
    const clock = createTestClock();
    const readers = createReaders(clock);
    const response = readers.open(undefined, { signal: AbortSignal.abort(new Error("gone")) });
    await expect(response?.text()).rejects.toThrow("gone");
    expect(clock.pending).toBe(0);
  });
});
