import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createWindow, type Sample, type Totals, type WindowOptions } from "./window.ts";

interface Counted {
  readonly at: number;
  failed: boolean;
  readonly slow: boolean;
  readonly sample: Sample;
}

function totalsOf(counted: readonly Counted[]): Totals {
  return {
    calls: counted.length,
    failures: counted.filter((one) => one.failed).length,
    slow: counted.filter((one) => one.slow).length,
  };
}

const step = fc.record({
  ms: fc.oneof(
    fc.constant(0),
    fc.double({ min: 0, max: 40, noNaN: true }),
    fc.double({ min: 0, max: 2_000, noNaN: true }),
  ),
  what: fc.constantFrom("add", "add", "add", "add", "spoil", "spoil", "clear"),
  failed: fc.boolean(),
  slow: fc.boolean(),
  which: fc.nat(1_000),
});

/** Plays the same steps to a window and to a list; `inWindow` says what of the list is to be seen. */
function compare(
  options: WindowOptions,
  steps: readonly { ms: number; what: string; failed: boolean; slow: boolean; which: number }[],
  inWindow: (counted: readonly Counted[], now: number) => readonly Counted[],
): void {
  const window = createWindow(options);
  let counted: Counted[] = [];
  let spoilable: Counted[] = []; // what went well so far, in the window or not
  let now = 1_000_000.5;
  const add = (failed: boolean, slow: boolean): void => {
    const one = { at: now, failed, slow, sample: window.add(failed, slow, now) };
    counted.push(one);
    if (!failed) spoilable.push(one);
  };
  for (const { ms, what, failed, slow, which } of steps) {
    now += ms;
    if (what === "add") add(failed, slow);
    else if (what === "clear") {
      window.clear();
      counted = [];
    } else {
      const spoiled = spoilable[which % Math.max(1, spoilable.length)];
      if (spoiled === undefined) continue;
      spoilable = spoilable.filter((one) => one !== spoiled);
      window.spoil(spoiled.sample, now);
      if (inWindow(counted, now).includes(spoiled)) spoiled.failed = true;
      else counted.push({ at: now, failed: true, slow: false, sample: spoiled.sample });
    }
    expect(window.totals(now)).toEqual(totalsOf(inWindow(counted, now)));
  }
}

describe("a window", () => {
  it("of the last calls holds what a list of them holds", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.array(step, { maxLength: 150 }), (calls, steps) => {
        compare({ calls }, steps, (counted) => counted.slice(-calls));
      }),
    );
  });

  it("of time holds the calls of the last ten tenths, the one that runs included", () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 2_000 }), fc.array(step, { maxLength: 150 }), (ms, steps) => {
        const tenth = ms / 10;
        compare({ ms }, steps, (counted, now) =>
          counted.filter(({ at }) => Math.floor(at / tenth) > Math.floor(now / tenth) - 10),
        );
      }),
    );
  });

  it("of time holds nothing that is older, and everything of the last nine tenths", () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 2_000 }), fc.array(step, { maxLength: 100 }), (ms, steps) => {
        const window = createWindow({ ms });
        const added: number[] = [];
        let now = 0;
        for (const each of steps) {
          now += each.ms;
          window.add(false, false, now);
          added.push(now);
          const { calls } = window.totals(now);
          expect(calls).toBeLessThanOrEqual(added.filter((at) => at > now - ms - 1e-6).length);
          expect(calls).toBeGreaterThanOrEqual(added.filter((at) => at >= now - ms * 0.9 + 1e-6).length);
        }
      }),
    );
  });
});
