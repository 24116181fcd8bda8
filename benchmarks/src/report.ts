import { readFileSync, writeFileSync } from "node:fs";

import { judge } from "./aims.ts";
import type { Results } from "./page.ts";
import { judgeRedis } from "./redis/aims.ts";
import type { RedisResults } from "./redis/measure.ts";

const FORMAT = 1;

interface Report {
  readonly format: typeof FORMAT;
  /** By major version of Node, since every line is a run of its own. */
  readonly lines: Readonly<Record<string, unknown>>;
}

/** Puts these results into the report, beside those that another line of Node has put there. */
export function writeReport(file: string, results: Results, redis?: RedisResults): void {
  const line = String(Number.parseInt(results.machine.node, 10));
  const lines = {
    ...linesOf(file),
    [line]: {
      ...results,
      aims: judge(results.cases),
      ...(redis !== undefined && { redis: { ...redis, aims: judgeRedis(redis.near) } }),
    },
  };
  const report: Report = { format: FORMAT, lines };
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
}

function linesOf(file: string): Report["lines"] {
  try {
    const report = JSON.parse(readFileSync(file, "utf8")) as Partial<Report>;
    return report.format === FORMAT ? (report.lines ?? {}) : {};
  } catch {
    return {}; // There is none yet.
  }
}
