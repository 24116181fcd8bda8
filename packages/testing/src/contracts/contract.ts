/** One thing that a store must do; `run` throws when it does not. Runs in Vitest, Jest and `node:test` alike: `test(name, run)`. */
export interface ContractCase {
  readonly name: string;
  run(): Promise<void>;
}

/** How a suite comes by the store that it is about. */
export interface ContractOptions<Store> {
  /** A store that knows of nothing yet. Called once for each case. */
  create(): Store | Promise<Store>;
  /** Lets time pass for the store. @default nothing: the store goes by the `now` that it is asked with */
  advance?(ms: number): void | Promise<void>;
  /** Called after each case, also when it failed. */
  dispose?(store: Store): void | Promise<void>;
  /**
   * For a store on a clock that runs by itself: how much of it may pass in a case unseen, in ms. Times are held to no
   * more than that. @default 0: exact
   */
  slackMs?: number;
}

/** What a case works with. */
export interface Bench<Store> {
  readonly store: Store;
  /** What asks carry as `now`. */
  readonly now: number;
  readonly slackMs: number;
  advance(ms: number): Promise<void>;
}

/** @internal */
export type Written<Store> = readonly (readonly [string, (bench: Bench<Store>) => Promise<void>])[];

/** @internal */
export function contract<Store>(
  { create, advance, dispose, slackMs = 0 }: ContractOptions<Store>,
  cases: Written<Store>,
): readonly ContractCase[] {
  return cases.map(([name, run]) => ({
    name,
    async run() {
      const store = await create();
      const bench = {
        store,
        now: 1_000.5, // no store may count on whole milliseconds
        slackMs,
        async advance(ms: number) {
          await advance?.(ms);
          bench.now += ms;
        },
      };
      try {
        await run(bench);
      } finally {
        await dispose?.(store);
      }
    },
  }));
}

/** @internal So many answers at the same time. */
export function atOnce<T>(count: number, ask: (n: number) => T | Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, n) => ask(n)));
}
