import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createKeyed } from "./keyed.ts";

interface State {
  readonly key: string;
  busy: boolean;
}

describe("state per key", () => {
  it("is kept within bounds, and forgotten idle and oldest first: as a list that is looked through says", () => {
    const step = fc.record({
      key: fc.integer({ min: 0, max: 30 }).map(String),
      what: fc.constantFrom("use", "use", "busy", "delete", "peek"),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(step, { maxLength: 200 }), (max, steps) => {
        const keyed = createKeyed<State>(
          max,
          (key) => ({ key, busy: false }),
          (state) => !state.busy,
        );
        let model: State[] = []; // used longest ago first
        for (const { key, what } of steps) {
          const known = model.find((state) => state.key === key);
          expect(keyed.peek(key)).toBe(known);
          if (what === "peek") continue;
          if (what === "delete") {
            keyed.delete(key);
            model = model.filter((state) => state.key !== key);
          } else {
            const state = keyed.get(key);
            if (known === undefined) {
              if (model.length >= max) {
                const gone = model.slice(0, 16).find((one) => !one.busy) ?? model[0];
                model = model.filter((one) => one !== gone);
              }
            } else expect(state).toBe(known);
            model = [...model.filter((one) => one !== state), state];
            if (what === "busy") state.busy = !state.busy;
          }
          expect(keyed.size).toBeLessThanOrEqual(max);
          expect([...keyed.entries()].map(([, state]) => state)).toEqual(model);
        }
      }),
    );
  });
});
