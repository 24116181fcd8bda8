import { type Runtime, systemRuntime } from "@breakwater/core";

import type { Results } from "./results.ts";
import type { Text } from "./texts.ts";
import type { Verdict } from "./verdict.ts";

export interface BatchOptions {
  readonly texts: AsyncIterable<Text>;
  readonly classify: (text: string) => Promise<Verdict>;
  readonly results: Pick<Results, "has" | "write">;
  /** Texts that are taken from the source at once: a few more than may be in flight, so that some can wait for a retry. */
  readonly underWay: number;
  /** Aborted, it takes no further text and waits for those that are being asked. */
  readonly signal: AbortSignal;
  /** Without an answer for so long it gives up. @default 900_000: 15 minutes */
  readonly patienceMs?: number;
  /** Time and chance, for tests. */
  readonly runtime?: Runtime;
}

/** A text that came to nothing. */
interface Skipped {
  readonly n: number;
  readonly why: string;
}

export interface Standing {
  written: number;
  /** How many were skipped; `first` has some of them. */
  skipped: number;
  readonly first: Skipped[];
  /** Why nobody asks at the moment, and until when, on the clock of the runtime. */
  waiting: { readonly why: string; readonly until: number } | undefined;
}

export interface Batch {
  /** How it stands at this moment. */
  readonly standing: Readonly<Standing>;
  /** Resolves when it is over, with the reason if that was before the last text. */
  readonly over: Promise<string | undefined>;
}

/** How often one text is asked about while others are answered. */
const MOST_ROUNDS = 5;
/** So many skipped in a row are not the texts' fault. */
const SKIPPED_IN_A_ROW = 10;
/** Of those that are skipped, so many are told. */
const TOLD = 10;
/** A breaker that lets its probe through refuses the others without a wait: they do not ask again at once. */
const SHORTEST_WAIT_MS = 250;

/**
 * Classifies every text that has no result yet, and writes each result as it comes. A text is in the results once, or,
 * when it was skipped or the batch ended early, not at all: the next run asks about it again.
 */
export function startBatch(options: BatchOptions): Batch {
  const { classify, patienceMs = 900_000, results, runtime = systemRuntime(), signal, underWay } = options;
  const source = options.texts[Symbol.asyncIterator]();
  const standing: Standing = { written: 0, skipped: 0, first: [], waiting: undefined };
  const sleepers = new Set<() => void>();
  let stopped: string | undefined;
  let openAt = 0;
  let answeredAt = runtime.now();
  let skippedInARow = 0;

  function stop(why: string): void {
    stopped ??= why;
    for (const wake of sleepers) wake();
  }

  function sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        sleepers.delete(wake);
        resolve();
      };
      const cancel = runtime.setTimer(ms, wake);
      sleepers.add(wake);
    });
  }

  /** Nobody asks while it is known that there is no answer. */
  async function pause(): Promise<void> {
    while (stopped === undefined && openAt > runtime.now()) await sleep(openAt - runtime.now());
    standing.waiting = undefined;
  }

  async function nextText(): Promise<Text | undefined> {
    while (stopped === undefined) {
      const { done, value } = await source.next();
      if (done === true) return undefined;
      if (!results.has(value)) return value;
    }
    return undefined;
  }

  function skip(n: number, why: string): void {
    standing.skipped++;
    if (standing.first.length < TOLD) standing.first.push({ n, why });
    if (++skippedInARow === SKIPPED_IN_A_ROW)
      stop(`${SKIPPED_IN_A_ROW} texts in a row came to nothing, the last one because: ${why}`);
  }

  async function wait({ all, ms, why }: Extract<Verdict, { readonly next: "wait" }>): Promise<void> {
    const now = runtime.now();
    const until = now + Math.max(ms, SHORTEST_WAIT_MS);
    if (until - answeredAt > patienceMs) {
      stop(`${why}, for ${Math.round((now - answeredAt) / 60_000)} minutes now. Try it later`);
    } else if (all) {
      openAt = Math.max(openAt, until);
      standing.waiting = { why, until: openAt };
    } else await sleep(until - now);
  }

  /** Asks until something came of it. */
  async function settle({ n, text }: Text): Promise<void> {
    for (let round = 1; ; round++) {
      await pause();
      if (stopped !== undefined) return;
      const verdict = await classify(text);
      switch (verdict.next) {
        case "write":
          await results.write({ n, text, label: verdict.label });
          standing.written++;
          skippedInARow = 0;
          answeredAt = runtime.now();
          return;
        case "skip":
          return skip(n, verdict.why);
        case "stop":
          return stop(verdict.why);
        case "leave":
          return;
        case "wait":
          if (!verdict.asked) round--;
          else if (round === MOST_ROUNDS) return skip(n, verdict.why);
          await wait(verdict);
      }
    }
  }

  async function work(): Promise<void> {
    for (let text = await nextText(); text !== undefined; text = await nextText()) await settle(text);
  }

  async function run(): Promise<string | undefined> {
    const interrupted = (): void => stop("Interrupted");
    if (signal.aborted) interrupted();
    signal.addEventListener("abort", interrupted);
    // One that throws (a disk is full) ends the batch, but not before the others have written what they have.
    const workers = Array.from({ length: underWay }, () =>
      work().catch((error: unknown) => {
        stop("An error");
        throw error;
      }),
    );
    const ends = await Promise.allSettled(workers);
    signal.removeEventListener("abort", interrupted);
    await source.return?.();
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    return stopped;
  }

  return { standing, over: run() };
}
