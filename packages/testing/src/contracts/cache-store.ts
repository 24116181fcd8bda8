import assert from "node:assert/strict";

import type { CacheAsk, CacheEntry, CacheFound, CacheStore } from "@breakwater/core";

import {
  atOnce,
  type Bench,
  contract,
  type ContractCase,
  type ContractOptions,
  type Written,
} from "./contract.ts";

function askFor({ now }: Bench<CacheStore>, given: Partial<CacheAsk> = {}): CacheAsk {
  return { name: "contract", key: "key", now, ...given };
}

function entryOf(value: unknown, given: Partial<CacheEntry> = {}): CacheEntry {
  return { value, stream: false, bytes: 100, freshMs: 60_000, ...given };
}

/** What is found there; fails the case if nothing is. */
async function find(bench: Bench<CacheStore>, given: Partial<CacheAsk> = {}): Promise<CacheFound> {
  const found = await bench.store.get(askFor(bench, given));
  assert.ok(found, `nothing is kept under ${JSON.stringify(given)}`);
  return found;
}

async function missing(bench: Bench<CacheStore>, given: Partial<CacheAsk> = {}): Promise<boolean> {
  return (await bench.store.get(askFor(bench, given))) === undefined;
}

/**
 * What a `CacheStore` must do. Works with any test runner: a suite is a list of cases that throw. A store may lose what
 * it likes for want of room; it needs room for a megabyte here.
 *
 * @example
 * ```ts
 * import { createMemoryCacheStore } from "@breakwater/core";
 * import { cacheStoreContract } from "@breakwater/testing";
 *
 * const cases = cacheStoreContract({ create: () => createMemoryCacheStore() });
 * // in a test file: for (const { name, run } of cases) test(name, run);
 * for (const { run } of cases) await run();
 * ```
 */
export function cacheStoreContract(options: ContractOptions<CacheStore>): readonly ContractCase[] {
  return contract(options, cases);
}

const HOUR = 3_600_000;

const cases: Written<CacheStore> = [
  [
    "gives back what was put in, and nothing where nothing was",
    async (bench) => {
      assert.ok(await missing(bench));
      const value = {
        text: "ответ 答え 🙂\u0000\n",
        list: [1, 2.5, -0.001, null, true, { deep: [] }],
        empty: {},
      };
      await bench.store.set(askFor(bench), entryOf(value), HOUR);
      assert.deepEqual((await find(bench)).entry.value, value);
    },
  ],
  [
    "falsy and undefined values are values",
    async (bench) => {
      for (const value of [undefined, null, 0, "", false]) {
        await bench.store.set(askFor(bench), entryOf(value), HOUR);
        assert.equal((await find(bench)).entry.value, value);
      }
    },
  ],
  [
    "keeps what is known of an answer beside it",
    async (bench) => {
      const plain = entryOf("a", { bytes: 12, freshMs: 1_234.5 });
      await bench.store.set(askFor(bench), plain, HOUR);
      assert.deepEqual((await find(bench)).entry, plain);
      const streamed = entryOf(["a", { b: 1 }], { stream: true, model: "model" });
      await bench.store.set(askFor(bench), streamed, HOUR);
      assert.deepEqual((await find(bench)).entry, streamed);
    },
  ],
  [
    "tells how old an answer is",
    async (bench) => {
      await bench.store.set(askFor(bench), entryOf(1), HOUR);
      const young = (await find(bench)).ageMs;
      assert.ok(young >= 0 && young <= bench.slackMs, `age ${young} at once`);
      await bench.advance(500);
      const { ageMs } = await find(bench);
      assert.ok(Math.abs(ageMs - 500) <= bench.slackMs, `age ${ageMs} after 500 ms`);
    },
  ],
  [
    "keeps an answer for as long as it is told to, and no longer",
    async (bench) => {
      await bench.store.set(askFor(bench), entryOf(1), 1_000);
      await bench.advance(999 - bench.slackMs);
      assert.equal((await find(bench)).entry.value, 1);
      await bench.advance(1 + 2 * bench.slackMs);
      assert.ok(await missing(bench));
    },
  ],
  [
    "an answer that replaces another begins anew, whether it is kept for longer or not",
    async (bench) => {
      await bench.store.set(askFor(bench), entryOf("old"), 1_000);
      await bench.advance(600);
      await bench.store.set(askFor(bench), entryOf("new"), 1_000);
      await bench.advance(600);
      const { entry, ageMs } = await find(bench);
      assert.equal(entry.value, "new");
      assert.ok(Math.abs(ageMs - 600) <= bench.slackMs, `age ${ageMs} after 600 ms`);
      await bench.store.set(askFor(bench), entryOf("short"), 100);
      await bench.advance(100 + bench.slackMs);
      assert.ok(await missing(bench));
    },
  ],
  [
    "forgets what is deleted, and nothing else",
    async (bench) => {
      const { store } = bench;
      await store.delete(askFor(bench)); // which is not there
      await store.set(askFor(bench), entryOf(1), HOUR);
      await store.set(askFor(bench, { key: "other" }), entryOf(2), HOUR);
      await store.delete(askFor(bench));
      assert.ok(await missing(bench));
      assert.equal((await find(bench, { key: "other" })).entry.value, 2);
    },
  ],
  [
    "clears one name, and no other",
    async (bench) => {
      const { store } = bench;
      await store.clear("contract"); // which has nothing
      for (const key of ["a", "b"]) await store.set(askFor(bench, { key }), entryOf(key), HOUR);
      for (const name of ["contract2", "contrac", "contract:a", "contract*"])
        await store.set(askFor(bench, { name }), entryOf(name), HOUR);
      await store.clear("contract");
      for (const key of ["a", "b"]) assert.ok(await missing(bench, { key }));
      for (const name of ["contract2", "contrac", "contract:a", "contract*"])
        assert.equal((await find(bench, { name })).entry.value, name);
      await store.set(askFor(bench), entryOf("again"), HOUR);
      assert.equal((await find(bench)).entry.value, "again");
    },
  ],
  [
    "takes no name and key for another name and key",
    async (bench) => {
      const long = "x".repeat(50_000);
      const pairs = [
        ["a", "b"],
        ["a", ":b"],
        ["a:", "b"],
        ["", "a:b"],
        ["a", ""],
        ["", "a"],
        ["{a}", "b"],
        ["a", "{b}"],
        ["a", "B"],
        ["a", "b "],
        ["a", "b\u0000"],
        ["a", "é"],
        ["a", "e\u0301"],
        ["a", `${long}1`],
        ["a", `${long}2`],
      ] as const;
      for (const [at, [name, key]] of pairs.entries())
        await bench.store.set(askFor(bench, { name, key }), entryOf(at), HOUR);
      for (const [at, [name, key]] of pairs.entries())
        assert.equal((await find(bench, { name, key })).entry.value, at);
    },
  ],
  [
    "does first what it was asked first, without being waited for",
    async (bench) => {
      const { store } = bench;
      const [, found] = await Promise.all([
        store.set(askFor(bench), entryOf("kept"), HOUR),
        store.get(askFor(bench)),
      ]);
      assert.equal(found?.entry.value, "kept");
      await Promise.all([store.set(askFor(bench), entryOf("again"), HOUR), store.delete(askFor(bench))]);
      assert.ok(await missing(bench));
    },
  ],
  [
    "holds many at the same time",
    async (bench) => {
      await atOnce(500, (n) => bench.store.set(askFor(bench, { key: `${n}` }), entryOf({ n }), HOUR));
      const found = await atOnce(500, (n) => bench.store.get(askFor(bench, { key: `${n}` })));
      assert.deepEqual(
        found.map((one) => one?.entry.value),
        Array.from({ length: 500 }, (_, n) => ({ n })),
      );
    },
  ],
  [
    "tells what it holds, if it tells anything",
    async (bench) => {
      if (bench.store.usage === undefined) return;
      assert.deepEqual(bench.store.usage(), { entries: 0, bytes: 0 });
      await bench.store.set(askFor(bench), entryOf(1, { bytes: 100 }), HOUR);
      const { entries, bytes } = bench.store.usage();
      assert.equal(entries, 1);
      assert.ok(bytes >= 100);
      await bench.store.delete(askFor(bench));
      assert.deepEqual(bench.store.usage(), { entries: 0, bytes: 0 });
    },
  ],
];
