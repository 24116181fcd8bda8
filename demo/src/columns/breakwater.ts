import { RefusedError, TimedOutError, UpstreamError } from "@breakwater/core";
import { createDeepSeek, type DeepSeek, recommended, type RecommendedOptions } from "@breakwater/deepseek";
import { breakwater as context } from "@breakwater/express";

import { bodyOf, type Column, type Complaint, type HostAddress } from "./column.ts";

/** As its first page has it: nothing is set but where and who. */
export function breakwater({ url, key }: HostAddress): Column {
  return columnOf(createDeepSeek({ baseURL: url, apiKey: key }));
}

/** The same with somebody else to ask. */
export function breakwaterSecondHost({ url, key }: HostAddress, second?: HostAddress): Column {
  if (second === undefined) throw new Error("This column needs the address of a second host.");
  const fallback = { host: { name: "second-host", baseURL: second.url }, apiKey: second.key };
  return columnOf(createDeepSeek({ baseURL: url, apiKey: key, fallback }));
}

/** `recommended()` with something left out. */
export const without =
  (left: Pick<RecommendedOptions, "retry" | "circuitBreaker" | "bulkhead" | "timeout" | "clocks">) =>
  ({ url, key }: HostAddress): Column =>
    columnOf(createDeepSeek({ baseURL: url, apiKey: key, policies: recommended(left) }));

function columnOf(deepseek: DeepSeek): Column {
  return {
    // Knows when the browser leaves, so the call below needs no signal.
    use: [context()],
    async *ask(question) {
      for await (const chunk of deepseek.stream(bodyOf(question))) {
        const text = chunk.choices[0]?.delta.content;
        if (text) yield text;
      }
    },
    complain,
  };
}

function complain(error: unknown): Complaint {
  if (RefusedError.isInstance(error)) return { refused: true, kind: error.code };
  if (TimedOutError.isInstance(error)) return { refused: false, kind: CLOCKS[error.clock] ?? error.clock };
  if (UpstreamError.isInstance(error)) {
    return { refused: false, kind: String(error.status ?? ENDINGS[error.code] ?? error.code) };
  }
  return { refused: false, kind: "other" };
}

// Short names, so that the table stays one.
const CLOCKS: Readonly<Record<string, string>> = { idle: "stalled", firstToken: "no first token" };
const ENDINGS: Readonly<Record<string, string>> = {
  STREAM_TRUNCATED: "cut stream",
  TRANSPORT: "connection",
  UPSTREAM_INTERRUPTED: "interrupted",
};
