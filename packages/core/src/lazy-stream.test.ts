import { describe, expect, test } from "vitest";

import { lazyStream } from "./lazy-stream.ts";

function source(items: readonly number[]) {
  const seen = { begun: 0, returned: 0, signal: undefined as AbortSignal | undefined };
  const begin = async (signal: AbortSignal): Promise<AsyncIterable<number>> => {
    seen.begun++;
    seen.signal = signal;
    const left = [...items];
    return {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          const value = left.shift();
          return value === undefined ? { done: true, value } : { done: false, value };
        },
        return: async () => {
          seen.returned++;
          return { done: true, value: undefined };
        },
      }),
    };
  };
  return { begin, seen };
}

describe("a lazy stream", () => {
  test("begins with its first read, and once", async () => {
    const { begin, seen } = source([1, 2]);
    const stream = lazyStream(begin);
    expect(seen.begun).toBe(0);
    const items: number[] = [];
    for await (const item of stream) items.push(item);
    expect(items).toEqual([1, 2]);
    expect(seen).toMatchObject({ begun: 1, returned: 0 });
  });

  test("that is left before it was read has never begun", async () => {
    const { begin, seen } = source([1]);
    const stream = lazyStream(begin);
    await stream.return?.();
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(seen.begun).toBe(0);
  });

  test("that is left while it begins fires its signal and leaves what comes of it", async () => {
    const { begin, seen } = source([1]);
    let open: () => void = () => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    const stream = lazyStream(async (signal) => {
      const items = begin(signal);
      await gate;
      return items;
    });
    const first = stream.next();
    const leaving = stream.return?.();
    expect(seen.signal?.aborted).toBe(true);
    open();
    await leaving;
    await first;
    expect(seen.returned).toBe(1);
  });

  test("that is left between two reads has stopped, and fired its signal, when that is done", async () => {
    const { begin, seen } = source([1, 2]);
    const stream = lazyStream(begin);
    await stream.next();
    await stream.return?.();
    expect(seen).toMatchObject({ returned: 1, signal: { aborted: true } });
  });

  test("does not fire a signal that is its caller's", async () => {
    const { begin, seen } = source([1]);
    const { signal } = new AbortController();
    const stream = lazyStream(begin, signal);
    await stream.next();
    await stream.return?.();
    expect(seen.signal).toBe(signal);
    expect(signal.aborted).toBe(false);
  });

  test("tells what went wrong when it began, and leaving it then is no error", async () => {
    const stream = lazyStream(() => Promise.reject(new Error("no")));
    await expect(stream.next()).rejects.toThrow("no");
    expect(await stream.return?.()).toEqual({ done: true, value: undefined });
  });
});
