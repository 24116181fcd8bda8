import { markdownTable } from "markdown-table";

import type { Machine } from "../machine.ts";
import type { Effort } from "../measure.ts";
import type { Spread } from "../statistics.ts";
import { judgeRedis } from "./aims.ts";
import type { RedisMeasured, RedisResults } from "./measure.ts";
import { REDIS_SIDES } from "./sides.ts";

export function redisPageOf(
  { node, cpus, load, arch, versions }: Machine,
  { version, near, far, rttMs }: RedisResults,
  command: string,
  effort: Effort,
): string {
  const named = ["ioredis", "rate-limiter-flexible", "bottleneck"].map((name) => `${name} ${versions[name]}`);
  const sections = [
    `# Over Redis, Node ${node}`,
    `Breakwater ${versions["breakwater"]}, ${named.join(", ")}; Redis ${version}; ${cpus} vCPU ${arch} under a load of ` +
      `${load.toFixed(1)} to begin with; \`${command}\`; ${effort.rounds} rounds of ${effort.ms} ms. "times" is how many ` +
      `times as long as *${REDIS_SIDES[0].label}* a call takes, "× CPU" how many times its CPU, here and in Redis: the ` +
      "median of the rounds, and of times the range. Client, Redis and scripts are µs of CPU for each call, its end included; " +
      "trips are messages to Redis for each call.",
    "## On this machine",
    table(near),
    `## ${rttMs} ms away`,
    table(far),
    "## Aims",
    aimTable(near),
  ];
  return `${sections.join("\n\n")}\n`;
}

const HEAD = [
  "in flight",
  "side",
  "calls/s",
  "times",
  "p50 ms",
  "p99 ms",
  "client",
  "× CPU",
  "Redis",
  "× CPU",
  "scripts",
  "trips",
];

function table(measured: readonly RedisMeasured[]): string {
  const counts = [...new Set(measured.map(({ inFlight }) => inFlight))];
  const rows = counts.flatMap((count) =>
    measured
      .filter(({ inFlight }) => inFlight === count)
      .map((row, at) => [at === 0 ? String(count) : "", ...cells(row, at === 0)]),
  );
  return markdownTable([HEAD, ...rows], { align: ["r", "l", ...HEAD.slice(2).map(() => "r")] });
}

const cells = (row: RedisMeasured, first: boolean): readonly string[] => [
  row.label,
  String(Math.round(row.perSecond.median)),
  first ? "1" : range(row.times),
  short(row.p50.median),
  short(row.p99.median),
  short(row.client.median),
  first ? "1" : short(row.timesClient.median),
  short(row.server.median),
  first ? "1" : short(row.timesServer.median),
  short(row.scripts.median),
  short(row.trips.median),
];

function aimTable(measured: readonly RedisMeasured[]): string {
  const rows = judgeRedis(measured).map(({ what, measured: of, reached }) => [
    what,
    range(of),
    reached ? "reached" : "not reached",
  ]);
  return markdownTable([["aim, with 64 in flight", "measured", ""], ...rows]);
}

const range = ({ median, min, max }: Spread): string => `${short(median)} (${short(min)} to ${short(max)})`;

const short = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(0));
