import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { createGate, type Gate, type Ticket, type Verdict } from "./gate.ts";

const OPTIONS = { waitMs: 60_000, maxWaitMs: 1_800_000 };

/** Probes as soon as it may, and says how long it had to wait each time. */
function waits(gate: Gate, verdicts: readonly Verdict[], from = 0): number[] {
  let now = from;
  return verdicts.map((verdict) => {
    const wait = gate.dueInMs(now);
    now += wait;
    gate.settle(gate.probe(now) as Ticket, verdict, now);
    return wait;
  });
}

describe("a gate", () => {
  test("is asked about at once, then after 60 s, then twice as late each time, up to half an hour", () => {
    const gate = createGate(OPTIONS);
    gate.close(0, gate.epoch);
    expect(
      waits(
        gate,
        Array.from({ length: 9 }, () => "bad"),
      ),
    ).toEqual([0, 60_000, 120_000, 240_000, 480_000, 960_000, 1_800_000, 1_800_000, 1_800_000]);
    waits(gate, ["good"], 1e9);
    expect(gate.open).toBe(true);
  });

  test("that is closed again before anything was answered goes on counting; afterwards it begins anew", () => {
    const gate = createGate(OPTIONS);
    gate.close(0, gate.epoch);
    waits(gate, ["good"]);
    gate.close(0, gate.epoch);
    expect(gate.dueInMs(0)).toBe(60_000);
    waits(gate, ["good"]);
    gate.succeed();
    gate.close(100_000, gate.epoch);
    expect(gate.dueInMs(100_000)).toBe(0);
  });

  test("learns nothing from what was sent before it last changed", () => {
    const gate = createGate(OPTIONS);
    const before = gate.epoch;
    gate.close(0, before);
    expect(gate.close(0, before)).toBe(false);
    waits(gate, ["good"]);
    expect(gate.close(1, before)).toBe(false);
    expect(gate.open).toBe(true);
  });

  test("asks again after the same time when the answer said nothing, and at once when nothing was asked", () => {
    const gate = createGate(OPTIONS);
    gate.close(0, gate.epoch);
    expect(waits(gate, ["unclear", "unclear", "bad", "unclear"])).toEqual([0, 60_000, 60_000, 60_000]);
    const again = createGate(OPTIONS);
    again.close(0, again.epoch);
    again.release(again.probe(0) as Ticket);
    expect(again.dueInMs(0)).toBe(0);
  });

  test("opens by hand, and a probe from before says nothing any more", () => {
    const gate = createGate(OPTIONS);
    gate.close(0, gate.epoch);
    const ticket = gate.probe(0) as Ticket;
    gate.reset();
    expect([gate.open, gate.settle(ticket, "bad", 0), gate.open]).toEqual([true, false, true]);
  });
});

const step = fc.oneof(
  fc.record({ ms: fc.nat(200_000) }),
  fc.record({ close: fc.nat(3) }),
  fc.record({ settle: fc.constantFrom<Verdict>("good", "bad", "unclear"), which: fc.nat(5) }),
  fc.constantFrom("probe", "succeed", "reset", "release").map((act) => ({ act })),
);

test("whatever happens: one probe at a time, never early, and no wait longer than the longest", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const gate = createGate(OPTIONS);
      const tickets: Ticket[] = [];
      let now = 0;
      for (const one of steps) {
        const was = { open: gate.open, epoch: gate.epoch, probing: gate.probing, dueIn: gate.dueInMs(now) };
        if ("ms" in one) now += one.ms;
        else if ("close" in one) {
          const sentIn = gate.epoch - one.close;
          expect(gate.close(now, sentIn)).toBe(was.open && one.close === 0);
        } else if ("settle" in one) {
          const ticket = tickets[one.which % Math.max(1, tickets.length)];
          const opened = ticket !== undefined && gate.settle(ticket, one.settle, now);
          if (opened) expect([was.open, was.probing, one.settle]).toEqual([false, true, "good"]);
          else expect(gate.open).toBe(was.open);
        } else if (one.act === "probe") {
          const ticket = gate.probe(now);
          expect(ticket !== undefined).toBe(!was.open && !was.probing && was.dueIn === 0);
          if (ticket !== undefined) tickets.push(ticket);
        } else if (one.act === "release") {
          const last = tickets.at(-1);
          if (last !== undefined) gate.release(last);
        } else if (one.act === "succeed") gate.succeed();
        else {
          gate.reset();
          expect(gate.open).toBe(true);
        }
        expect(gate.epoch - was.epoch).toBe(gate.open === was.open ? 0 : 1);
        expect(gate.dueInMs(now)).toBeLessThanOrEqual(gate.open ? 0 : OPTIONS.maxWaitMs);
        if (gate.open) expect(gate.probing).toBe(false);
      }
    }),
  );
});
