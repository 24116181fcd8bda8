import { stat } from "node:fs/promises";

import type { CostLedger } from "@breakwater/deepseek";

import type { Arguments } from "./arguments.ts";
import { type BatchOptions, type Standing, startBatch } from "./batch.ts";
import { type Classifier, type ClassifierOptions, createClassifier } from "./classify.ts";
import { showProgress, watch } from "./progress.ts";
import { openResults } from "./results.ts";
import { count, makeTexts, readTexts, type Text } from "./texts.ts";
import { UsageError } from "./usage-error.ts";

const MADE_UP = 1_000;
/** How long calls in flight may take after Ctrl-C. */
const PATIENCE_MS = 30_000;

export interface RunOptions extends Omit<Arguments, "help"> {
  /** Says whom to ask, once it is known that there is something to ask. */
  readonly upstream: () => Promise<Pick<ClassifierOptions, "apiKey" | "baseURL">>;
  /** Aborted, it finishes what it has begun. */
  readonly signal: AbortSignal;
}

/**
 * @returns whether every text has its result
 * @throws UsageError before anything is asked
 */
export async function run({ limits, model, out, signal, texts, upstream }: RunOptions): Promise<boolean> {
  if (texts !== undefined) await checkFile(texts);
  const all = (): AsyncIterable<Text> => (texts === undefined ? makeTexts(MADE_UP) : readTexts(texts));
  const total = await count(all());
  if (total === 0) throw new UsageError(`--texts ${texts}: there is no text in it.`);
  const results = await openResults(out);
  try {
    // Results of other texts are found out now, not at text 612.
    let found = 0;
    for await (const text of all()) if (results.has(text)) found++;
    const classifier = createClassifier({
      ...(await upstream()),
      limits,
      ...(model !== undefined && { model }),
    });
    const { early, standing } = await classifyAll(classifier, {
      texts: all(),
      results,
      underWay: limits.concurrency * 2,
      signal,
      found,
      total,
    });
    tell({ ...standing, found }, classifier.costs, out);
    const left = total - found - standing.written;
    if (early !== undefined) console.log(`${early}.`);
    if (left > 0)
      console.log(`${left} of ${total} texts are left. To go on, start it again with the same --out.`);
    return left === 0;
  } finally {
    await results.close();
  }
}

interface Found {
  /** Texts that had their result before. */
  readonly found: number;
  readonly total: number;
}

async function classifyAll(
  { classify, client, costs }: Classifier,
  { found, total, ...options }: Omit<BatchOptions, "classify"> & Found,
): Promise<{ readonly standing: Readonly<Standing>; readonly early: string | undefined }> {
  const { over, standing } = startBatch({ ...options, classify });
  const progress = showProgress(watch({ client, costs }, standing, { found, total }), process.stderr);
  options.signal.addEventListener("abort", () => {
    progress.say("No further texts: waiting for those that are being asked. Once more ends it at once.");
    void client.drain({ withinMs: PATIENCE_MS });
  });
  try {
    return { standing, early: await over };
  } finally {
    progress.end();
    await client.close();
  }
}

function tell(
  { first, found, skipped, written }: Standing & Pick<Found, "found">,
  costs: CostLedger,
  out: string,
): void {
  for (const { n, why } of first) console.log(`Text ${n} has no label: ${why}`);
  if (skipped > first.length) console.log(`… and ${skipped - first.length} more.`);
  const { usd, wasteUsd } = costs.total();
  console.log(
    `${written} texts classified in this run, ${found} before; it cost $${usd}, $${wasteUsd} of it for nothing.`,
  );
  console.log(`They are in ${out}.`);
}

async function checkFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new UsageError(`--texts ${path}: there is no such file.`);
  if (found.isDirectory())
    throw new UsageError(`--texts ${path}: that is a folder; name a file, one text a line.`);
}
