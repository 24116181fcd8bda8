import { type BreakwaterEvent, type PolicySnapshot, type Runtime, systemRuntime } from "@breakwater/core";
import { Presets, SingleBar } from "cli-progress";

import type { Standing } from "./batch.ts";
import type { Classifier } from "./classify.ts";

/** What is shown at a moment. */
export interface Shown {
  readonly done: number;
  readonly total: number;
  /** Requests on their way. */
  readonly inFlight: number;
  readonly retries: number;
  readonly tokens: number;
  readonly usd: string;
  /** What holds it up, if anything does. */
  readonly waiting: string | undefined;
}

/** Looks at a batch and at the client under it. */
export function watch(
  { client, costs }: Pick<Classifier, "client" | "costs">,
  standing: Readonly<Standing>,
  { found, total }: { readonly found: number; readonly total: number },
  runtime: Pick<Runtime, "now"> = systemRuntime(),
): () => Shown {
  let retries = 0;
  const backingOff = new Set<string>();
  client.on((event: BreakwaterEvent) => {
    if (event.callId === undefined) return;
    if (event.type === "retry-wait") {
      retries++;
      backingOff.add(event.callId);
    } else if (event.type === "attempt-start" || event.type === "call-end") backingOff.delete(event.callId);
  });

  return () => {
    const { policies } = client.snapshot();
    // Who waits for the rate limit has a permit already, and is not on the way yet.
    const limited = sumOf(policies, "rate-limit", "queued");
    const { hit, miss, completion, nanoUsd } = costs.total();
    return {
      done: found + standing.written,
      total,
      inFlight: sumOf(policies, "bulkhead", "active") - limited,
      retries,
      tokens: hit + miss + completion,
      usd: (Number(nanoUsd) / 1e9).toFixed(4),
      waiting: pauseOf(standing, runtime.now()) ?? reason(limited, backingOff.size),
    };
  };
}

function pauseOf({ waiting }: Readonly<Standing>, now: number): string | undefined {
  if (waiting === undefined) return undefined;
  return `${waiting.why}, next try in ${Math.max(0, Math.ceil((waiting.until - now) / 1_000))} s`;
}

function reason(limited: number, backingOff: number): string | undefined {
  if (limited > 0) return "the rate limit";
  if (backingOff > 0) return backingOff === 1 ? "a retry" : `${backingOff} retries`;
  return undefined;
}

/** What a policy counts by key, of all keys together. */
function sumOf(policies: readonly PolicySnapshot[], kind: string, what: string): number {
  const state = policies.find((policy) => policy.kind === kind)?.state as
    | Readonly<Record<string, Readonly<Record<string, number>> | undefined>>
    | undefined;
  return Object.values(state?.[what] ?? {}).reduce((sum, each) => sum + each, 0);
}

/** @param short without what is least missed on a narrow terminal */
export function lineOf(
  { done, total, inFlight, retries, tokens, usd, waiting }: Shown,
  { short = false }: { readonly short?: boolean } = {},
): string {
  const parts = [
    `${done}/${total}`,
    `${inFlight} in flight`,
    `${retries} retries`,
    ...(short ? [] : [`${(tokens / 1_000).toFixed(1)}k tokens`]),
    `$${usd}`,
    ...(waiting === undefined ? [] : [`waiting: ${waiting}`]),
  ];
  return parts.join(" · ");
}

/** Where it is shown: `process.stderr`. */
export type Output = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

export interface Progress {
  /** Says something without getting into its way. */
  say(sentence: string): void;
  /** Shows it a last time. */
  end(): void;
}

/** On a terminal a bar, elsewhere a line every few seconds. */
export function showProgress(look: () => Shown, stream: Output): Progress {
  return stream.isTTY === true ? showBar(look, stream) : showLines(look, stream);
}

const PLAIN_MS = 5_000;

function showLines(look: () => Shown, stream: Output): Progress {
  const write = (line: string): void => void stream.write(`${line}\n`);
  const show = (): void => write(lineOf(look()));
  const timer = setInterval(show, PLAIN_MS);
  return {
    say: write,
    end() {
      clearInterval(timer);
      show();
    },
  };
}

const FRAME_MS = 100;
/** What the longest usual line takes; the bar has what is left. */
const LINE_COLUMNS = 96;
const SHORTEST_BAR = 6;

function showBar(look: () => Shown, stream: Output): Progress {
  const columns = stream.columns ?? 80;
  const short = columns < LINE_COLUMNS + SHORTEST_BAR;
  const barsize = Math.max(SHORTEST_BAR, Math.min(24, columns - LINE_COLUMNS));
  const bar = new SingleBar(
    { stream, format: "{bar} {line}", barsize, hideCursor: true, gracefulExit: false },
    Presets.shades_classic,
  );
  const begin = (): void => bar.start(look().total, look().done, { line: lineOf(look(), { short }) });
  const show = (): void => {
    const shown = look();
    bar.update(shown.done, { line: lineOf(shown, { short }) });
  };
  const stop = (): void => {
    show();
    bar.stop();
  };
  begin();
  const timer = setInterval(show, FRAME_MS);
  // Whatever ends the process, the terminal gets its cursor back.
  process.once("exit", stop);
  return {
    say(sentence) {
      stop();
      stream.write(`${sentence}\n`);
      begin();
    },
    end() {
      clearInterval(timer);
      process.off("exit", stop);
      stop();
    },
  };
}
