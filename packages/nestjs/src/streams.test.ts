import {
  concat,
  EMPTY,
  lastValueFrom,
  NEVER,
  type Observable,
  of,
  range,
  Subject,
  throwError,
  toArray,
} from "rxjs";
import { describe, expect, it } from "vitest";

import { turn } from "./browser.test-help.ts";
import { single, toIterable, toObservable } from "./streams.ts";

/** A source that says what happens to it. */
function source(items: readonly number[], more: Partial<AsyncIterator<number>> = {}) {
  const log: string[] = [];
  const left = [...items];
  const iterable: AsyncIterable<number> = {
    [Symbol.asyncIterator]() {
      log.push("begin");
      return {
        next: async () => {
          const value = left.shift();
          log.push(`next ${value}`);
          return value === undefined ? { done: true, value } : { done: false, value };
        },
        return: async () => {
          log.push("return");
          return { done: true, value: undefined };
        },
        ...more,
      };
    },
  };
  return { iterable, log };
}

describe("toObservable", () => {
  it("asks for nothing until somebody subscribes, and then for one item after another", async () => {
    const { iterable, log } = source([1, 2]);
    const observable = toObservable(iterable);
    await turn();
    expect(log).toEqual([]);
    expect(await lastValueFrom(observable.pipe(toArray()))).toEqual([1, 2]);
    expect(log, "what is at its end need not be left").toEqual([
      "begin",
      "next 1",
      "next 2",
      "next undefined",
    ]);
  });

  it("leaves a source that is silent at once", async () => {
    const { iterable, log } = source([], { next: () => new Promise(() => {}) });
    toObservable(iterable).subscribe().unsubscribe();
    expect(log).toEqual(["begin", "return"]);
  });

  it("leaves between two items, and asks for no more", async () => {
    const { iterable, log } = source([1, 2, 3]);
    const seen: number[] = [];
    const subscription = toObservable(iterable).subscribe((item) => {
      seen.push(item);
      if (item === 2) subscription.unsubscribe();
    });
    await turn();
    expect(seen).toEqual([1, 2]);
    expect(log).toEqual(["begin", "next 1", "next 2", "return"]);
  });

  it.each<[string, Partial<AsyncIterator<number>>]>([
    ["later", { next: () => Promise.reject(new Error("broken")) }],
    [
      "at once",
      {
        next: () => {
          throw new Error("broken");
        },
      },
    ],
  ])("passes on an error that comes %s, and does not leave what has failed", async (_, more) => {
    const { iterable, log } = source([], more);
    await expect(lastValueFrom(toObservable(iterable))).rejects.toThrow("broken");
    expect(log).toEqual(["begin"]);
  });

  it.each<[string, Partial<AsyncIterator<number>>]>([
    ["cannot be left", { return: undefined as never }],
    ["fails as it is left", { return: () => Promise.reject(new Error("deaf")) }],
    [
      "throws as it is left",
      {
        return: () => {
          throw new Error("deaf");
        },
      },
    ],
  ])("takes no harm from a source that %s", async (_, more) => {
    const { iterable } = source([1], more);
    const seen: number[] = [];
    const subscription = toObservable(iterable).subscribe((item) => {
      seen.push(item);
      subscription.unsubscribe();
    });
    await turn();
    expect(seen).toEqual([1]);
    expect(subscription.closed).toBe(true);
  });
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("toIterable", () => {
  it.each<[string, Observable<number>, number[]]>([
    ["of nothing", EMPTY, []],
    ["that says all at once", of(1, 2, 3), [1, 2, 3]],
    ["in pieces", concat(of(1), Promise.resolve(2), of(3)), [1, 2, 3]],
  ])("reads an Observable %s", async (_, observable, items) => {
    expect(await all(toIterable(observable))).toEqual(items);
  });

  it("gives what was said before an error, and then that", async () => {
    const items = toIterable(
      concat(
        of(1, 2),
        throwError(() => new Error("broken")),
      ),
    )[Symbol.asyncIterator]();
    expect([await items.next(), await items.next()]).toMatchObject([{ value: 1 }, { value: 2 }]);
    await expect(items.next()).rejects.toThrow("broken");
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  it("fails with whatever an Observable failed with, also with nothing", async () => {
    const items = toIterable(throwError(() => undefined))[Symbol.asyncIterator]();
    await expect(items.next()).rejects.toBeUndefined();
  });

  it("subscribes now and unsubscribes when it is left, also while it waits", async () => {
    const said = new Subject<number>();
    const items = toIterable(said)[Symbol.asyncIterator]();
    expect(said.observed).toBe(true);
    said.next(1);
    said.next(2);
    expect(await items.next()).toEqual({ done: false, value: 1 });
    await items.return?.();
    expect(said.observed).toBe(false);
    expect(await items.next()).toEqual({ done: true, value: undefined });

    const silent = toIterable(NEVER)[Symbol.asyncIterator]();
    const waiting = silent.next();
    await silent.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  it("reads a long one in its order, also one that goes on while it is read", async () => {
    const said = new Subject<number>();
    const items = toIterable(concat(range(0, 5_000), said))[Symbol.asyncIterator]();
    const read: unknown[] = [];
    for (let i = 0; i < 10_000; i++) {
      if (i >= 2_500) said.next(i + 2_500);
      read.push((await items.next()).value);
    }
    expect(read).toEqual(read.map((_, i) => i));
    said.complete();
    expect((await all({ [Symbol.asyncIterator]: () => items })).at(-1)).toBe(12_499);
  });

  it("gives up one that says everything at once and never ends", async () => {
    const items = toIterable(range(0, Infinity))[Symbol.asyncIterator]();
    await expect(items.next()).rejects.toThrow("an Observable was 1000000 items ahead of its reader");
    expect((await items.next()).done).toBe(true);
  });
});

describe("single", () => {
  it("begins when somebody subscribes, each time anew, and has its result", async () => {
    let runs = 0;
    const observable = single(async () => ++runs);
    expect(runs).toBe(0);
    expect([await lastValueFrom(observable), await lastValueFrom(observable)]).toEqual([1, 2]);
  });

  it("fires the signal when it is left", () => {
    let signal: AbortSignal | undefined;
    const subscription = single((leaving) => {
      signal = leaving;
      return new Promise(() => {});
    }).subscribe();
    expect(signal?.aborted).toBe(false);
    subscription.unsubscribe();
    expect(signal?.reason).toMatchObject({ name: "AbortError", message: "the subscriber has left" });
  });

  it("fails as its work does", async () => {
    const broken = new Error("broken");
    await expect(lastValueFrom(single(() => Promise.reject(broken)))).rejects.toBe(broken);
  });
});
