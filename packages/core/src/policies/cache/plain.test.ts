import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { copyPlain, estimateBytes } from "./plain.ts";

describe("copyPlain", () => {
  it("copies whatever JSON can hold, and shares nothing with it", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const copy = copyPlain(value);
        expect(copy).toEqual(value);
        if (typeof value === "object" && value !== null) expect(copy).not.toBe(value);
      }),
    );
  });

  it("copies dates, buffers, maps, sets and what hangs in circles", () => {
    const circle: Record<string, unknown> = {
      date: new Date(7),
      pattern: /x/gi,
      bytes: new Uint8Array([1, 2]),
      buffer: Buffer.from("abc"),
      map: new Map([["k", { n: 1 }]]),
      set: new Set([{ n: 2 }]),
      bare: Object.assign(Object.create(null) as object, { n: 3 }),
    };
    circle["self"] = circle;
    const copy = copyPlain(circle);
    expect(copy).toEqual(circle);
    expect(copy["self"]).toBe(copy);
    expect(Buffer.isBuffer(copy["buffer"])).toBe(true);
    (copy["buffer"] as Buffer)[0] = 0;
    (copy["map"] as Map<string, { n: number }>).get("k")!.n = 9;
    expect(String(circle["buffer"])).toBe("abc");
    expect((circle["map"] as Map<string, { n: number }>).get("k")).toEqual({ n: 1 });
  });

  it("keeps a member called __proto__ a member", () => {
    const value = JSON.parse('{"__proto__":{"admin":true}}') as { admin?: boolean };
    const copy = copyPlain(value);
    expect(copy.admin).toBeUndefined();
    expect(JSON.stringify(copy)).toBe('{"__proto__":{"admin":true}}');
  });

  it("refuses what is more than data, however deep it is, instead of losing what it can do", () => {
    class Money {
      readonly cents = 5;
    }
    for (const value of [
      new Money(),
      { a: [new Money()] },
      new Map([[1, () => 1]]),
      Symbol("s"),
      new Response("x"),
    ]) {
      expect(() => copyPlain(value)).toThrow(/cannot be copied/);
    }
  });
});

describe("estimateBytes", () => {
  it("is never less than the text that a value holds, and ends with circles", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ text: fc.string() })), (value) => {
        const characters = value.reduce((sum, { text }) => sum + text.length, 0);
        expect(estimateBytes(value)).toBeGreaterThanOrEqual(2 * characters);
      }),
    );
    const circle: { self?: unknown } = {};
    circle.self = circle;
    expect(estimateBytes(circle)).toBeLessThan(100);
    expect(estimateBytes(new Uint8Array(1_000))).toBeGreaterThanOrEqual(1_000);
  });
});
