import fc from "fast-check";
import { expect, it } from "vitest";

import { createLine, type Place } from "./line.ts";

const step = fc.oneof(
  fc.record({ join: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ leave: fc.nat(50) }),
  fc.constant("serve" as const),
);

it("serves the first class first and within a class who came first, whoever leaves meanwhile", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const line = createLine<number>(3);
      const places: Place<number>[] = [];
      const model: { value: number; rank: number }[] = [];
      for (const [value, one] of steps.entries()) {
        if (one === "serve") {
          const head = line.head();
          model.sort((a, b) => a.rank - b.rank || a.value - b.value);
          expect(head?.value).toBe(model.shift()?.value);
          head?.leave();
        } else if ("join" in one) {
          places.push(line.join(value, one.join));
          model.push({ value, rank: Math.min(one.join, 2) }); // there is no further class
        } else {
          const place = places[one.leave % Math.max(1, places.length)];
          place?.leave(); // leaving twice changes nothing
          const at = model.findIndex((waiting) => waiting.value === place?.value);
          if (at >= 0) model.splice(at, 1);
        }
        expect(line.length).toBe(model.length);
      }
    }),
  );
});
