import assert from "node:assert/strict";

import type { PermitAsk, PermitReply, PermitStore } from "@breakwater/core";

import { atOnce, contract, type ContractCase, type ContractOptions, type Written } from "./contract.ts";

function askFor(given: Partial<PermitAsk> = {}): PermitAsk {
  return { kind: "permit", name: "contract", key: "", limit: 1, ...given };
}

/** As many of these asks at the same time, and those that were granted. */
async function granted(store: PermitStore, count: number, ask: PermitAsk): Promise<PermitReply[]> {
  return (await atOnce(count, () => store.decide(ask))).filter((reply) => reply.granted);
}

/**
 * What a `PermitStore` must do. Works with any test runner: a suite is a list of cases that throw.
 *
 * @example
 * ```ts
 * import { createMemoryPermitStore } from "@breakwater/core";
 * import { permitStoreContract } from "@breakwater/testing";
 *
 * const cases = permitStoreContract({ create: () => createMemoryPermitStore() });
 * // in a test file: for (const { name, run } of cases) test(name, run);
 * for (const { run } of cases) await run();
 * ```
 */
export function permitStoreContract(options: ContractOptions<PermitStore>): readonly ContractCase[] {
  return contract(options, cases);
}

const cases: Written<PermitStore> = [
  [
    "of 1000 that ask at the same time exactly 5 are granted at limit 5",
    async ({ store }) => {
      assert.equal((await granted(store, 1_000, askFor({ limit: 5 }))).length, 5);
    },
  ],
  [
    "a permit that is given back is one that somebody else can have, and exactly one",
    async ({ store }) => {
      const ask = askFor({ limit: 3 });
      const [first] = await granted(store, 3, ask);
      await store.release(ask, first as PermitReply);
      assert.equal((await granted(store, 10, ask)).length, 1);
    },
  ],
  [
    "a permit that is given back twice is given back once",
    async ({ store }) => {
      const ask = askFor({ limit: 2 });
      const [first] = await granted(store, 2, ask);
      await atOnce(20, () => store.release(ask, first as PermitReply));
      assert.equal((await granted(store, 10, ask)).length, 1);
    },
  ],
  [
    "a permit that was given back is not given back again in the place of a later one",
    async ({ store }) => {
      const ask = askFor();
      const [first] = await granted(store, 1, ask);
      await store.release(ask, first as PermitReply);
      await granted(store, 1, ask);
      await store.release(ask, first as PermitReply);
      assert.equal((await granted(store, 10, ask)).length, 0);
    },
  ],
  [
    "what was not granted cannot be given back",
    async ({ store }) => {
      const ask = askFor();
      await granted(store, 1, ask);
      const refused = await store.decide(ask);
      assert.equal(refused.granted, false);
      await store.release(ask, refused);
      assert.equal((await store.decide(ask)).granted, false);
    },
  ],
  [
    "permits come back in any order",
    async ({ store }) => {
      const ask = askFor({ limit: 4 });
      const permits = await granted(store, 4, ask);
      for (const at of [2, 0, 3, 1]) await store.release(ask, permits[at] as PermitReply);
      assert.equal((await granted(store, 10, ask)).length, 4);
    },
  ],
  [
    "keys and names know nothing of one another",
    async ({ store }) => {
      for (const given of [{ key: "a" }, { key: "b" }, { name: "other", key: "a" }, { key: "{}: ключ" }]) {
        assert.equal((await granted(store, 5, askFor(given))).length, 1);
      }
    },
  ],
  [
    "a lower limit takes nobody's permit away, a higher one grants more at once",
    async ({ store }) => {
      const permits = await granted(store, 4, askFor({ limit: 4 }));
      const lower = askFor({ limit: 2 });
      for (const permit of permits.slice(0, 2)) {
        assert.equal((await store.decide(lower)).granted, false);
        await store.release(lower, permit);
      }
      assert.equal((await store.decide(lower)).granted, false, "two are out");
      await store.release(lower, permits[2] as PermitReply);
      assert.equal((await granted(store, 5, lower)).length, 1);
      assert.equal((await granted(store, 5, askFor({ limit: 5 }))).length, 3);
    },
  ],
  [
    "tells how many are out, and forgets keys that have none",
    async ({ store }) => {
      const one = askFor({ key: "one", limit: 2 });
      const [first, second] = await granted(store, 2, one);
      assert.deepEqual(
        [first, second].map((permit) => permit?.active).toSorted((a = 0, b = 0) => a - b),
        [1, 2],
      );
      const shown = store.active("contract");
      assert.equal(shown["one"], 2);
      for (const permit of [first, second]) await store.release(one, permit as PermitReply);
      assert.deepEqual(store.active("contract"), {});
      assert.equal(shown["one"], 2, "what was shown is a copy");
    },
  ],
  [
    "asks that are decided together are granted together or not at all",
    async ({ store }) => {
      if (store.decideAll === undefined) return;
      const wide = askFor({ name: "wide", limit: 10 });
      const narrow = askFor({ name: "narrow", limit: 1 });
      assert.deepEqual(
        (await store.decideAll([wide, narrow])).map((reply) => reply.granted),
        [true, true],
      );
      assert.equal((await store.decideAll([wide, narrow]))[1]?.granted, false);
      assert.equal((await granted(store, 20, wide)).length, 9);
    },
  ],
];
