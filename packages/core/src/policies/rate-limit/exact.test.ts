import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { seeded } from "../../../../testing/src/index.ts";
import {
  createMemoryRateLimitStore,
  type RateLimitAsk,
  type RateLimitReply,
  type RateRule,
} from "./store.ts";

const rule = fc
  .record({
    algorithm: fc.constantFrom<RateRule["algorithm"]>("gcra", "window"),
    limit: fc.integer({ min: 1, max: 50 }),
    perMs: fc.oneof(fc.integer({ min: 1, max: 10_000 }), fc.double({ min: 0.1, max: 1_000, noNaN: true })),
    burst: fc.integer({ min: 1, max: 50 }),
  })
  .map((given): RateRule => (given.algorithm === "window" ? { ...given, burst: given.limit } : given));

const limits: fc.Arbitrary<RateLimitAsk["limits"]> = fc.oneof(
  fc.record({ requests: rule }),
  fc.record({ tokens: rule }),
  fc.record({ requests: rule, tokens: rule }),
);

/** Fractions, as the monotonic clocks of this world have them. */
const moment = fc.nat(1e9).map((n) => n / 997);

const asks = fc.array(
  fc.record({
    ms: fc.oneof(
      fc.constant(0),
      fc.constant(0),
      fc.nat(2_000),
      fc.nat(200_000).map((n) => n / 997),
    ),
    back: fc.boolean(),
    tokens: fc.nat(70),
    used: fc.option(fc.nat(120)),
  }),
  { maxLength: 80 },
);

/** A store, asked one after the other; the clock goes back now and then. */
function play(
  given: RateLimitAsk["limits"],
  from: number,
  steps: readonly {
    readonly ms: number;
    readonly back: boolean;
    readonly tokens: number;
    readonly used: number | null;
  }[],
  look: (
    decide: (changes?: Partial<RateLimitAsk>) => RateLimitReply,
    now: number,
    reply: RateLimitReply,
  ) => void,
): void {
  const store = createMemoryRateLimitStore();
  let now = from;
  for (const { ms, back, tokens, used } of steps) {
    now = back && ms > 1_900 ? now / 2 : now + ms;
    const ask: RateLimitAsk = {
      kind: "rate-limit",
      name: "r",
      key: "",
      limits: given,
      cost: { requests: 1, tokens },
      now,
    };
    const decide = (changes: Partial<RateLimitAsk> = {}): RateLimitReply =>
      store.decide({ ...ask, ...changes }) as RateLimitReply;
    const reply = decide();
    look(decide, now, reply);
    if (reply.admitted && used !== null)
      void store.settle(ask, reply, { requests: 0, tokens: used - tokens, now });
  }
}

describe("limits in memory", () => {
  it("say the least whole number of milliseconds after which the same ask passes", () => {
    fc.assert(
      fc.property(limits, moment, asks, (given, from, steps) => {
        // A second store gets the same asks up to each refusal, and then the same ask once more, just early or in time.
        for (const early of [true, false]) {
          let told: { at: number; ms: number } | undefined;
          let asked = 0;
          play(given, from, steps, (decide, now, reply) => {
            if (told !== undefined || reply.admitted || ++asked % 3 !== 0) return;
            told = { at: now, ms: reply.retryAfterMs };
            expect(Number.isInteger(told.ms) && told.ms > 0).toBe(true);
            const again = decide({ now: now + told.ms - (early ? 1 : 0) });
            if (!early) expect(again.admitted).toBe(true);
            else expect([again.admitted, again.retryAfterMs]).toEqual([false, 1]);
          });
        }
      }),
    );
  });

  it("say it also where sums of fractions round up or down, and when the clock has gone back", () => {
    const random = seeded(1);
    const fraction = (most: number): number => Math.floor(random() * most) / 997;
    const wrong: unknown[] = [];
    for (let i = 0; i < 50_000; i++) {
      const limit = 1 + Math.floor(random() * 50);
      const perMs = 1 + Math.floor(random() * 10_000);
      const store = createMemoryRateLimitStore();
      const ask = (now: number): RateLimitReply =>
        store.decide({
          kind: "rate-limit",
          name: "r",
          key: "",
          limits: { requests: { algorithm: "gcra", limit, perMs, burst: 1 } },
          cost: { requests: 1, tokens: 0 },
          now,
        }) as RateLimitReply;
      const now = fraction(1e6);
      if (i % 2 === 0) ask(now + fraction(1e9));
      else ask(now);
      const { retryAfterMs } = ask(now);
      const early = ask(now + retryAfterMs - 1);
      const inTime = ask(now + retryAfterMs);
      if (early.retryAfterMs !== 1 || !inTime.admitted) wrong.push({ now, limit, perMs, retryAfterMs });
    }
    expect(wrong).toEqual([]);
  });

  it("take all that is asked for or nothing", () => {
    fc.assert(
      fc.property(limits, moment, asks, (given, from, steps) => {
        play(given, from, steps, (decide, _, reply) => {
          const zero = decide({ cost: { requests: 0, tokens: 0 } });
          const after = [zero.requests?.remaining, zero.tokens?.remaining];
          expect(after, "what a reply tells is what there is").toEqual([
            reply.requests?.remaining,
            reply.tokens?.remaining,
          ]);
          if (!reply.admitted) {
            const enough = [
              given.requests === undefined || (reply.requests?.retryAfterMs ?? 0) === 0,
              given.tokens === undefined || (reply.tokens?.retryAfterMs ?? 0) === 0,
            ];
            expect(enough).toContain(false);
            expect(reply.retryAfterMs).toBe(
              Math.max(reply.requests?.retryAfterMs ?? 0, reply.tokens?.retryAfterMs ?? 0),
            );
          }
        });
      }),
    );
  });

  it("let nothing pass for a clock that goes back and forth", () => {
    fc.assert(
      fc.property(rule, fc.array(fc.nat(500), { maxLength: 200 }), (requests, moments) => {
        const store = createMemoryRateLimitStore();
        let admitted = 0;
        let forward = 0;
        let last = moments[0] ?? 0;
        for (const now of moments) {
          forward += Math.max(0, now - last);
          last = now;
          const ask: RateLimitAsk = {
            kind: "rate-limit",
            name: "r",
            key: "",
            limits: { requests },
            cost: { requests: 1, tokens: 0 },
            now,
          };
          if ((store.decide(ask) as RateLimitReply).admitted) admitted++;
        }
        const spans =
          requests.algorithm === "gcra" ? forward / requests.perMs : Math.floor(forward / requests.perMs);
        expect(admitted).toBeLessThanOrEqual(requests.burst + requests.limit * spans + 1e-6);
      }),
    );
  });

  it("forget the keys that are full again before the others, and keep within bounds", () => {
    const store = createMemoryRateLimitStore({ maxKeys: 10 });
    const decide = (key: string, now: number, perMs: number): RateLimitReply =>
      store.decide({
        kind: "rate-limit",
        name: "r",
        key,
        limits: { requests: { algorithm: "gcra", limit: 1, perMs, burst: 1 } },
        cost: { requests: 1, tokens: 0 },
        now,
      }) as RateLimitReply;
    for (let i = 0; i < 9; i++) decide(`busy ${i}`, 0, 1e6);
    decide("soon full", 1, 100);
    for (let i = 0; i < 1_000; i++) decide(`other ${i}`, 1_000 + i * 200, 100);
    expect(Object.keys(store.remaining("r", 1e5, 100))).toHaveLength(10);
    for (let i = 0; i < 9; i++) expect(decide(`busy ${i}`, 300_000, 1e6).admitted).toBe(false);
  });
});
