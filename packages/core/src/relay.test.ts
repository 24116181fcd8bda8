import { describe, expect, it } from "vitest";

import { createTestClock, type TestClock } from "../../testing/src/index.ts";
import {
  answered,
  type Call,
  createClient,
  type Ending,
  guard,
  relay,
  type RelayOptions,
  StalledReaderError,
} from "./index.ts";

/** A client whose upstream relays `source`; tells how the call ended. */
function relaying(
  source: AsyncIterator<string>,
  clock: TestClock = createTestClock(),
  options: RelayOptions<string> = {},
) {
  const seen: { ending?: Ending; stopped?: Ending } = {};
  const watch = guard("watch", {
    name: "watch",
    admit(call) {
      call.defer((ending) => (seen.ending = ending));
      call.hold((ending) => (seen.stopped = ending), 1_000);
      return undefined;
    },
  });
  const open = createClient<string, AsyncIterableIterator<string>>(
    {
      upstream: (call: Call<string>) => {
        const { stream, end } = relay(source, call, options);
        return answered(stream, call.meta, end);
      },
      runtime: clock,
    },
    watch,
  );
  return { open, seen, clock };
}

async function* words(...items: readonly string[]) {
  yield* items;
}

describe("relay", () => {
  it("passes items on and ends with the last", async () => {
    const { open, seen } = relaying(words("a", "b"));
    const items: string[] = [];
    for await (const item of await open("x")) items.push(item);
    expect(items).toEqual(["a", "b"]);
    expect(seen.ending).toMatchObject({ status: "answered" });
    expect(seen.stopped).toBeDefined();
  });

  it("tells a source's error to the reader, and again to who reads on", async () => {
    const broken = new Error("broken");
    const { open, seen } = relaying(
      (async function* () {
        yield "a";
        throw broken;
      })(),
    );
    const stream = await open("x");
    expect(await stream.next()).toMatchObject({ value: "a" });
    await expect(stream.next()).rejects.toBe(broken);
    await expect(stream.next()).rejects.toBe(broken);
    expect(seen.ending).toMatchObject({ status: "failed", error: broken, fault: "upstream" });
  });

  it("ends for a reader who reads on no more, and says the same to him and to who watches", async () => {
    const { open, seen, clock } = relaying(words("a", "b"), createTestClock(), { readerStallMs: 5_000 });
    const stream = await open("x");
    await stream.next();
    await clock.advance(5_000);
    const error: unknown = await stream.next().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StalledReaderError);
    expect(seen.ending).toMatchObject({ status: "cancelled", error });
  });

  it("gives a reader back who waits at a silent source, when the call is aborted", async () => {
    let returned = 0;
    const silent: AsyncIterator<string> = {
      next: () => new Promise(() => {}),
      return: () => new Promise(() => void returned++),
    };
    const { open, seen, clock } = relaying(silent);
    const controller = new AbortController();
    const stream = await open("x", { signal: controller.signal });
    const read = stream.next().catch((error: unknown) => error);
    await clock.settle();
    controller.abort("left");
    expect(await read).toBe("left");
    expect(returned).toBe(1);
    expect(seen.ending).toMatchObject({ status: "cancelled", error: "left" });
    expect(seen.stopped).toBeUndefined(); // deaf: its permit waits for the grace
    await clock.advance(1_000);
    expect(seen.stopped).toBeDefined();
  });

  it("survives a source whose return() throws", async () => {
    const { open, seen } = relaying({
      next: async () => ({ done: false, value: "a" }),
      return: () => {
        throw new Error("clumsy");
      },
    });
    for await (const item of await open("x")) if (item === "a") break;
    expect(seen.ending).toMatchObject({ status: "cancelled" });
    expect(seen.stopped).toBeDefined();
  });

  it("has one reader at a time", async () => {
    const { open } = relaying({ next: () => new Promise(() => {}) });
    const stream = await open("x");
    void stream.next();
    await expect(stream.next()).rejects.toThrow("a stream is read by one reader");
  });

  it("trap 65: gives up a reader that fell asleep in the middle", async () => {
    const { open, seen, clock } = relaying(words("a", "b", "c"));
    const stream = await open("x");
    await stream.next();
    await clock.advance(60_000);
    expect(seen.ending).toMatchObject({ status: "cancelled" });
    await expect(stream.next()).rejects.toThrow("Read it to its end, or leave the loop.");
    expect(clock.pending).toBe(0);
  });

  describe("of which the last item has been given out", () => {
    const endless = () => {
      const left = { source: false };
      const items = ["a", "."];
      const source: AsyncIterator<string> = {
        next: () => {
          const value = items.shift();
          return value === undefined ? new Promise(() => {}) : Promise.resolve({ done: false, value });
        },
        return: async () => ((left.source = true), { done: true, value: undefined }),
      };
      return { ...relaying(source, undefined, { complete: () => items.length === 0 }), left };
    };

    it("has answered a reader who leaves then, and not one who leaves before", async () => {
      for (const [last, status] of [
        ["a", "cancelled"],
        [".", "answered"],
      ] as const) {
        const { open, seen, left } = endless();
        for await (const item of await open("x")) if (item === last) break;
        expect(seen.ending).toMatchObject({ status });
        expect([left.source, seen.stopped?.status]).toEqual([true, status]);
      }
    });

    it("has answered a reader who falls asleep then, also when he wakes up", async () => {
      const { open, seen, clock, left } = endless();
      const stream = await open("x");
      await stream.next();
      await stream.next();
      await clock.advance(60_000);
      expect(seen.ending).toMatchObject({ status: "answered" });
      expect(left.source).toBe(true);
      expect(await stream.next()).toEqual({ done: true, value: undefined });
      expect(clock.pending).toBe(0);
    });

    it("is cancelled all the same by an abort", async () => {
      const { open, seen } = endless();
      const controller = new AbortController();
      const stream = await open("x", { signal: controller.signal });
      await stream.next();
      await stream.next();
      controller.abort("left");
      expect(seen.ending).toMatchObject({ status: "cancelled", error: "left" });
    });
  });
});
