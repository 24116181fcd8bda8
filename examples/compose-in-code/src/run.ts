import { stat } from "node:fs/promises";

import type { Arguments } from "./arguments.ts";
import { startBatch } from "./batch.ts";
import { createClassifier } from "./classify.ts";
import { showProgress, watch } from "./progress.ts";
import { openResults } from "./results.ts";
import { count, makeTexts, readTexts, type Text } from "./texts.ts";
import { UsageError } from "./usage-error.ts";

const MADE_UP = 1_000;
/** How long calls in flight may take after Ctrl-C. */
const PATIENCE_MS = 30_000;

export interface RunOptions extends Omit<Arguments, "help"> {
  readonly apiKey: string;
  readonly baseURL: string | undefined;
  /** Aborted, it finishes what it has begun. */
  readonly signal: AbortSignal;
}

/** @returns whether every text has its result. */
export async function run({
  apiKey,
  baseURL,
  limits,
  model,
  out,
  signal,
  texts,
}: RunOptions): Promise<boolean> {
  if (texts !== undefined) await checkFile(texts);
  const all = (): AsyncIterable<Text> => (texts === undefined ? makeTexts(MADE_UP) : readTexts(texts));
  const total = await count(all());
  if (total === 0) throw new UsageError(`--texts ${texts}: there is no text in it.`);
  const results = await openResults(out);
  const { classify, client, costs } = createClassifier({
    apiKey,
    baseURL,
    limits,
    ...(model !== undefined && { model }),
  });

  const batch = startBatch({
    texts: all(),
    classify,
    results,
    underWay: limits.concurrency * 2,
    signal,
  });
  const progress = showProgress(watch({ client, costs }, batch.standing, total), process.stderr);
  signal.addEventListener("abort", () => {
    progress.say("No further texts: waiting for those that are being asked. Once more ends it at once.");
    void client.drain({ withinMs: PATIENCE_MS });
  });
  let early: string | undefined;
  try {
    early = await batch.over;
  } finally {
    progress.end();
    await client.close();
    await results.close();
  }

  const { first, found, skipped, written } = batch.standing;
  for (const { n, why } of first) console.log(`Text ${n} has no label: ${why}`);
  if (skipped > first.length) console.log(`… and ${skipped - first.length} more.`);
  const left = total - found - written;
  const sum = costs.total();
  console.log(
    `${written} texts classified in this run, ${found} before; it cost $${sum.usd}, $${sum.wasteUsd} of it for nothing.`,
  );
  console.log(`They are in ${out}.`);
  if (early !== undefined) console.log(`${early}.`);
  if (left > 0)
    console.log(`${left} of ${total} texts are left. To go on, start it again with the same --out.`);
  return left === 0;
}

async function checkFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new UsageError(`--texts ${path}: there is no such file.`);
  if (found.isDirectory())
    throw new UsageError(`--texts ${path}: that is a folder; name a file, one text a line.`);
}
