import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createMemoryCacheStore } from "./memory-store.ts";

const entry = (bytes: number) => ({ value: bytes, stream: false, bytes, freshMs: 1 });

describe("createMemoryCacheStore", () => {
  const at = fc.record({ name: fc.constantFrom("a", "b"), key: fc.constantFrom("k", "l", "m", "n", "o") });
  const step = fc.oneof(
    fc.record({ do: fc.constant("get" as const), at }),
    fc.record({
      do: fc.constant("set" as const),
      at,
      bytes: fc.nat({ max: 700 }),
      keepMs: fc.integer({ min: 0, max: 20 }),
    }),
    fc.record({ do: fc.constant("delete" as const), at }),
    fc.record({ do: fc.constant("clear" as const), at }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.nat({ max: 10 }) }),
    fc.record({ do: fc.constant("resize" as const), max: fc.integer({ min: 1, max: 2_000 }) }),
  );

  it("agrees with a list that is searched from end to end, and never holds more than its bound", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        let max = 1_500;
        let now = 0;
        const store = createMemoryCacheStore({ maxBytes: max });
        /** Least recently used first. */
        let model: { id: string; name: string; cost: number; value: number; at: number; keepMs: number }[] =
          [];
        const cost = (): number => model.reduce((sum, one) => sum + one.cost, 0);
        const idOf = (place: { name: string; key: string }): string => `${place.name}/${place.key}`;

        for (const one of steps) {
          if (one.do === "wait") now += one.ms;
          else if (one.do === "resize") {
            max = one.max;
            store.resize(max);
          } else {
            const id = idOf(one.at);
            const ask = { ...one.at, now };
            const known = model.find((other) => other.id === id);
            if (one.do === "get") {
              const alive = known !== undefined && now - known.at < known.keepMs;
              expect(store.get(ask)).toEqual(
                alive ? { entry: entry(known.value), ageMs: now - known.at } : undefined,
              );
              if (known !== undefined) model = model.filter((other) => other !== known);
              if (alive) model.push(known);
            } else if (one.do === "clear") {
              store.clear(one.at.name);
              model = model.filter(({ name }) => name !== one.at.name);
            } else {
              model = model.filter((other) => other !== known);
              if (one.do === "delete") store.delete(ask);
              else {
                store.set(ask, entry(one.bytes), one.keepMs);
                const bytes = 200 + 2 * one.at.key.length + one.bytes;
                if (bytes <= max && one.keepMs > 0)
                  model.push({ id, ...one.at, cost: bytes, value: one.bytes, at: now, keepMs: one.keepMs });
              }
            }
          }
          while (cost() > max) model.shift();
          expect(store.usage()).toEqual({ entries: model.length, bytes: cost() });
          expect(store.usage().bytes).toBeLessThanOrEqual(max);
        }
      }),
    );
  });

  it("trap 70: takes no name and key for another name and key", () => {
    const store = createMemoryCacheStore();
    store.set({ name: "a", key: "1:b", now: 0 }, entry(1), 10);
    for (const [name, key] of [
      ["a1", ":b"],
      ["a1:", "b"],
      ["", "a1:b"],
    ] as const)
      expect(store.get({ name, key, now: 0 })).toBeUndefined();
  });

  it("counts keys as well, since a prompt may be longer than its answer", () => {
    const store = createMemoryCacheStore({ maxBytes: 10_000 });
    store.set({ name: "a", key: "x".repeat(6_000), now: 0 }, entry(1), 10);
    expect(store.usage().entries).toBe(0);
  });

  it("refuses a bound that is none", () => {
    expect(() => createMemoryCacheStore({ maxBytes: Number.NaN })).toThrow(/maxBytes.*NaN/);
    expect(() => createMemoryCacheStore().resize(0)).toThrow(/maxBytes/);
  });
});
