import { expect, test } from "vitest";

import { createHeap, type HeapItem } from "./heap.ts";
import { createRng } from "./rng.ts";

test("items leave by due time, then by order of arrival, whatever was removed in between", () => {
  const rng = createRng("heap");
  const heap = createHeap<HeapItem>();
  let kept: HeapItem[] = [];
  for (let seq = 0; seq < 2000; seq++) {
    const item = { due: rng.below(50), seq, index: -1 };
    heap.push(item);
    kept.push(item);
    if (rng.next() < 0.4) {
      const [removed] = kept.splice(rng.below(kept.length), 1);
      heap.remove(removed as HeapItem);
      heap.remove(removed as HeapItem);
    }
  }
  kept = kept.toSorted((a, b) => a.due - b.due || a.seq - b.seq);
  const left: HeapItem[] = [];
  for (let item = heap.peek(); item !== undefined; item = heap.peek()) {
    left.push(item);
    heap.remove(item);
  }
  expect(left).toEqual(kept);
  expect(heap.size).toBe(0);
});
