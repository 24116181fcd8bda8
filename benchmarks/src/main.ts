import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { type RedisServer, startRedis } from "@breakwater-internal/redis-server";

import { chosenCases, type Options, readArguments, USAGE } from "./arguments.ts";
import { describeMachine } from "./machine.ts";
import { type Effort, measure, type MeasuredCase } from "./measure.ts";
import { pageOf, type Results } from "./page.ts";
import { measureRedis, type RedisResults } from "./redis/measure.ts";
import { redisPageOf } from "./redis/page.ts";
import { workOverRedis } from "./redis/worker.ts";
import { writeReport } from "./report.ts";
import { work } from "./worker.ts";

const WHOLE: Effort = { rounds: 5, ms: 100 };
const QUICK: Effort = { rounds: 1, ms: 50 };
/** A process that has gone to Redis and back has begun to be fast after a quarter of a second, so fewer and longer ones. */
const WHOLE_REDIS: Effort = { rounds: 4, ms: 300 };
const QUICK_REDIS: Effort = { rounds: 1, ms: 150 };

const args = process.argv.slice(2);
if (args[0] === "--worker") {
  console.log(JSON.stringify(await work(args[1] ?? "")));
  process.exit(0); // A bulkhead that is full for ever would keep it.
}
if (args[0] === "--redis-worker") {
  console.log(JSON.stringify(await workOverRedis(args[1] ?? "")));
  process.exit(0);
}
process.exitCode = await main(args);

async function main(given: readonly string[]): Promise<number> {
  let options: Options | undefined;
  try {
    options = readArguments(given);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (options === undefined) console.log(USAGE);
  else await run(options);
  return 0;
}

async function run(options: Options): Promise<void> {
  const machine = describeMachine();
  const effort = options.quick ? QUICK : WHOLE;
  const cases: MeasuredCase[] = [];
  for (const chosen of chosenCases(options)) {
    process.stderr.write(`Node ${machine.node}: ${chosen.title}\n`);
    cases.push(measure(chosen, effort));
  }
  const results: Results = { machine, command: commandOf(options), effort, cases };
  const line = Number.parseInt(machine.node, 10);
  if (cases.length > 0) show(pageOf(results), `node-${line}`, options);
  const redis = options.cases.length > 0 ? undefined : await overRedis(results, options);
  if (redis !== undefined) {
    const page = redisPageOf(machine, redis.results, results.command, redis.effort);
    show(page, `redis-node-${line}`, options);
  }
  if (options.report !== undefined) writeReport(options.report, results, redis?.results);
}

interface OverRedis {
  readonly results: RedisResults;
  readonly effort: Effort;
}

/** Where there is no Redis to be had, the rest is measured all the same. */
async function overRedis({ machine }: Results, { quick, redis }: Options): Promise<OverRedis | undefined> {
  const effort = quick ? QUICK_REDIS : WHOLE_REDIS;
  let server: RedisServer;
  try {
    server = await startRedis();
  } catch (error) {
    if (redis) throw error;
    process.stderr.write(`Node ${machine.node}: nothing over Redis. ${(error as Error).message}\n`);
    return undefined;
  }
  try {
    const say = (what: string): void => void process.stderr.write(`Node ${machine.node}: ${what}\n`);
    return { results: await measureRedis(server, effort, say), effort };
  } finally {
    await server.stop();
  }
}

/** Without the file names, which are somebody's own. */
function commandOf({ quick, write, cases, redis }: Options): string {
  const flags = [
    ...(redis ? ["--redis"] : []),
    ...(quick ? ["--quick"] : []),
    ...(write ? ["--write"] : []),
    ...cases.map((name) => `--case ${name}`),
  ];
  return ["npm run bench", ...(flags.length > 0 ? ["--", ...flags] : [])].join(" ");
}

function show(page: string, name: string, { write }: Options): void {
  console.log(page);
  if (!write) return;
  const folder = join(dirname(import.meta.dirname), "results");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.md`), page);
}
