import { describe, expect, it } from "vitest";

import { createTestClock, scriptedUpstream } from "../../../../testing/src/index.ts";
import { cache, type CacheOptions, type Codec, createClient, timeout } from "../../index.ts";

type Answer = string | AsyncIterable<string>;

/** `q~` asks for a stream, `q` for the same answer whole: its items put together. */
const codec: Codec<Answer, string> = {
  shapes: {
    streams: (q) => q.endsWith("~"),
    assemble() {
      let whole = "";
      const cuts: number[] = [];
      return {
        get bytes() {
          return whole.length;
        },
        add(item) {
          if (item === "odd") throw new TypeError("nothing that could be put together");
          whole += item;
          cuts.push(item.length);
        },
        finish: () => ({ whole, cuts }),
      };
    },
    *pieces(whole, cuts) {
      if (cuts === undefined) yield* whole;
      let at = 0;
      for (const length of (cuts ?? []) as readonly number[]) yield whole.slice(at, (at += length));
    },
  },
};

function setup(options: Partial<CacheOptions<string, Answer>> = {}) {
  const clock = createTestClock();
  const script = scriptedUpstream<string, Answer>({ codec });
  const policy = cache<string, Answer>({
    ttl: "1h",
    ttlJitter: 0,
    key: (q) => q.replace("~", ""),
    shared: true,
    ...options,
  });
  const ask = createClient<string, Answer>({ upstream: script.upstream, runtime: clock }, policy);
  const quiet = async (): Promise<void> => {
    await clock.settle();
    expect([policy.snapshot().flights, ask.snapshot().inFlight, script.active, clock.pending]).toEqual([
      0, 0, 0, 0,
    ]);
  };
  return { clock, script, policy, ask, quiet };
}

async function read(answer: Answer): Promise<string | string[]> {
  if (typeof answer === "string") return answer;
  const items: string[] = [];
  for await (const item of answer) items.push(item);
  return items;
}

describe("an answer in either shape", () => {
  it("is kept whole, and given out in the shape that is asked for", async () => {
    const { ask, script, policy, quiet } = setup();
    const first = ask("q~");
    const source = (await script.next()).stream("do");
    source.push("ne");
    source.end();
    expect(await read(await first)).toEqual(["do", "ne"]);
    const whole = await ask.full("q");
    expect([whole.value, whole.meta.cache]).toEqual(["done", "hit"]);
    expect(await read(await ask("q~"))).toEqual(["do", "ne"]); // as it came
    const second = ask("r");
    (await script.next()).answer("abc");
    expect(await second).toBe("abc");
    const streamed = await ask.full("r~");
    expect([await read(streamed.value), streamed.meta.cache]).toEqual([["a", "b", "c"], "hit"]);
    expect(script.calls).toBe(2);
    expect(policy.snapshot()).toMatchObject({ entries: 2, hits: 3, misses: 2 });
    await quiet();
  });

  it("is shown whole to storable(), whichever way it came", async () => {
    const seen = new Set<unknown>();
    const { ask, script } = setup({ storable: (value) => !seen.add(value) });
    const asked = [ask("q~"), ask("r")];
    const source = (await script.next()).stream("do");
    source.push("ne");
    source.end();
    (await script.next()).answer("whole");
    expect(await read(await (asked[0] as Promise<Answer>))).toEqual(["do", "ne"]);
    await asked[1];
    expect(seen).toEqual(new Set(["done", "whole"]));
  });

  it("can be warmed in either shape", async () => {
    const { ask, policy } = setup();
    expect(policy.warm("q", ["do", "ne"] as never, { stream: true })).toBe(true);
    expect([await ask("q"), await read(await ask("q~"))]).toEqual(["done", ["do", "ne"]]);
    expect(policy.warm("q", "no")).toBe(true);
    expect(await read(await ask("q~"))).toEqual(["n", "o"]);
    expect(policy.warm("r", ["odd"] as never, { stream: true })).toBe(false);
  });

  it("is streamed as slowly as it is told to be", async () => {
    const { ask, policy, clock, quiet } = setup({ pacing: { tokensPerSecond: 10 } });
    expect(policy.warm("q", "abc")).toBe(true);
    expect(await ask("q")).toBe("abc"); // whole at once
    const items: string[] = [];
    const reading = (async () => {
      for await (const item of (await ask("q~")) as AsyncIterable<string>) items.push(item);
    })();
    await clock.advance(100);
    expect(items).toEqual(["a", "b"]);
    await clock.advance(100);
    await reading;
    expect(items).toEqual(["a", "b", "c"]);
    const reader = ((await ask("q~")) as AsyncIterable<string>)[Symbol.asyncIterator]();
    await reader.next();
    const waiting = reader.next();
    await reader.return?.();
    expect(await waiting).toMatchObject({ done: true });
    await quiet();
    expect(() => cache({ ttl: 1, pacing: { tokensPerSecond: 0 } })).toThrow(/pacing must be/);
    expect(() => cache({ ttl: 1, pacing: "slow" as never })).toThrow(/pacing must be "instant" or/);
  });
});

describe("an attempt that callers of both shapes share", () => {
  it("streams: who wants it whole gets it at its end, early or late", async () => {
    const { ask, script, clock, quiet } = setup({ ttl: 0 });
    const streamed = ask("q~");
    const early = ask.full("q");
    const source = (await script.next()).stream("do");
    const reader = ((await streamed) as AsyncIterable<string>)[Symbol.asyncIterator]();
    expect(await reader.next()).toMatchObject({ value: "do" });
    const late = ask.full("q");
    const tooLate = ask("q~");
    source.push("n");
    await clock.settle();
    source.push("e");
    source.end();
    const full = await Promise.all([early, late]);
    expect(full.map(({ value, meta }) => [value, meta.cache, meta.attempts])).toEqual([
      ["done", "join", 0],
      ["done", "join", 0],
    ]);
    expect(await read(await tooLate)).toEqual(["do", "n", "e"]);
    expect([await reader.next(), await reader.next(), await reader.next()]).toMatchObject([
      { value: "n" },
      { value: "e" },
      { done: true },
    ]);
    expect(script.calls).toBe(1);
    await quiet();
  });

  it("answers whole: who wants a stream gets one at its end", async () => {
    const { ask, script, quiet } = setup({ ttl: 0 });
    const asked = [ask("q"), ask("q~"), ask("q"), ask("q~")];
    (await script.next()).answer("abc");
    expect(await Promise.all(asked.map(async (one) => read(await one)))).toEqual([
      "abc",
      ["a", "b", "c"],
      "abc",
      ["a", "b", "c"],
    ]);
    await quiet();
  });

  it("goes on for who wants it whole when all readers have left, and ends with him", async () => {
    const { ask, script, clock, quiet } = setup({ ttl: 0 });
    const streamed = ask("q~");
    const controller = new AbortController();
    const whole = ask.outcome("q", { signal: controller.signal });
    const scripted = await script.next();
    const source = scripted.stream("do");
    await ((await streamed) as AsyncIterable<string>)[Symbol.asyncIterator]().return?.();
    await clock.settle();
    expect(source.stopped).toBe(false);
    controller.abort("left");
    expect(await whole).toMatchObject({ status: "cancelled", reason: "left" });
    await clock.settle();
    expect(source.stopped).toBe(true);
    await quiet();
  });

  it("is not held up by a reader who is slow", async () => {
    const { ask, script, clock, quiet } = setup();
    const item = "x".repeat(100_000);
    const streamed = ask("q~");
    const whole = ask("q");
    const source = (await script.next()).stream(item);
    const reader = ((await streamed) as AsyncIterable<string>)[Symbol.asyncIterator]();
    // For him alone 4 MiB would be read ahead, and no more. These are 6.
    for (let i = 1; i < 30; i++) {
      source.push(item);
      await clock.settle();
    }
    source.end();
    expect(await whole).toBe(item.repeat(30));
    expect(await reader.next()).toMatchObject({ done: false });
    await reader.return?.();
    await quiet();
  });

  it("fails for all of them with one error, which nobody judges again", async () => {
    const { ask, script, quiet } = setup();
    const streamed = ask("q~");
    const whole = ask.outcome("q");
    const source = (await script.next()).stream("do");
    const error = new Error("broke off");
    source.fail(error);
    await expect(read(await streamed)).rejects.toBe(error);
    expect(await whole).toMatchObject({ status: "failed", error, fault: "upstream", retryable: true });
    await quiet();
  });

  it("brings a stream that cannot be put together to its readers, and lets the others ask again", async () => {
    const { ask, script, policy, quiet } = setup();
    const streamed = ask("q~");
    const whole = ask("q");
    const source = (await script.next()).stream("do");
    source.push("odd");
    const alone = await script.next();
    expect(alone.request).toBe("q");
    alone.answer("alone");
    expect(await whole).toBe("alone");
    const later = ask("q");
    (await script.next()).answer("later");
    expect(await later).toBe("later");
    source.end();
    expect(await read(await streamed)).toEqual(["do", "odd"]);
    expect(policy.snapshot()).toMatchObject({ entries: 1 });
    await quiet();
  });

  it("tells who waits for the whole that it goes on", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, Answer>({ codec });
    const idle = timeout({ idle: "10s" });
    const ask = createClient<string, Answer>(
      { upstream: script.upstream, runtime: clock },
      idle,
      cache<string, Answer>({ ttl: 0, key: (q) => q.replace("~", ""), shared: true }),
    );
    const streamed = ask("q~")
      .then(read)
      .catch((error: unknown) => error);
    const whole = ask.outcome("q");
    const source = (await script.next()).stream("a");
    for (let i = 0; i < 3; i++) {
      await clock.advance(9_000);
      source.push("a");
      await clock.settle();
    }
    await clock.advance(10_000);
    expect(await streamed).toMatchObject({ clock: "idle", retryable: false });
    expect(await whole).toMatchObject({ status: "failed", retryable: true, error: { clock: "idle" } }); // saw nothing
  });
});
