import {
  BreakwaterError,
  ConfigError,
  RefusedError,
  StoreError,
  TimedOutError,
  UpstreamError,
} from "@breakwater/core";
import { describe, expect, test } from "vitest";

import { problemOfFailure, problemOfRefusal, toProblem } from "./problem.ts";

const upstream = (status?: number, code = "UPSTREAM", retryAfterMs?: number): UpstreamError =>
  new UpstreamError(code, "Your api key sk-secret is wrong", {
    status,
    retryable: status === undefined || status === 429 || status >= 500,
    retryAfterMs,
    body: { prompt: "private" },
  });

/** What openai makes of a response. */
const sdkError = (status: number, headers: Record<string, string>): Error =>
  Object.assign(new Error("sk-secret"), { status, headers: new Headers(headers) });

describe("statuses", () => {
  test.each<[string, unknown, number, string, string | undefined]>([
    [
      "a rate limit",
      new RefusedError({ by: "tenant", code: "RATE_LIMITED", retryAfterMs: 2_001 }),
      429,
      "RATE_LIMITED",
      "3",
    ],
    ["a full bulkhead", new RefusedError({ by: "b", code: "BULKHEAD_FULL" }), 503, "BULKHEAD_FULL", "1"],
    ["a wait in vain", new RefusedError({ by: "b", code: "QUEUE_TIMEOUT" }), 503, "QUEUE_TIMEOUT", "1"],
    [
      "an open circuit",
      new RefusedError({ by: "c", code: "CIRCUIT_OPEN", retryAfterMs: 5_000 }),
      503,
      "CIRCUIT_OPEN",
      "5",
    ],
    ["a shutdown", new RefusedError({ by: "c", code: "DRAINING" }), 503, "DRAINING", "1"],
    [
      "a deadline that is too short",
      new RefusedError({ by: "l", code: "DEADLINE_TOO_SHORT", retryAfterMs: 9 }),
      504,
      "DEADLINE_TOO_SHORT",
      "1",
    ],
    [
      "a guard of the user's",
      new RefusedError({ by: "g", code: "CLOSED_ON_SUNDAYS" }),
      503,
      "CLOSED_ON_SUNDAYS",
      "1",
    ],
    ["a store that is down", new StoreError("redis://user:pass@host is down"), 503, "STORE_UNAVAILABLE", "1"],
    ["a clock of ours", new TimedOutError("firstToken", 60_000), 504, "TIMED_OUT", undefined],
    ["the caller's deadline", new TimedOutError("deadline", 10), 504, "TIMED_OUT", undefined],
    ["an upstream that broke", upstream(500), 502, "UPSTREAM", undefined],
    ["an upstream that asks for patience", upstream(503, "OVERLOADED", 1_500), 502, "OVERLOADED", "2"],
    [
      "an upstream without a status",
      upstream(undefined, "STREAM_TRUNCATED"),
      502,
      "STREAM_TRUNCATED",
      undefined,
    ],
    ["a limit of the upstream's", upstream(429, "RATE_LIMIT", 4_000), 503, "UPSTREAM_BUSY", "4"],
    [
      "a request that was wrong in itself",
      upstream(400, "INVALID_REQUEST"),
      400,
      "INVALID_REQUEST",
      undefined,
    ],
    ["a request that was too large", upstream(413, "TOO_LARGE"), 413, "TOO_LARGE", undefined],
    [
      "a request that could not be processed",
      upstream(422, "INVALID_REQUEST"),
      422,
      "INVALID_REQUEST",
      undefined,
    ],
    ["our key", upstream(401, "KEY_REFUSED"), 502, "UPSTREAM_FAILED", undefined],
    ["our money", upstream(402, "NO_BALANCE"), 502, "UPSTREAM_FAILED", undefined],
    ["our rights", upstream(403, "FORBIDDEN"), 502, "UPSTREAM_FAILED", undefined],
    ["our model", upstream(404, "NO_MODEL"), 502, "UPSTREAM_FAILED", undefined],
    [
      "our configuration",
      new ConfigError("retry: attempts must be a whole number, got NaN"),
      500,
      "CONFIG",
      undefined,
    ],
    ["an error of ours that is new", new BreakwaterError("NEW", "news"), 500, "NEW", undefined],
  ])("%s", (_, error, status, code, retryAfter) => {
    const { problem, headers } = toProblem(error)!;
    expect(problem).toMatchObject({ status, code, type: "about:blank" });
    expect(headers["retry-after"]).toBe(retryAfter);
    expect(headers["x-breakwater-code"]).toBe(code);
  });

  test("a body says what a reader needs and nothing else", () => {
    expect(problemOfRefusal({ by: "tenant", code: "RATE_LIMITED", retryAfterMs: 1_234.5 })).toEqual({
      problem: {
        type: "about:blank",
        title: "Too Many Requests",
        status: 429,
        detail: "Too many requests.",
        code: "RATE_LIMITED",
        retryAfterMs: 1_235,
      },
      headers: { "x-breakwater-code": "RATE_LIMITED", "retry-after": "2", ratelimit: '"tenant";r=0;t=2' },
    });
  });

  test("the name of a limit cannot break the header", () => {
    const { headers } = problemOfRefusal({ by: 'a"b\\c\nd→', code: "RATE_LIMITED", retryAfterMs: 1 });
    expect(headers["ratelimit"]).toBe('"a?b?c?d?";r=0;t=1');
  });

  test("no key, no prompt, no stack", () => {
    for (const status of [undefined, 400, 401, 402, 429, 500]) {
      expect(JSON.stringify(toProblem(upstream(status)))).not.toMatch(/sk-secret|private|\\n\s+at /);
    }
    expect(JSON.stringify(toProblem(new StoreError("redis://user:pass@host")))).not.toMatch(/pass/);
  });
});

describe("a failed outcome", () => {
  test("knows whose fault it was better than the status does", () => {
    expect(problemOfFailure({ error: upstream(400), fault: "caller" })?.problem.status).toBe(400);
    expect(problemOfFailure({ error: upstream(400), fault: "upstream" })?.problem.status).toBe(502);
  });

  test("that will not pass is no business of the browser's, whatever its status", () => {
    const empty = new UpstreamError("QUOTA", "no money", { status: 429, retryable: false });
    expect(problemOfFailure({ error: empty, fault: "upstream" })?.problem).toMatchObject({
      status: 502,
      code: "UPSTREAM_FAILED",
    });
  });

  test("an error of the user's is the user's", () => {
    expect(problemOfFailure({ error: new RangeError("mine"), fault: "caller" })).toBeUndefined();
  });
});

describe("errors inside errors", () => {
  const refusal = new RefusedError({ by: "tenant", code: "RATE_LIMITED", retryAfterMs: 1_000 });

  test("an SDK's connection error has ours as its cause", () => {
    const error = new Error("Connection error.", { cause: new Error("fetch", { cause: refusal }) });
    expect(toProblem(error)?.problem.code).toBe("RATE_LIMITED");
  });

  test("the AI SDK keeps the last of several errors", () => {
    expect(toProblem(Object.assign(new Error("3 attempts"), { lastError: refusal }))?.problem.status).toBe(
      429,
    );
  });

  test.each([
    ["RATE_LIMITED", 429, 429],
    ["CIRCUIT_OPEN", 503, 503],
    ["TIMED_OUT", 504, 504],
    ["CONFIG", 500, 500],
    ["KEY_REFUSED", 401, 502],
    ["INVALID_REQUEST", 400, 400],
    ["SERVER_ERROR", 500, 502],
  ])("a response of our fetch with %s and status %d becomes %d", (code, given, expected) => {
    const error = sdkError(given, { "x-breakwater-code": code, "retry-after": "7" });
    expect(toProblem(error)?.problem.status).toBe(expected);
  });

  test("the time to wait survives, in its finest unit", () => {
    const headers = { "x-breakwater-code": "RATE_LIMITED", "retry-after": "7", "retry-after-ms": "6500" };
    expect(toProblem(sdkError(429, headers))).toMatchObject({
      problem: { retryAfterMs: 6_500 },
      headers: { "retry-after": "7" },
    });
    const plain = Object.assign(new Error("ai"), { statusCode: 429, responseHeaders: headers });
    expect(toProblem(plain)?.problem.retryAfterMs).toBe(6_500);
  });

  test.each([
    ["STREAM_TRUNCATED", 502],
    ["TIMED_OUT", 504],
  ])("what our fetch said in the middle of a stream: %s becomes %d", (code, expected) => {
    const error = Object.assign(new Error("sk-secret"), {
      status: undefined,
      type: "breakwater_error",
      code,
    });
    expect(toProblem(error)?.problem.status).toBe(expected);
  });

  test.each([
    ["a plain error", new Error("mine")],
    ["an SDK's error from elsewhere", sdkError(429, { "retry-after": "7" })],
    ["a code that is none", sdkError(429, { "x-breakwater-code": "<b>" })],
    ["no error at all", undefined],
    ["a string", "RATE_LIMITED"],
  ])("%s is not ours", (_, error) => {
    expect(toProblem(error)).toBeUndefined();
  });

  test("a circle of causes ends", () => {
    const error = new Error("round");
    error.cause = error;
    expect(toProblem(error)).toBeUndefined();
  });
});
