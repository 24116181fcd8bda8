import { describe, expect, it } from "vitest";

import type { Usage } from "../outcome.ts";
import { bothUsages } from "./usage.ts";

describe("what two have used", () => {
  it.each<readonly [Usage, Usage, Usage]>([
    [{ promptTokens: 1 }, { promptTokens: 2, completionTokens: 3 }, { promptTokens: 3, completionTokens: 3 }],
    [
      { totalTokens: 4 },
      { promptTokens: 2, completionTokens: 3 },
      { totalTokens: 9, promptTokens: 2, completionTokens: 3 },
    ],
    [{ promptTokens: 2 }, { totalTokens: 4 }, { promptTokens: 2, totalTokens: 6 }],
    [
      { totalTokens: 1, estimated: true },
      { totalTokens: 2, estimated: false },
      { totalTokens: 3, estimated: true },
    ],
    [{ totalTokens: 1 }, { totalTokens: 2, estimated: true }, { totalTokens: 3, estimated: true }],
  ])("%o and %o is %o", (one, other, both) => {
    expect(bothUsages(one, other)).toEqual(both);
  });

  it("adds what only one upstream counts as well", () => {
    const cached = { promptTokens: 5, cachedPromptTokens: 4 };
    expect(bothUsages(bothUsages(cached, { promptTokens: 1 }), cached)).toEqual({
      promptTokens: 11,
      cachedPromptTokens: 8,
    });
  });
});
