// The checker itself, with histories that can be checked by hand. Times of the machine are in ms here.
import type { PermitAsk, PermitReply, RateAmounts, RateLimitAsk, RateLimitReply } from "@breakwater/core";
import { describe, expect, it } from "vitest";

import { check } from "./history.test-help.ts";
import type { Happening } from "./model.test-help.ts";

type Span = readonly [invoked: number, returned: number];

const spanned = ([invoked, returned]: Span) => ({ invoked, returned });
const isPossible = (...history: readonly Happening[]): boolean => check(history).order !== undefined;

const seat: PermitAsk = { kind: "permit", name: "seats", key: "", limit: 1 };
const granted = (active = 1): PermitReply => ({ granted: true, active });
const refused = (active = 1): PermitReply => ({ granted: false, active });
const asked = (span: Span, reply?: PermitReply, limit = 1): Happening => ({
  ...spanned(span),
  what: "decide",
  asks: [{ ...seat, limit }],
  ...(reply !== undefined && { replies: [reply] }),
});
const released = (span: Span): Happening => ({
  ...spanned(span),
  what: "release",
  place: "permits seats ",
  alike: "permits seats ",
});

describe("permits", () => {
  it("are not more than there are, whoever came first", () => {
    expect(isPossible(asked([0, 10], granted()), asked([5, 15], refused()))).toBe(true);
    expect(isPossible(asked([0, 10], refused()), asked([5, 15], granted()))).toBe(true);
    expect(isPossible(asked([0, 10], granted()), asked([5, 15], granted()))).toBe(false);
    expect(isPossible(asked([0, 10], granted()), asked([5, 15], granted(2)))).toBe(false);
    expect(isPossible(asked([0, 10], granted(2), 2), asked([5, 15], granted(), 2))).toBe(true);
  });

  it("are refused only while somebody has them", () => {
    expect(isPossible(asked([0, 1], refused()), asked([2, 3], granted()))).toBe(false);
    expect(isPossible(asked([0, 3], refused()), asked([2, 4], granted()))).toBe(true);
  });

  it("come back between being given back and its being known", () => {
    const first = asked([0, 1], granted());
    for (const reply of [granted(), refused()])
      expect(isPossible(first, released([2, 9]), asked([3, 8], reply))).toBe(true);
    expect(isPossible(first, released([2, 4]), asked([5, 6], granted()))).toBe(true);
    expect(isPossible(first, released([2, 4]), asked([5, 6], refused())), "lost").toBe(false);
    expect(isPossible(first, asked([2, 3], granted()), released([4, 5])), "too soon").toBe(false);
    expect(isPossible(first, released([2, 3]), released([2, 3])), "twice").toBe(false);
  });

  it("of who never got a reply may be out or not, and not the one after the other", () => {
    const killed = asked([0, Infinity]);
    expect(isPossible(killed, asked([5, 6], granted()))).toBe(true);
    expect(isPossible(killed, asked([5, 6], refused()), asked([7, 8], refused()))).toBe(true);
    expect(
      isPossible(
        asked([0, Infinity], undefined, 3),
        asked([5, 6], granted(), 2),
        asked([7, 8], granted(3), 3),
      ),
    ).toBe(true);
    expect(isPossible(killed, asked([5, 6], refused()), asked([7, 8], granted()))).toBe(false);
    expect(isPossible(asked([5, 6], refused()), asked([7, Infinity]))).toBe(false);
  });

  it("are not guessed at: a wrong order is given up, and another one is tried", () => {
    // Only one of six ways to order what overlaps ends well.
    const overlapping = [granted(2), granted(3), granted(1)].map((reply) => asked([0, 10], reply, 3));
    expect(isPossible(...overlapping, asked([11, 12], refused(3), 3))).toBe(true);
    expect(isPossible(...overlapping, asked([11, 12], refused(2), 2))).toBe(false);
  });
});

/** Ten a second, two at once. */
const rule = { algorithm: "gcra", limit: 10, perMs: 1_000, burst: 2 } as const;
const slot: RateLimitAsk = {
  kind: "rate-limit",
  name: "r",
  key: "",
  limits: { requests: rule },
  cost: { requests: 1, tokens: 0 },
  now: 0,
};
const passed = (remaining: number, resetMs: number): RateLimitReply => ({
  admitted: true,
  retryAfterMs: 0,
  at: 0,
  requests: { remaining, retryAfterMs: 0, resetMs },
});
const waits = (retryAfterMs: number, resetMs: number, remaining = 0): RateLimitReply => ({
  admitted: false,
  retryAfterMs,
  at: 0,
  requests: { remaining, retryAfterMs, resetMs },
});
/** @param ms when it was decided, by the server's clock */
const limited = (span: Span, ms: number, reply: RateLimitReply): Happening => ({
  ...spanned(span),
  what: "decide",
  at: ms * 1_000,
  asks: [slot],
  replies: [reply],
});
const settled = (span: Span, takenMs: number, by: number): Happening => ({
  ...spanned(span),
  what: "settle",
  place: "requests r ",
  rule,
  by,
  takenAt: takenMs * 1_000,
});

describe("rate limits", () => {
  const first = limited([0, 10], 5, passed(1, 100));
  const second = limited([0, 10], 6, passed(0, 199));

  it("are as they are at the time that the server says", () => {
    expect(isPossible(first, second, limited([0, 10], 7, waits(98, 198)))).toBe(true);
    expect(isPossible(first, second, limited([0, 10], 7, waits(99, 198)))).toBe(false);
    expect(isPossible(first, second, limited([0, 10], 7, passed(0, 298))), "one too many").toBe(false);
    expect(isPossible(first, second, limited([104, 110], 105, passed(0, 200)))).toBe(true);
    expect(isPossible(first, limited([11, 12], 4, passed(0, 199))), "the server's time goes back").toBe(
      false,
    );
  });

  it("have what was settled as soon as it is told, and at the latest when that is known", () => {
    const full = [first, second] as const;
    const later = limited([20, 30], 25, waits(80, 180));
    const sooner = limited([20, 30], 25, passed(0, 180));
    expect(isPossible(...full, settled([11, 40], 5, -1), later)).toBe(true);
    expect(isPossible(...full, settled([11, 40], 5, -1), sooner)).toBe(true);
    expect(isPossible(...full, settled([11, 15], 5, -1), sooner)).toBe(true);
    expect(isPossible(...full, settled([11, 15], 5, -1), later)).toBe(false);
    expect(isPossible(...full, settled([31, 40], 5, -1), sooner)).toBe(false);
    expect(isPossible(...full, settled([11, Infinity], 5, -1), later)).toBe(true);
    expect(isPossible(...full, settled([11, Infinity], 5, -1), sooner)).toBe(true);
    expect(isPossible(...full, settled([11, 15], 5, 3), limited([20, 30], 25, waits(380, 480, -2)))).toBe(
      false,
    );
    expect(isPossible(...full, settled([11, 15], 5, 3), limited([20, 30], 25, waits(380, 480, -3)))).toBe(
      true,
    );
  });

  it("get nothing back that has overflowed since", () => {
    const again = limited([1_000, 1_001], 1_000, passed(1, 100));
    const late = settled([1_002, 1_003], 5, -1);
    expect(isPossible(first, again, late, limited([1_004, 1_005], 1_004, passed(0, 196)))).toBe(true);
    expect(isPossible(first, again, late, limited([1_004, 1_005], 1_004, passed(1, 100)))).toBe(false);
  });

  it("of which it is not known when something was taken are anything between the soonest and the latest", () => {
    // Taken from a full bucket, at some time between 500 ms and 600 ms.
    const [at500, at600] = [limited([500, 501], 500, passed(1, 100)), settled([502, 599], 500, 2)];
    const third = (ms: number, reply: RateLimitReply): boolean =>
      isPossible(at500, at600, limited([600, 700], ms, reply));
    expect(third(650, waits(50, 150))).toBe(true);
    expect(third(650, waits(60, 200, -1))).toBe(false);
    expect(third(610, waits(90, 190))).toBe(true);
  });
});

describe("what is decided together", () => {
  const cost: RateAmounts = { requests: 1, tokens: 0 };
  const both = (span: Span, ms: number, seats: PermitReply, rate: RateLimitReply): Happening => ({
    ...spanned(span),
    what: "decide",
    at: ms * 1_000,
    asks: [seat, { ...slot, cost }],
    replies: [seats, rate],
  });

  it("takes nothing where one of it is refused", () => {
    const first = both([0, 10], 5, granted(), passed(1, 100));
    const next = both([11, 12], 12, refused(), { ...passed(1, 93) });
    expect(isPossible(first, next, limited([13, 14], 14, passed(0, 191)))).toBe(true);
    expect(isPossible(first, next, limited([13, 14], 14, waits(91, 191)))).toBe(false);
    expect(isPossible(first, both([11, 12], 12, granted(2), passed(0, 193)))).toBe(false);
    expect(isPossible(first, both([11, 12], 12, granted(1), waits(93, 93)))).toBe(false);
  });
});
