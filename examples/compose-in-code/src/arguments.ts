import { resolve } from "node:path";
import { parseArgs } from "node:util";

import type { Limits } from "./classify.ts";
import { UsageError } from "./usage-error.ts";

export interface Arguments {
  /** A file of texts; without it they are made up. */
  readonly texts: string | undefined;
  readonly out: string;
  readonly limits: Limits;
  readonly model: string | undefined;
  readonly help: boolean;
}

export const HELP = `Sorts texts by what they are about, within limits, and goes on where it was stopped.

  --texts FILE       one text a line; left out, 1,000 are made up
  --out FILE         where the results are, and go: one JSON object a line (labels.jsonl)
  --concurrency N    requests in flight (16)
  --requests N       requests a second (40)
  --tokens N         tokens a minute (600000)
  --model ID         the model that is asked (the default of the API)

With DEEPSEEK_API_KEY it asks DeepSeek, at DEEPSEEK_BASE_URL if that is set; without, a simulated one.`;

const OPTIONS = {
  texts: { type: "string" },
  out: { type: "string" },
  concurrency: { type: "string", default: "16" },
  requests: { type: "string", default: "40" },
  tokens: { type: "string", default: "600000" },
  model: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

/**
 * @param folder that relative paths start from
 * @throws UsageError that says what was given and what to write.
 */
export function readArguments(args: readonly string[], folder: string): Arguments {
  const { values, positionals } = parse(args);
  if (positionals[0] !== undefined) {
    throw new UsageError(
      `"${positionals[0]}" is no option; for a file of texts write --texts ${positionals[0]}.`,
    );
  }
  const file = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : resolve(folder, path);
  return {
    texts: file(values.texts),
    out: file(values.out) ?? resolve("labels.jsonl"),
    limits: {
      concurrency: countOf("concurrency", values.concurrency, 1_000),
      requestsPerSecond: countOf("requests", values.requests, 10_000),
      tokensPerMinute: countOf("tokens", values.tokens, 1_000_000_000),
    },
    model: values.model,
    help: values.help,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    // Node's first sentence says what is wrong; the others are about options that this script has not.
    const [what] = (error as Error).message.split(/\. |\n/);
    throw new UsageError(`${what?.replace(/\.$/, "")}; --help tells what there is.`);
  }
}

function countOf(name: string, given: string, most: number): number {
  const count = Number(given);
  if (given.trim() !== "" && Number.isInteger(count) && count >= 1 && count <= most) return count;
  throw new UsageError(`--${name}: got "${given}"; write a whole number from 1 to ${most}.`);
}
