import assert from "node:assert/strict";

import type { RateAmounts, RateLimitAsk, RateLimitReply, RateLimitStore, RateRule } from "@breakwater/core";

import { seeded } from "../seeded.ts";
import { atOnce, type Bench, contract, type ContractCase, type ContractOptions } from "./contract.ts";

type Ask = Partial<Omit<RateLimitAsk, "cost">> & { readonly cost?: Partial<RateAmounts> };

function gcra(limit: number, perMs: number, burst = limit): RateRule {
  return { algorithm: "gcra", limit, perMs, burst };
}

function windowed(limit: number, perMs: number): RateRule {
  return { algorithm: "window", limit, perMs, burst: limit };
}

/** Hands on a store, and speaks with it in plain data only. */
function speak({ store, ...bench }: Bench<RateLimitStore>, at: () => number) {
  const askOf = ({ cost, ...given }: Ask): RateLimitAsk => ({
    kind: "rate-limit",
    name: "contract",
    key: "",
    limits: {},
    cost: { requests: 1, tokens: 0, ...cost },
    now: at(),
    ...given,
  });
  const decide = async (given: Ask): Promise<RateLimitReply> => {
    const reply = await store.decide(askOf(given));
    whole(reply.retryAfterMs);
    for (const standing of [reply.requests, reply.tokens]) {
      if (standing === undefined) continue;
      whole(standing.remaining);
      whole(standing.retryAfterMs);
      whole(standing.resetMs);
    }
    assert.equal(reply.admitted, reply.retryAfterMs === 0, "admitted, and told to come again, or neither");
    return reply;
  };
  return {
    ...bench,
    store,
    askOf,
    decide,
    /** How many of `count` that ask at the same time are admitted. */
    async admitted(count: number, given: Ask): Promise<number> {
      return (await atOnce(count, () => decide(given))).filter((reply) => reply.admitted).length;
    },
    async settle(given: Ask, reply: RateLimitReply, adjustment: Partial<RateAmounts>): Promise<void> {
      const copy = JSON.parse(JSON.stringify({ ask: askOf(given), reply })) as {
        ask: RateLimitAsk;
        reply: RateLimitReply;
      };
      await store.settle(copy.ask, copy.reply, { requests: 0, tokens: 0, ...adjustment, now: at() });
    },
  };
}

function whole(amount: number): void {
  assert.ok(Number.isInteger(amount), `a whole number, got ${amount}`);
}

type Talk = ReturnType<typeof speak>;
type Said = readonly [string, (talk: Talk) => Promise<void>];

/**
 * What a `RateLimitStore` must do. Works with any test runner: a suite is a list of cases that throw.
 *
 * A store on a real clock says how time passes (`advance`) and how much of it passes unseen (`slackMs`); the longest
 * span that a case waits for is three seconds.
 *
 * @example
 * ```ts
 * import { createMemoryRateLimitStore } from "@breakwater/core";
 * import { rateLimitStoreContract } from "@breakwater/testing";
 *
 * const cases = rateLimitStoreContract({ create: () => createMemoryRateLimitStore() });
 * // in a test file: for (const { name, run } of cases) test(name, run);
 * for (const { run } of cases) await run();
 * ```
 */
export function rateLimitStoreContract(options: ContractOptions<RateLimitStore>): readonly ContractCase[] {
  const cases: readonly Said[] = [
    ...common("token bucket", gcra),
    ...common("window", windowed),
    ...tokenBucket,
    ...slidingWindow,
    // On a clock that runs by itself the spans between asks are not known exactly.
    ...((options.slackMs ?? 0) === 0 ? exact : []),
  ];
  return contract(
    options,
    cases.map(([name, run]) => [name, (bench) => run(speak(bench, () => bench.now))]),
  );
}

function common(algorithm: string, rule: (limit: number, perMs: number) => RateRule): readonly Said[] {
  const say = (name: string, run: (talk: Talk) => Promise<void>): Said => [`${algorithm}: ${name}`, run];
  return [
    say("of 1000 that ask at the same time exactly 5 pass at limit 5", async ({ admitted }) => {
      assert.equal(await admitted(1_000, { limits: { requests: rule(5, 60_000) } }), 5);
    }),

    say("what is refused consumes nothing", async ({ decide, admitted, advance, slackMs }) => {
      const limits = { requests: rule(3, 1_000 + slackMs) };
      await admitted(3, { limits });
      const { retryAfterMs } = await decide({ limits });
      assert.equal(await admitted(50, { limits }), 0);
      await advance(retryAfterMs + slackMs);
      assert.equal((await decide({ limits })).admitted, true);
    }),

    say(
      "says when to come again, neither too early nor too late",
      async ({ decide, admitted, advance, slackMs }) => {
        const limits = { requests: rule(3, 1_000 + 2 * slackMs) };
        await admitted(3, { limits });
        const { retryAfterMs } = await decide({ limits });
        assert.ok(retryAfterMs > 0 && retryAfterMs <= 1_000 + 2 * slackMs, `${retryAfterMs} ms`);
        await advance(Math.max(0, retryAfterMs - slackMs - 1));
        assert.equal((await decide({ limits })).admitted, false, "1 ms earlier it is not yet time");
        await advance(slackMs + 1);
        assert.equal((await decide({ limits })).admitted, true);
      },
    ),

    say("requests and tokens are taken together or not at all", async ({ decide }) => {
      const limits = { requests: rule(10, 60_000), tokens: rule(100, 60_000) };
      assert.equal((await decide({ limits, cost: { tokens: 80 } })).admitted, true);
      const refused = await decide({ limits, cost: { tokens: 30 } });
      assert.equal(refused.admitted, false);
      assert.equal(refused.requests?.retryAfterMs, 0, "the requests are not in the way");
      assert.ok((refused.tokens?.retryAfterMs ?? 0) > 0, "the tokens are");
      const passed = await decide({ limits, cost: { tokens: 20 } });
      assert.equal(passed.admitted, true);
      assert.equal(passed.requests?.remaining, 8, "the refused one has not used up a request");
    }),

    say(
      "asks that are decided together are taken together or not at all",
      async ({ store, askOf, decide }) => {
        if (store.decideAll === undefined) return;
        const wide = { name: "wide", limits: { requests: rule(10, 60_000) } };
        const narrow = { name: "narrow", limits: { requests: rule(1, 60_000) } };
        const both = [askOf(wide), askOf(narrow)];
        assert.deepEqual(
          (await store.decideAll(both)).map((reply) => reply.admitted),
          [true, true],
        );
        assert.equal((await store.decideAll(both))[1]?.admitted, false);
        assert.equal((await decide(wide)).requests?.remaining, 8, "one together, one alone");
      },
    ),

    say("gives back what was not used", async ({ decide, settle }) => {
      const given = { limits: { tokens: rule(100, 60_000) }, cost: { tokens: 100 } };
      const reply = await decide(given);
      assert.equal((await decide({ ...given, cost: { tokens: 60 } })).admitted, false);
      await settle(given, reply, { tokens: -60 });
      assert.equal((await decide({ ...given, cost: { tokens: 60 } })).admitted, true);
      assert.equal((await decide({ ...given, cost: { tokens: 1 } })).admitted, false);
    }),

    say("gives back a request as well", async ({ decide, settle }) => {
      const given = { limits: { requests: rule(1, 60_000) } };
      await settle(given, await decide(given), { requests: -1 });
      assert.equal((await decide(given)).admitted, true);
      assert.equal((await decide(given)).admitted, false);
    }),

    say("what was used on top is owed, and later calls wait for it", async ({ decide, settle }) => {
      const given = { limits: { tokens: rule(100, 60_000) }, cost: { tokens: 10 } };
      await settle(given, await decide(given), { tokens: 140 });
      const next = await decide({ ...given, cost: { tokens: 1 } });
      assert.equal(next.admitted, false);
      assert.ok((next.tokens?.remaining ?? 0) <= 0, "it owes");
      const free = await decide({ ...given, cost: { tokens: 0 } });
      assert.equal(free.admitted, false, "nor does what costs nothing pass while it owes");
    }),

    say("what costs nothing passes when nothing is owed", async ({ decide }) => {
      const given = { limits: { tokens: rule(10, 60_000) } };
      await decide({ ...given, cost: { tokens: 10 } });
      assert.equal((await decide({ ...given, cost: { tokens: 0 } })).admitted, true);
    }),

    say("more than there ever is goes when all of it is there", async ({ decide, advance, slackMs }) => {
      const per = 500 + slackMs;
      const limits = { tokens: rule(100, per) };
      await decide({ limits, cost: { tokens: 1 } });
      const early = await decide({ limits, cost: { tokens: 150 } });
      assert.equal(early.admitted, false, "not from what somebody has taken of");
      await advance(early.retryAfterMs + slackMs);
      assert.equal((await decide({ limits, cost: { tokens: 150 } })).admitted, true);
      assert.equal((await decide({ limits, cost: { tokens: 0 } })).admitted, false, "and it owes the rest");
    }),

    say(
      "what comes back late, after all of it was there again, is gone",
      async ({ decide, settle, advance, slackMs }) => {
        const per = 500 + slackMs;
        const given = { limits: { tokens: rule(10, per) }, cost: { tokens: 10 } };
        const early = await decide(given);
        await advance(2 * per);
        assert.equal((await decide(given)).admitted, true);
        await settle(given, early, { tokens: -10 });
        assert.equal((await decide(given)).admitted, false);
      },
    ),

    say("keys and names know nothing of one another", async ({ decide }) => {
      const limits = { requests: rule(1, 60_000) };
      for (const given of [{ key: "a" }, { key: "b" }, { key: "" }, { name: "other", key: "a" }]) {
        assert.equal((await decide({ ...given, limits })).admitted, true);
        assert.equal((await decide({ ...given, limits })).admitted, false);
      }
      for (const key of ["{x}", "a:b", "a b", "ключ", "x".repeat(300)])
        assert.equal((await decide({ key, limits })).admitted, true);
    }),

    say(
      "a limit of less than a second comes back, and stays a limit",
      async ({ decide, admitted, advance, slackMs }) => {
        const limits = { requests: rule(2, 50.5 + slackMs) };
        assert.equal(await admitted(2, { limits }), 2);
        assert.equal((await decide({ limits })).admitted, false);
        await advance(60 + 2 * slackMs);
        assert.equal(await admitted(20, { limits }), 2);
      },
    ),

    say("tells what is left", async ({ store, decide, now }) => {
      const limits = { requests: rule(5, 60_000), tokens: rule(100, 60_000) };
      const reply = await decide({ key: "k", limits, cost: { tokens: 30 } });
      assert.deepEqual([reply.requests?.remaining, reply.tokens?.remaining], [4, 70]);
      assert.ok((reply.tokens?.resetMs ?? 0) > 0);
      const left = store.remaining("contract", now, 10)["k"];
      if (left !== undefined) assert.deepEqual(left, { requests: 4, tokens: 70 });
      assert.deepEqual(store.remaining("nobody", now, 10), {});
    }),
  ];
}

const tokenBucket: readonly Said[] = [
  [
    "token bucket: a higher limit does not refill it, a lower one does not freeze it",
    async ({ decide, admitted, advance, slackMs }) => {
      const before = { requests: gcra(10, 60_000) };
      assert.equal(await admitted(10, { limits: before }), 10);
      const higher = { requests: gcra(100, 60_000) };
      const raised = await decide({ limits: higher });
      assert.equal(raised.admitted, false, "a higher limit is no gift");
      assert.ok(raised.retryAfterMs <= 600, `and no penalty either: ${raised.retryAfterMs} ms`);
      await advance(raised.retryAfterMs + slackMs);
      assert.equal((await decide({ limits: higher })).admitted, true);
      const lower = await decide({ limits: { requests: gcra(1, 60_000) } });
      assert.equal(lower.admitted, false);
      assert.ok(lower.retryAfterMs <= 60_000, `${lower.retryAfterMs} ms`);
      const shorter = await decide({ limits: { requests: gcra(10, 1_000) } });
      assert.ok(
        shorter.retryAfterMs <= 100,
        `an hour's limit is gone with the hour: ${shorter.retryAfterMs} ms`,
      );
    },
  ],
  [
    "token bucket: what is in it survives a change",
    async ({ decide, admitted }) => {
      await admitted(6, { limits: { requests: gcra(10, 60_000) } });
      const reply = await decide({ limits: { requests: gcra(1_000, 60_000) } });
      assert.equal(reply.requests?.remaining, 3);
    },
  ],
  [
    "token bucket: a small burst spreads calls, a large one lets them come together",
    async ({ admitted, advance, slackMs }) => {
      const limits = { requests: gcra(10, 1_000 + 10 * slackMs, 2) };
      assert.equal(await admitted(100, { key: "small", limits }), 2);
      await advance(101 + slackMs);
      assert.equal(await admitted(100, { key: "small", limits }), 1);
      assert.equal(await admitted(100, { key: "large", limits: { requests: gcra(1, 60_000, 30) } }), 30);
    },
  ],
];

const slidingWindow: readonly Said[] = [
  [
    "window: nothing comes back before its time, and all of it soon after",
    async ({ admitted, advance, slackMs }) => {
      const per = 640 + slackMs;
      const limits = { requests: windowed(4, per) };
      assert.equal(await admitted(2, { limits }), 2);
      await advance(per / 2);
      assert.equal(await admitted(10, { limits }), 2);
      await advance(per / 2 - slackMs - 1);
      assert.equal(await admitted(10, { limits }), 0);
      await advance(1 + slackMs + per / 64);
      assert.equal(await admitted(10, { limits }), 2, "the first two are out");
    },
  ],
  [
    "window: what was taken stays taken when the limit changes",
    async ({ admitted }) => {
      assert.equal(await admitted(4, { limits: { requests: windowed(4, 60_000) } }), 4);
      assert.equal(await admitted(10, { limits: { requests: windowed(6, 60_000) } }), 2);
      assert.equal(await admitted(10, { limits: { requests: windowed(3, 60_000) } }), 0);
    },
  ],
  [
    "window: a change of the algorithm gives nothing away",
    async ({ admitted }) => {
      await admitted(4, { limits: { requests: windowed(4, 60_000) } });
      assert.equal(await admitted(10, { limits: { requests: gcra(4, 60_000) } }), 0);
      assert.equal(await admitted(10, { limits: { requests: windowed(4, 60_000) } }), 0);
    },
  ],
];

const exact: readonly Said[] = [0, 1, 2, 3, 4].flatMap((seed): readonly Said[] => [
  [
    `token bucket: never more than limit and burst in any span (seed ${seed})`,
    (talk) => anySpan(talk, gcra(50, 300, 20), 70, seed),
  ],
  [
    `window: never more than the limit in any span (seed ${seed})`,
    (talk) => anySpan(talk, windowed(50, 300), 50, seed),
  ],
]);

/** Asks at random, and looks at every span of `perMs` that begins with an admission. */
async function anySpan(
  { decide, advance }: Talk,
  tokens: RateRule,
  most: number,
  seed: number,
): Promise<void> {
  const random = seeded(seed);
  const log: { readonly at: number; readonly cost: number }[] = [];
  let at = 0;
  for (let i = 0; i < 400; i++) {
    const ms = random() < 0.5 ? 0 : random() * 40;
    at += ms;
    await advance(ms);
    const cost = 1 + Math.floor(random() * 12);
    if ((await decide({ limits: { tokens }, cost: { tokens: cost } })).admitted) log.push({ at, cost });
  }
  for (const [i, first] of log.entries()) {
    let sum = 0;
    for (const { at: then, cost } of log.slice(i)) if (then < first.at + tokens.perMs) sum += cost;
    assert.ok(sum <= most, `${sum} from ${first.at} ms on, ${most} at most`);
  }
  assert.ok(log.length > 50, "it does let pass");
}
