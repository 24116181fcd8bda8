import fc from "fast-check";
import { expect, it } from "vitest";

import { createHeap } from "./heap.ts";

it("gives out what was put in, smallest first, however it is mixed", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.integer(), fc.constant("pop" as const))), (steps) => {
      const heap = createHeap<number>((a, b) => a < b);
      const model: number[] = [];
      for (const step of steps) {
        if (step === "pop") {
          model.sort((a, b) => a - b);
          expect(heap.pop()).toBe(model.shift());
        } else {
          heap.push(step);
          model.push(step);
        }
        expect(heap.size).toBe(model.length);
        expect(heap.peek()).toBe(model.length === 0 ? undefined : model.reduce((a, b) => Math.min(a, b)));
      }
    }),
  );
});
