import type { CacheEntry } from "@breakwater/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { HEAD, open, SEEN_BYTES, seal } from "./envelope.ts";
import { isPlainJson } from "./plain-json.ts";

const STAMP = 1_763_600_000_123_456;

function entryOf(value: unknown, given: Partial<CacheEntry> = {}): CacheEntry {
  return { value, stream: false, bytes: 100, freshMs: 60_000, ...given };
}

/** As a script puts it together. */
function kept(entry: CacheEntry, keepMs = 1_000): Buffer {
  const stamp = Buffer.alloc(8);
  stamp.writeDoubleBE(STAMP);
  return Buffer.concat([HEAD, stamp, seal(entry, keepMs)]);
}

describe("the envelope of an answer", () => {
  it.each([
    ["undefined within", { a: undefined, b: [undefined] }],
    ["numbers that JSON has not", [NaN, Infinity, -Infinity, -0, 2n ** 70n]],
    ["maps, sets and dates", new Map<unknown, unknown>([["a", new Set([1, new Date(5)])]])],
    ["bytes", { buffer: Buffer.from("ab"), array: Uint16Array.of(1, 65_535) }],
    ["text that is not well-formed, and zeros", "a\ud800b\u0000"],
    ["a member that JSON.parse makes and a literal does not", JSON.parse('{"__proto__":{"a":1}}')],
    ["what would write itself", { toJSON: "no function, but near" }],
    ["a list with holes", [1, , 3]], // oxlint-disable-line no-sparse-arrays
    ["much text", "All work and no play. ".repeat(5_000)],
  ])("gives back %s", (_, value) => {
    expect(open(kept(entryOf(value)), STAMP)?.entry).toStrictEqual(entryOf(value));
  });

  it("gives back what contains itself", () => {
    const value: { self?: unknown } = {};
    value.self = value;
    const found = open(kept(entryOf(value)), STAMP)?.entry.value as typeof value;
    expect(found.self).toBe(found);
  });

  it("gives back any JSON as it was, and all that is known beside it", () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 6 }),
        fc.double({ min: 0, noNaN: true }),
        fc.boolean(),
        (value, freshMs, stream) => {
          const entry = entryOf(value, {
            freshMs,
            stream,
            cuts: [1, 2],
            model: "m",
            usage: { totalTokens: 3, promptTokens: 1 },
          });
          const found = open(kept(entry, 77.5), STAMP + 1_500);
          expect(found).toStrictEqual({ entry, ageMs: 1.5, keepMs: 77.5, stamp: STAMP });
        },
      ),
      { seed: 20_261_121 },
    );
  });

  it("is smaller than what is in it, where that is long", () => {
    const text = "It was the best of times, it was the worst of times. ".repeat(200);
    expect(kept(entryOf(text)).length).toBeLessThan(text.length / 10);
  });

  it("has no negative age when the server's clock went back", () => {
    expect(open(kept(entryOf(1)), STAMP - 5_000)?.ageMs).toBe(0);
  });

  it("opens nothing else, however it is damaged", () => {
    const whole = kept(entryOf({ text: "some text ".repeat(500) }));
    expect(whole.length).toBeGreaterThan(SEEN_BYTES);
    fc.assert(
      fc.property(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 }), fc.boolean(), (at, byte, cut) => {
        const damaged = cut ? whole.subarray(0, at) : Buffer.from(whole);
        if (!cut) damaged[at] = byte;
        const found = open(damaged, STAMP); // never throws
        if (cut || (at < 2 && byte !== whole[at])) expect(found).toBeUndefined();
      }),
      { seed: 20_261_121, numRuns: 500 },
    );
    for (const other of [null, undefined, "text", Buffer.alloc(0), Buffer.alloc(100)])
      expect(open(other, STAMP)).toBeUndefined();
  });
});

describe("plain JSON", () => {
  it("is what JSON gives back exactly", () => {
    fc.assert(
      fc.property(
        fc.anything({
          withNullPrototype: false,
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSparseArray: true,
        }),
        (value) => {
          if (isPlainJson(value)) expect(JSON.parse(JSON.stringify(value))).toStrictEqual(value);
        },
      ),
      { seed: 20_261_121, numRuns: 2_000 },
    );
  });
  it("is all that comes as JSON", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        const value: unknown = JSON.parse(text);
        if (!text.includes("-0") && !text.includes("__proto__") && !text.includes("toJSON"))
          expect(isPlainJson(value)).toBe(true);
      }),
      { seed: 20_261_121 },
    );
  });
});
