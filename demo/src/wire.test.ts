import { expect, test } from "vitest";

import { lineReader } from "./wire.ts";

test("lines are lines wherever the network cuts them", () => {
  const bytes = '{"text":"a b"}\n{"text":"c"}\n{"done":true}\n';
  for (let size = 1; size <= bytes.length; size++) {
    const read = lineReader();
    const lines = [];
    for (let from = 0; from < bytes.length; from += size) lines.push(...read(bytes.slice(from, from + size)));
    expect(lines).toEqual([{ text: "a b" }, { text: "c" }, { done: true }]);
  }
});
