import assert from "node:assert/strict";

import type { BudgetStore, RetryBudgetRules, StoredBudget } from "@breakwater/core";

import { atOnce, type Bench, contract, type ContractCase, type ContractOptions } from "./contract.ts";

/** Hands on a store, and asks it at the time that it is. */
function speak(bench: Bench<BudgetStore>) {
  const { store } = bench;
  const open = (given: Partial<RetryBudgetRules> = {}, name = "contract"): Talk => {
    const budget = store.budget(name, { perSecond: 0, ratio: 1, minRatio: 0.1, ...given });
    const take = async (): Promise<boolean> => (await budget.take(bench.now)).granted;
    return {
      budget,
      take,
      calls(count) {
        for (let i = 0; i < count; i++) budget.onCall(bench.now);
      },
      attempts(count, failed) {
        for (let i = 0; i < count; i++) budget.onAttempt(failed, bench.now);
      },
      taken: async (count) => (await atOnce(count, take)).filter(Boolean).length,
    };
  };
  return { open, advance: bench.advance, slackMs: bench.slackMs };
}

interface Talk {
  readonly budget: StoredBudget;
  calls(count: number): void;
  attempts(count: number, failed: boolean): void;
  take(): Promise<boolean>;
  /** How many of `count` that ask at the same time are granted a retry. */
  taken(count: number): Promise<number>;
}

type Said = readonly [string, (talk: ReturnType<typeof speak>) => Promise<void>];

/**
 * What a `BudgetStore` must do. Works with any test runner: a suite is a list of cases that throw.
 *
 * A store on a real clock says how time passes (`advance`) and how much of it passes unseen (`slackMs`); the longest
 * span that a case waits for then is a second.
 *
 * @example
 * ```ts
 * import { createMemoryBudgetStore } from "@breakwater/core";
 * import { budgetStoreContract } from "@breakwater/testing";
 *
 * const cases = budgetStoreContract({ create: () => createMemoryBudgetStore() });
 * // in a test file: for (const { name, run } of cases) test(name, run);
 * for (const { run } of cases) await run();
 * ```
 */
export function budgetStoreContract(options: ContractOptions<BudgetStore>): readonly ContractCase[] {
  // On a clock that runs by itself periods cannot be filled and ended at will.
  const said = (options.slackMs ?? 0) === 0 ? [...cases, ...periods] : cases;
  return contract(
    options,
    said.map(([name, run]) => [name, (bench) => run(speak(bench))]),
  );
}

const cases: readonly Said[] = [
  [
    "of 1000 that ask at the same time exactly as many are granted as calls came in",
    async ({ open }) => {
      const { calls, taken } = open();
      calls(5);
      assert.equal(await taken(1_000), 5);
      assert.equal(await taken(10), 0);
    },
  ],
  [
    "begins with one second's worth",
    async ({ open, slackMs }) => {
      const { taken } = open({ perSecond: 20, ratio: 0 });
      const granted = await taken(1_000);
      assert.ok(granted >= 20 && granted <= 20 + (20 * slackMs) / 1_000, `${granted} granted`);
    },
  ],
  [
    "gives so many a second",
    async ({ open, advance, slackMs }) => {
      const { taken } = open({ perSecond: 8, ratio: 0 });
      await taken(1_000);
      await advance(1_000);
      const granted = await taken(1_000);
      assert.ok(granted >= 8 && granted <= 8 + Math.ceil((8 * 2 * slackMs) / 1_000), `${granted} granted`);
    },
  ],
  [
    "what is not granted takes nothing",
    async ({ open }) => {
      const { calls, taken } = open({ ratio: 0.5 });
      calls(1);
      assert.equal(await taken(50), 0, "half a retry is none");
      calls(1);
      assert.equal(await taken(50), 1, "two halves are one");
    },
  ],
  [
    "a name is one budget, wherever it is asked for, and names know nothing of each other",
    async ({ open }) => {
      const first = open();
      const second = open();
      for (const name of ["contract2", "contrac", "{contract}", "contract:ключ"]) {
        open({}, name).calls(1);
      }
      first.calls(2);
      assert.equal(await second.taken(10), 2);
      assert.equal(await first.taken(10), 0);
      for (const name of ["contract2", "contrac", "{contract}", "contract:ключ"]) {
        assert.equal(await open({}, name).taken(10), 1, name);
      }
    },
  ],
  [
    "goes by other rules when it is given them",
    async ({ open }) => {
      const { calls, taken } = open({ ratio: 0.5 });
      open({ ratio: 0.25 });
      calls(8);
      assert.equal(await taken(10), 2);
      open({ ratio: 0.5 });
      calls(8);
      assert.equal(await taken(10), 4);
    },
  ],
  [
    "tells what there is: after a take it is known exactly",
    async ({ open }) => {
      const { budget, calls, take } = open({ ratio: 0.75 });
      calls(4);
      assert.equal(await take(), true);
      assert.equal(budget.available(0), 2);
      assert.equal(budget.ratio, 0.75);
    },
  ],
  [
    "takes calls, verdicts and retries from many at the same time",
    async ({ open }) => {
      const { budget, calls, attempts, take } = open({ ratio: 0.5 });
      const granted = await atOnce(300, async (n) => {
        calls(1);
        attempts(1, n % 2 === 0);
        return take();
      });
      assert.equal(granted.filter(Boolean).length, 150);
      assert.equal(budget.ratio, 0.5);
    },
  ],
];

const periods: readonly Said[] = [
  [
    "saves for ten seconds, and no longer",
    async ({ open, advance }) => {
      const { take, taken } = open({ perSecond: 4, ratio: 0 });
      await take();
      await advance(3_600_000);
      assert.equal(await taken(1_000), 40);
    },
  ],
  [
    "narrows while failures rise with the load, and widens again when it is quiet",
    async ({ open, advance }) => {
      const { budget, calls, attempts, take } = open({ perSecond: 1 });
      const period = async (count: number, failing: number): Promise<void> => {
        calls(count);
        attempts(count * failing, true);
        attempts(count * (1 - failing), false);
        await take();
        await advance(10_000);
      };
      await period(100, 0);
      await period(200, 0.25);
      await period(400, 0.5);
      await take();
      assert.equal(budget.ratio, 0.25);
      for (let i = 0; i < 10; i++) await period(100, 0);
      await take();
      assert.equal(budget.ratio, 1);
    },
  ],
];
