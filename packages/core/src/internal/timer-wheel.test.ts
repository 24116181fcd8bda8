import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createTimerWheel } from "./timer-wheel.ts";

interface Armed {
  readonly at: number;
  readonly f: () => void;
  alive: boolean;
}

/** A host with one timer and a clock that is moved by hand. */
function createHost() {
  let now = 0;
  let armed: Armed | undefined;
  const thrown: unknown[] = [];
  const wheel = createTimerWheel<Armed>({
    now: () => now,
    arm(ms, f) {
      expect(armed, "one real timer at a time").toBeUndefined();
      expect(ms).toBeGreaterThanOrEqual(1);
      armed = { at: now + ms, f, alive: true };
      return armed;
    },
    disarm(handle) {
      expect(handle).toBe(armed);
      armed = undefined;
    },
    keepAlive(handle, alive) {
      handle.alive = alive; // also of one that has fired: harmless, as ref() and unref() are
    },
  });
  return {
    wheel,
    thrown,
    get now() {
      return now;
    },
    get alive() {
      return armed?.alive === true;
    },
    /** Lets time pass; the host itself fires up to `late` ms too late. */
    advance(ms: number, late = 0): void {
      const until = now + ms;
      while (armed !== undefined && armed.at <= until) {
        const { at, f } = armed;
        now = Math.max(now, Math.min(until, at + late));
        armed = undefined;
        try {
          f();
        } catch (error) {
          thrown.push(error);
        }
      }
      now = until;
    },
  };
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      set: fc.oneof(fc.nat(600), fc.double({ min: 0, max: 1e7, noNaN: true })),
      throws: fc.boolean(),
      background: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ cancel: fc.nat(100) }) },
  { weight: 3, arbitrary: fc.record({ advance: fc.double({ min: 0, max: 50_000, noNaN: true }) }) },
);

describe("timers over one timer", () => {
  it("fire once or are cancelled, never early and at most as late as is said, also beside one that throws", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const host = createHost();
        const timers: {
          at: number;
          late: number;
          background: boolean;
          fired: number;
          cancelled: boolean;
          cancel: () => void;
        }[] = [];
        let throwing = 0;
        for (const one of steps) {
          if ("advance" in one) host.advance(one.advance);
          else if ("cancel" in one) {
            const timer = timers[one.cancel % Math.max(1, timers.length)];
            if (timer !== undefined) {
              timer.cancel();
              if (timer.fired === 0) timer.cancelled = true;
            }
          } else {
            const ms = one.set;
            if (one.throws) throwing++;
            const timer = {
              at: host.now + ms,
              late: Math.max(8, ms / 64),
              background: one.background,
              fired: 0,
              cancelled: false,
              cancel: () => {},
            };
            timers.push(timer);
            const fire = (): void => {
              timer.fired++;
              expect(timer.cancelled).toBe(false);
              expect(host.now).toBeGreaterThanOrEqual(timer.at);
              // The real timer counts whole milliseconds, and each that throws costs the others one.
              expect(host.now).toBeLessThanOrEqual(timer.at + timer.late + 1 + throwing);
              if (one.throws) throw new Error("a timer's own");
            };
            timer.cancel = host.wheel.set(ms, fire, one.background);
          }
          const waited = timers.filter(({ fired, cancelled }) => fired === 0 && !cancelled);
          expect(host.alive).toBe(waited.some(({ background }) => !background));
        }
        host.advance(2e7);
        for (const { fired, cancelled } of timers) expect(fired).toBe(cancelled ? 0 : 1);
        expect(host.alive).toBe(false);
        for (const error of host.thrown) expect((error as Error).message).toBe("a timer's own");
      }),
    );
  });

  it("fire when the host is late, in the order of their times, and may set and cancel others meanwhile", () => {
    const host = createHost();
    const seen: string[] = [];
    const never = host.wheel.set(40, () => seen.push("never"));
    host.wheel.set(20, () => {
      seen.push("20");
      never();
      host.wheel.set(5, () => seen.push("5 after"));
    });
    host.wheel.set(10, () => seen.push("10"));
    host.wheel.set(1_000, () => seen.push("1000"));
    host.advance(500, 300);
    expect(seen).toEqual(["10", "20", "5 after"]);
    expect(host.alive).toBe(true);
    host.advance(1_000);
    expect(seen.at(-1)).toBe("1000");
    expect(host.alive).toBe(false);
  });
});
