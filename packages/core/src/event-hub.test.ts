import { expect, test } from "vitest";

import { type BreakwaterEvent, createEventHub } from "./events.ts";

test("an event that is told twice, or cannot be written into, is two events with their own time", () => {
  let now = 0;
  const hub = createEventHub("search", () => ++now);
  const told: BreakwaterEvent[] = [];
  hub.subscribe((event) => told.push(event));
  const hint = { type: "hint", message: "twice" } as const;
  hub.emit(hint, { id: "c-1", serial: 7 });
  hub.emit(hint);
  hub.emit(Object.freeze({ type: "hint", message: "frozen" } as const));
  expect(told.map(({ at }) => at)).toEqual([1, 2, 3]);
  expect(told.map(({ callId, serial }) => [callId, serial])).toEqual([
    ["c-1", 7],
    [undefined, undefined],
    [undefined, undefined],
  ]);
  expect(new Set(told).size).toBe(3);
});
