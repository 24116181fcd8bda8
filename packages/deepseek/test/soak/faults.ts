import type { FaultRule } from "@breakwater/simulator";

/**
 * A few per cent of everything that can go wrong with a stream, so that nearly every second attempt is hit. Left out
 * are faults that forge a text (repeated or swapped tokens: nobody could notice) and that finish short of it (length).
 */
export const trouble: readonly FaultRule[] = (
  [
    ["503", 0.04],
    ["429_plain", 0.02],
    ["429_balance", 0.01],
    ["500", 0.01],
    ["502_html", 0.01],
    ["reset_before_headers", 0.02],
    ["reset_after_headers", 0.02],
    ["empty_200", 0.02],
    ["keepalive_then_eof", 0.02],
    [{ name: "truncate_clean", tokens: [0, 20] }, 0.04],
    [{ name: "truncate_chunked", tokens: [0, 20] }, 0.03],
    [{ name: "reset_mid_stream", tokens: [0, 20] }, 0.04],
    [{ name: "stall_after", tokens: [0, 20] }, 0.03],
    [{ name: "isr", tokens: [0, 20] }, 0.03],
    ["garbage_then_eof", 0.02],
    ["malformed_event", 0.02],
    [{ name: "error_event", tokens: [0, 20] }, 0.03],
    ["no_done", 0.02],
    ["done_no_finish", 0.02],
    ["json_instead_of_sse", 0.01],
    ["wrong_content_type", 0.01],
    ["usage_missing", 0.01],
    ["model_swap", 0.01],
    [{ name: "slow_first_token", ms: 2_000, keepAlive: true }, 0.03],
  ] as const
).map(([action, probability]): FaultRule => ({ match: { probability }, action }));
