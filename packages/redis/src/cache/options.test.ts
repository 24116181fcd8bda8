import { readOptions } from "@breakwater/core";
import { describe, expect, it } from "vitest";

import { readCacheTier } from "./options.ts";

const read = (cache?: unknown) => readCacheTier(readOptions("redisStore", { cache }));

describe("the option cache", () => {
  it("has bounds by default", () => {
    expect(read()).toEqual({ memoryBytes: 33_554_432, memoryMs: 5_000 });
    expect(read({ memoryBytes: 0, memoryFor: "1s" })).toEqual({ memoryBytes: 0, memoryMs: 1_000 });
  });
  it.each([
    [{ memoryBytes: -1 }, /cache: memoryBytes must be a whole number of at least 0, got -1/],
    [{ memoryFor: "soon" }, /cache: memoryFor/],
    [{ memory: 1 }, /cache: unknown option "memory"/],
    [5, /cache: options must be an object, got 5/],
  ])("refuses %j", (cache, message) => expect(() => read(cache)).toThrow(message));
});
