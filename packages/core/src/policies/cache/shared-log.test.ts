import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createSharedLog, type Cursor, LaggingReaderError } from "./shared-log.ts";

async function drain<T>(cursor: Cursor<T>): Promise<T[]> {
  const items: T[] = [];
  for (;;) {
    const step = await cursor.next();
    if (step.done === true) return items;
    items.push(step.value);
  }
}

describe("createSharedLog", () => {
  it("gives each reader every item in order, whenever he joined and however he reads", async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("append" as const) }),
      fc.record({ do: fc.constant("open" as const) }),
      fc.record({ do: fc.constantFrom("read" as const, "leave" as const), which: fc.nat({ max: 4 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.boolean(), async (steps, fails) => {
        const log = createSharedLog<number>({ keepBytes: 1_000, lagBytes: 4_000 });
        const readers: {
          cursor: Cursor<number>;
          got: Promise<IteratorResult<number, undefined>>[];
          left: boolean;
        }[] = [];
        let count = 0;
        for (const one of steps) {
          if (one.do === "append") log.append(count++, 1);
          else if (one.do === "open") readers.push({ cursor: log.open(), got: [], left: false });
          else {
            const reader = readers[one.which];
            if (reader === undefined || reader.left) continue;
            if (one.do === "leave") {
              reader.left = true;
              reader.cursor.close();
            } else if (reader.got.length < count) reader.got.push(reader.cursor.next());
          }
        }
        const error = new Error("cut");
        log.close(fails ? { error } : undefined);
        const all = Array.from({ length: count }, (_, i) => i);
        expect(log.items()).toEqual(all);
        for (const { cursor, got, left } of readers) {
          const items = (await Promise.all(got)).map(({ value }) => value);
          expect(items).toEqual(all.slice(0, items.length));
          if (left) expect(await cursor.next()).toEqual({ done: true, value: undefined });
          else if (fails) {
            for (let i = items.length; i < count; i++) await cursor.next();
            await expect(cursor.next()).rejects.toBe(error);
          } else expect([...items, ...(await drain(cursor))]).toEqual(all);
        }
      }),
    );
  });

  it("reads no further ahead of the fastest reader than it keeps", async () => {
    const log = createSharedLog<string>({ keepBytes: 10, lagBytes: 40 });
    const fast = log.open();
    const slow = log.open();
    log.append("a", 8);
    expect(log.room()).toBeUndefined();
    log.append("b", 8);
    let room = false;
    void log.room()?.then(() => (room = true));
    await slow.next();
    await Promise.resolve();
    expect(room).toBe(true);
    expect(await fast.next()).toEqual({ done: false, value: "a" });
  });

  it("begins to let go once nobody can join any more, and gives up who is too far behind", async () => {
    const log = createSharedLog<number>({ keepBytes: 10, lagBytes: 40 });
    const fast = log.open();
    const slow = log.open();
    for (let i = 0; i < 11; i++) {
      log.append(i, 4);
      await fast.next();
    }
    expect(log.whole).toBe(false);
    expect(log.items()).toBeUndefined();
    await expect(slow.next()).rejects.toBeInstanceOf(LaggingReaderError);
    log.append(11, 4);
    expect(await fast.next()).toEqual({ done: false, value: 11 });
  });
});
