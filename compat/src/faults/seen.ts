import type { Simulator } from "@breakwater/simulator";
import OpenAI from "openai";

import { MODEL } from "../sdks/sdk.ts";
import { type Received, requestOf } from "./ask.ts";
import type { Row } from "./row.ts";

/** What became of one call, as its caller saw it. */
export interface Seen {
  /** `hangs`: still open after all patience. */
  readonly ended: "answered" | "threw" | "hangs";
  /** What the caller was given, at the end or before it. */
  readonly text: "complete" | "prefix" | "nothing" | "wrong";
  readonly finish: string | undefined;
  /** Our code of what was thrown, else its class. */
  readonly error: string | undefined;
  readonly usage: boolean;
  /** Whether another model answered than was asked. */
  readonly swapped: boolean;
  /** How often the host was asked. */
  readonly requests: number;
  /** Simulated ms until it ended. */
  readonly ms: number;
  /** What was still held when it was over. */
  readonly held: {
    readonly calls: number;
    /** Taken, or waited for. */
    readonly permits: number;
    readonly connections: number;
    readonly timers: number;
  };
}

/** How a promise ended, once it has. */
export interface Fate {
  ended?: "answered" | "threw" | "hangs";
  error?: unknown;
}

export function fateOf(promise: Promise<void>): Fate {
  const fate: Fate = {};
  promise.then(
    () => Object.assign(fate, { ended: "answered" }),
    (error: unknown) => Object.assign(fate, { ended: "threw", error }),
  );
  return fate;
}

export function describeSeen(
  row: Row,
  simulator: Simulator,
  { ended = "hangs", error }: Fate,
  received: Received,
  more: Pick<Seen, "requests" | "ms" | "held">,
): Seen {
  const { content, finish, model, tools, usage } = received;
  const empty = content === "" && tools.length === 0;
  const options = row.tools ? ({ answer: "tools" } as const) : {};
  return {
    ended,
    text: empty ? "nothing" : simulator.verifyText(requestOf(row), { content, toolCalls: tools }, options),
    finish,
    error: ended === "threw" ? nameOf(error) : undefined,
    usage,
    swapped: model !== undefined && model !== MODEL,
    ...more,
  };
}

/** Our code stands in a header of a response, and in the middle of a stream in the event itself. */
function nameOf(error: unknown): string {
  if (error instanceof OpenAI.APIError) {
    const { code, headers, status } = error as InstanceType<typeof OpenAI.APIError>;
    const ours = headers?.get("x-breakwater-code") ?? (status === undefined ? code : undefined);
    if (typeof ours === "string" && /^[A-Z_]+$/.test(ours)) return ours;
  }
  return error instanceof Error ? error.constructor.name : typeof error;
}
