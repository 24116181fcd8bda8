import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  type BreakerConfig,
  type BreakerSnapshot,
  type BreakerState,
  createBreakerState,
  type Result,
  type Ticket,
} from "./states.ts";

const config: fc.Arbitrary<BreakerConfig> = fc.record({
  window: fc.oneof(
    fc.record({ calls: fc.integer({ min: 4, max: 20 }) }),
    fc.record({ ms: fc.integer({ min: 50, max: 5_000 }) }),
  ),
  failureRate: fc.constantFrom(0.1, 0.5, 0.9, 1),
  slowRate: fc.constantFrom(0.5, 1),
  minimumCalls: fc.integer({ min: 1, max: 4 }),
  openForMs: fc.integer({ min: 1, max: 1_000 }),
  maxOpenForMs: fc.integer({ min: 1_000, max: 5_000 }),
  probes: fc.integer({ min: 1, max: 4 }),
  probeLeaseMs: fc.integer({ min: 1, max: 3_000 }),
  rampMs: fc.constantFrom(0, 0, 500),
});

const results: fc.Arbitrary<Result> = fc.constantFrom("success", "failure", "failure", "ignored");

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ admit: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      record: results,
      which: fc.nat(1_000),
      slow: fc.boolean(),
      trip: fc.nat(20).map((n) => n === 0),
    }),
  },
  { weight: 3, arbitrary: fc.record({ token: fc.nat(1_000), slow: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      ms: fc.oneof(fc.nat(50), fc.nat(2_000), fc.double({ min: 0, max: 100, noNaN: true })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      force: fc.constantFrom<("open" | "closed" | undefined)[]>("open", "closed", undefined, undefined),
    }),
  },
  { weight: 1, arbitrary: fc.record({ config }) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface Out {
  readonly ticket: Ticket;
  /** Its permit as a probe is gone at this moment. */
  readonly leaseEnds: number;
  /** It has said something: it holds no permit any more. */
  said: boolean;
}

/** Plays steps to a circuit, and checks after each what must always hold. */
function play(initial: BreakerConfig, steps: readonly Step[]): void {
  let given = initial;
  const state: BreakerState = createBreakerState(given);
  let now = 500.25;
  let out: Out[] = [];
  let opened: { readonly at: number; readonly atLeast: number } | undefined;
  let forced: "forced-open" | "forced-closed" | undefined;
  let before: BreakerSnapshot = state.snapshot(now);

  const probesOut = (): Out[] =>
    out.filter(
      ({ ticket, leaseEnds, said }) =>
        ticket.probe && ticket.epoch === before.epoch && leaseEnds > now && !said,
    );
  /** What a result changed: at most one transition, and the epoch goes with it. */
  const changed = (transition: string | undefined): void => {
    const after = state.snapshot(now);
    expect(after.epoch).toBe(before.epoch + (transition === undefined ? 0 : 1));
    if (transition === "open") {
      expect(after.status).toBe("open");
      expect(after.openForMs).toBeGreaterThanOrEqual(given.openForMs - 1e-6);
      expect(after.openForMs).toBeLessThanOrEqual(given.maxOpenForMs + 1e-6);
      opened = { at: now, atLeast: after.openForMs };
    } else if (transition === "close") expect([before.status, after.status]).toEqual(["half-open", "closed"]);
    before = after;
  };

  for (const one of steps) {
    before = state.snapshot(now);
    if ("ms" in one) now += one.ms;
    else if ("admit" in one) {
      const admission = state.admit(now, one.admit);
      const after = state.snapshot(now);
      if ("ticket" in admission) {
        expect(after.status).not.toBe("forced-open");
        expect(after.status).not.toBe("open");
        if (before.status === "open") {
          expect(now - (opened?.at ?? 0), "not before its time").toBeGreaterThanOrEqual(
            (opened?.atLeast ?? 0) - 1e-6,
          );
          expect([admission.transition, after.status, after.epoch]).toEqual([
            "half-open",
            "half-open",
            before.epoch + 1,
          ]);
        } else expect(after.epoch).toBe(before.epoch);
        expect(admission.ticket.probe).toBe(after.status === "half-open");
        expect(admission.ticket.epoch).toBe(after.epoch);
        before = after;
        out.push({ ticket: admission.ticket, leaseEnds: now + given.probeLeaseMs, said: false });
        expect(probesOut().length, "never more probes than that").toBeLessThanOrEqual(
          Math.max(given.probes, 1),
        );
      } else {
        expect(after).toEqual(before);
        expect(admission.retryAfterMs).toBeGreaterThan(0);
        expect(["closed", "open", "half-open", "forced-open"]).toContain(after.status);
        if (after.status === "open") expect(admission.retryAfterMs).toBeCloseTo(after.openForMs, 6);
      }
    } else if ("record" in one || "token" in one) {
      const which = "record" in one ? one.which : one.token;
      const each = out[which % Math.max(1, out.length)];
      if (each === undefined) continue;
      const { ticket } = each;
      const late = ticket.epoch !== before.epoch;
      const takenBack = "record" in one && one.record === "failure" && ticket.closed === before.epoch;
      const transition =
        "record" in one
          ? state.record(ticket, one.record, one.slow, now, one.trip)
          : state.provisional(ticket, now, one.slow);
      if ((late && !takenBack) || forced !== undefined) {
        expect(transition).toBeUndefined();
        expect(state.snapshot(now)).toEqual(before);
      } else if (transition === "close") expect([ticket.probe, before.status]).toEqual([true, "half-open"]);
      else if (
        before.status === "half-open" &&
        transition === undefined &&
        "record" in one &&
        one.record === "failure"
      ) {
        // A probe that fails opens, unless somebody else has its permit by now.
        expect(each.said || each.leaseEnds <= now).toBe(true);
      }
      changed(transition);
      each.said = true;
      if ("record" in one) out = out.filter((other) => other !== each);
    } else if ("force" in one) {
      state.force(one.force, now);
      forced = one.force && (`forced-${one.force}` as const);
      opened = undefined;
    } else {
      given = one.config;
      state.configure(given);
      const { status, epoch } = state.snapshot(now);
      expect([status, epoch], "other numbers are no transition").toEqual([before.status, before.epoch]);
    }
    const { status, calls, failures, slow, openForMs, epoch } = state.snapshot(now);
    if (forced !== undefined) expect(status, "held by hand beats everything").toBe(forced);
    expect(epoch).toBeGreaterThanOrEqual(before.epoch);
    expect(Math.max(failures, slow)).toBeLessThanOrEqual(calls);
    expect(openForMs).toBeGreaterThanOrEqual(0);
    expect(Number.isFinite(openForMs)).toBe(true);
  }
}

describe("a circuit", () => {
  it("leaves open only in time, lets no more probes out than said, hears no late results, and obeys the hand", () => {
    fc.assert(
      fc.property(config, fc.array(step, { maxLength: 150, size: "max" }), (initial, steps) => {
        play(
          initial,
          steps.filter((one) => !("config" in one)),
        );
      }),
      { numRuns: 100 },
    );
  });

  it("does so also while its numbers change", () => {
    fc.assert(
      fc.property(config, fc.array(step, { maxLength: 150, size: "max" }), (initial, steps) => {
        play(initial, steps);
      }),
      { numRuns: 100 },
    );
  });

  it("always comes back when the upstream does, whatever was before", () => {
    fc.assert(
      fc.property(config, fc.array(step, { maxLength: 100, size: "max" }), (given, steps) => {
        const state = createBreakerState(given);
        let now = 0;
        const out: Ticket[] = [];
        for (const one of steps) {
          if ("ms" in one) now += one.ms;
          else if ("admit" in one) {
            const admission = state.admit(now, one.admit);
            if ("ticket" in admission) out.push(admission.ticket);
          } else if ("record" in one) {
            const [ticket] = out.splice(one.which % Math.max(1, out.length), 1);
            if (ticket !== undefined) state.record(ticket, one.record, one.slow, now, one.trip);
          } else if ("config" in one) state.configure(one.config);
        }
        // From here on all goes well, one call after the other; what is out still never says anything.
        for (let i = 0; i < 20 && state.snapshot(now).status !== "closed"; i++) {
          const admission = state.admit(now, 0);
          if ("ticket" in admission) state.record(admission.ticket, "success", false, now);
          else now += admission.retryAfterMs;
        }
        expect(state.snapshot(now).status).toBe("closed");
      }),
      { numRuns: 300 },
    );
  });

  it("follows what others decided: their end of being open, their number of openings, their moment of closing", () => {
    const state = createBreakerState({
      window: { calls: 4 },
      failureRate: 0.5,
      slowRate: 1,
      minimumCalls: 2,
      openForMs: 1_000,
      maxOpenForMs: 60_000,
      probes: 1,
      probeLeaseMs: 1_000,
      rampMs: 1_000,
    });
    const early = state.admit(0, 0);
    state.follow("open", 5_000, 3);
    expect(state.admit(4_000, 0)).toEqual({ retryAfterMs: 1_000 });
    expect(state.snapshot(4_000)).toMatchObject({ status: "open", openForMs: 1_000, openings: 3 });
    if (!("ticket" in early)) throw new Error("it was closed");
    expect(state.record(early.ticket, "failure", false, 4_000, true)).toBeUndefined();

    const probe = state.admit(5_000, 0);
    if (!("ticket" in probe)) throw new Error("its time is over");
    expect(state.record(probe.ticket, "failure", false, 5_000)).toBe("open");
    expect(state.snapshot(5_000).openForMs, "the fourth time").toBe(8_000);

    state.follow("closed", 6_000, 4);
    expect(state.admit(6_500, 0.51), "half of them half a second later").toEqual({ retryAfterMs: 500 });
    expect(state.admit(6_500, 0.49)).toMatchObject({ ticket: { probe: false } });
    expect(state.admit(7_000, 0.99)).toMatchObject({ ticket: { probe: false } });
  });

  it("trap 15: stays open for a finite time that grows, however often it opens", () => {
    const state = createBreakerState({
      window: { calls: 1 },
      failureRate: 1,
      slowRate: 1,
      minimumCalls: 1,
      openForMs: 3,
      maxOpenForMs: 1e9,
      probes: 1,
      probeLeaseMs: 1_000,
      rampMs: 0,
    });
    let now = 0;
    let last = 0;
    for (let i = 0; i < 3_000; i++) {
      const admission = state.admit(now, 0);
      if (!("ticket" in admission)) throw new Error("its time is over");
      expect(state.record(admission.ticket, "failure", false, now)).toBe("open");
      const { openForMs } = state.snapshot(now);
      expect(openForMs).toBeGreaterThanOrEqual(last);
      expect(openForMs).toBeLessThanOrEqual(1e9);
      last = openForMs;
      now += openForMs;
    }
    expect(last).toBe(1e9);
  });
});
