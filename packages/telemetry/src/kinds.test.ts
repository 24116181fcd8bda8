import {
  DISCARDED,
  type Ending,
  type Meta,
  RefusedError,
  StoreError,
  TimedOutError,
  UpstreamError,
} from "@breakwater/core";
import { describe, expect, it } from "vitest";

import { httpStatusOf, kindOf } from "./kinds.ts";

const ending = (more: Partial<Ending>): Ending => ({ status: "failed", endedAt: 0, ...more });
const meta = (more: Partial<Meta>): Meta => ({ callId: "c", attempts: 1, ...more });

describe("the kind of an outcome", () => {
  it.each([
    ["fresh", {}],
    ["fresh", { cache: "miss" }],
    ["hit", { cache: "hit" }],
    ["join", { cache: "join" }],
    ["stale", { cache: "stale", degraded: true }],
    ["fallback", { degraded: true }],
    ["fallback", { degraded: true, cache: "hit" }],
  ] as const)("is %s for an answer of which is known %j", (kind, known) => {
    expect(kindOf(ending({ status: "answered" }), meta(known))).toBe(kind);
  });

  it("is that of the failure", () => {
    expect(kindOf(ending({ fault: "overload" }))).toBe("overload");
    expect(kindOf(ending({ fault: "caller", error: new TimedOutError("deadline", 1) }))).toBe("timeout");
    expect(kindOf(ending({ fault: "overload", error: new StoreError("away") }))).toBe("store");
    expect(kindOf(ending({}))).toBe("upstream");
  });

  it("is the code of a refusal, and who ended what was cancelled", () => {
    const refusal = { by: "limit", code: "RATE_LIMITED" };
    expect(kindOf(ending({ status: "refused", error: refusal }))).toBe("RATE_LIMITED");
    expect(kindOf(ending({ status: "cancelled", error: new Error("left") }))).toBe("caller");
    expect(kindOf(ending({ status: "cancelled", error: DISCARDED }))).toBe("discarded");
    const drained = new RefusedError({ by: "shop", code: "DRAINING" });
    expect(kindOf(ending({ status: "cancelled", error: drained }))).toBe("draining");
  });
});

describe("the status of a failure", () => {
  it.each([
    ["503", new UpstreamError("OVERLOADED", "busy", { status: 503 })],
    ["429", Object.assign(new Error("an SDK's"), { status: 429 })],
    ["", new UpstreamError("CONNECTION", "reset")],
    ["", Object.assign(new Error("x"), { status: 1_000_000 })],
    ["", Object.assign(new Error("x"), { status: 503.5 })],
    ["", Object.assign(new Error("x"), { status: "sk-secret" })],
    ["", "a text"],
    ["", undefined],
  ])("is %j", (status, error) => {
    expect(httpStatusOf(ending({ error }))).toBe(status);
  });
});
