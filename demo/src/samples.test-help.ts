import type { Attempt } from "@breakwater/simulator";

import type { CallEnd, CallRecord } from "./browser.ts";

export const answered = { end: "answered", verdict: "complete" } as const;
export const cut = { end: "answered", verdict: "prefix" } as const;
export const garbled = { end: "answered", verdict: "wrong" } as const;
export const failed = { end: "complaint", refused: false, kind: "503" } as const;
export const refused = { end: "complaint", refused: true, kind: "CIRCUIT_OPEN" } as const;
export const hung = { end: "hung" } as const;

export function call(id: string, end: CallEnd, tookMs = 2_000, firstTokenMs?: number): CallRecord {
  return {
    id,
    atMs: 1_000,
    endMs: 1_000 + tookMs,
    ...(firstTokenMs !== undefined && { firstTokenMs }),
    ...end,
  };
}

export function attempt(scope: string, outcome: Attempt["outcome"], tokensGenerated: number): Attempt {
  return {
    seq: 1,
    scope,
    replica: "main",
    account: "account-1",
    keyTail: "im-1",
    path: "/chat/completions",
    model: "deepseek-v4-pro",
    stream: true,
    bodySha256: "",
    promptTokens: 10,
    tReceived: 0,
    tEnded: 1,
    keepAlives: 0,
    tokensGenerated,
    tokensWritten: tokensGenerated,
    bytes: 0,
    status: 200,
    outcome,
    cacheHitTokens: 0,
    billedUsd: 0,
    billedNanoUsd: "0",
    tier: "offpeak",
  };
}
