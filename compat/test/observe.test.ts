import type { FaultAction } from "@breakwater/simulator";
import { describe, expect, test } from "vitest";

import { observe } from "../src/observe.ts";
import { loadSdk, runnable } from "../src/sdks/catalogue.ts";

const WHOLE: readonly [fault: FaultAction, attempts: number][] = [
  ["blank_then_eof", 3],
  ["reset_after_headers", 3],
  ["empty_200", 3],
  ["malformed_json", 3],
  ["empty_content", 3],
  ["isr", 3],
];

/** What breaks off after its first token is asked for once, unless all of it came in one packet: then nobody had seen it. */
const BROKEN: readonly FaultAction[] = [
  "truncate_clean",
  "reset_mid_stream",
  "error_event",
  "garbage_then_eof",
  "stall_after",
];

const NOT_BEGUN: readonly FaultAction[] = ["keepalive_then_eof", "json_instead_of_sse"];

describe.each(runnable)("%s through Breakwater", async (name) => {
  const sdk = await loadSdk(name);

  test.concurrent.each(WHOLE)("whole, %s: retried, then an error", async (fault, attempts) => {
    expect(await observe(sdk, { fault, stream: false })).toMatchObject({
      ended: "threw",
      attempts,
      leaked: 0,
    });
  });

  test.concurrent.each(BROKEN)("streamed, %s: an error", async (fault) => {
    expect(await observe(sdk, { fault, stream: true })).toMatchObject({ ended: "threw", leaked: 0 });
  });

  test.concurrent.each(NOT_BEGUN)("streamed, %s: retried, then an error", async (fault) => {
    expect(await observe(sdk, { fault, stream: true })).toMatchObject({
      ended: "threw",
      attempts: 3,
      leaked: 0,
    });
  });

  test.concurrent.each([false, true])("a minute in the queue is waited for: streamed %s", async (stream) => {
    const fault = { name: "queue_for", ms: 50_000 };
    expect(await observe(sdk, { fault, stream })).toEqual({
      ended: "answered",
      text: "complete",
      finish: "stop",
      attempts: 1,
      leaked: 0,
    });
  });
});
