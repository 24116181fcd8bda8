import fc from "fast-check";
import { expect, test } from "vitest";

import { createLinked, type Link } from "./linked.ts";

const valuesOf = (newest: Link<number> | undefined): number[] => {
  const values: number[] = [];
  for (let link = newest; link !== undefined; link = link.older) values.unshift(link.value);
  return values;
};

test("holds what an array would hold, whoever leaves from wherever", () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), (steps) => {
      const linked = createLinked<number>();
      const model: Link<number>[] = [];
      for (const step of steps) {
        if (step % 3 > 0 || model.length === 0) model.push(linked.add(step));
        else linked.remove(model.splice(step % model.length, 1)[0] as Link<number>);
        expect(valuesOf(linked.newest)).toEqual(model.map(({ value }) => value));
        expect(linked.size).toBe(model.length);
      }
      linked.clear();
      expect([linked.size, linked.newest]).toEqual([0, undefined]);
    }),
  );
});
