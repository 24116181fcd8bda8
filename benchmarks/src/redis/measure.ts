import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

import { type RedisServer, startProxy } from "@breakwater-internal/redis-server";

import type { Effort } from "../measure.ts";
import { ratios, type Spread, spread } from "../statistics.ts";
import { FAR, NEAR, REDIS_SIDES, type RedisSide } from "./sides.ts";
import type { RedisJob, Sample } from "./worker.ts";

/** One side with so many calls under way, over the rounds. */
export interface RedisMeasured {
  readonly side: string;
  readonly label: string;
  readonly inFlight: number;
  readonly perSecond: Spread;
  readonly p50: Spread;
  readonly p99: Spread;
  readonly client: Spread;
  readonly server: Spread;
  readonly scripts: Spread;
  readonly trips: Spread;
  /** Times as long for each call as the first side takes, and as much CPU here and in Redis, round by round. */
  readonly times: Spread;
  readonly timesClient: Spread;
  readonly timesServer: Spread;
}

export interface RedisResults {
  readonly version: string;
  readonly near: readonly RedisMeasured[];
  /** Over a network with a round trip of `rttMs`. */
  readonly far: readonly RedisMeasured[];
  readonly rttMs: number;
}

/** On top of what timers round up, which is told as measured by the first side. */
const RTT_MS = 1;

/**
 * As `measure`: every side in a process of its own in every round, and each round begins with another side. All on one
 * server, since it is its CPU that is shared out, and empty for each.
 */
export async function measureRedis(
  server: RedisServer,
  effort: Effort,
  say: (what: string) => void,
): Promise<RedisResults> {
  say("over Redis");
  const near = await measureOver(server, server.url, REDIS_SIDES, NEAR, effort);
  const proxy = await startProxy(server.port);
  proxy.latency(RTT_MS);
  say(`over Redis, ${RTT_MS} ms away`);
  const sides = REDIS_SIDES.filter(({ far }) => far);
  const far = await measureOver(server, proxy.url, sides, FAR, effort);
  await proxy.close();
  return { version: server.version, near, far, rttMs: RTT_MS };
}

async function measureOver(
  server: RedisServer,
  url: string,
  sides: readonly RedisSide[],
  inFlight: readonly number[],
  { rounds, ms }: Effort,
): Promise<readonly RedisMeasured[]> {
  const samples = sides.map((): (readonly Sample[])[] => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < sides.length; turn++) {
      const at = (round + turn) % sides.length;
      await server.cli("FLUSHALL");
      const job = { side: (sides[at] as RedisSide).name, url, adminUrl: server.url, inFlight, ms };
      samples[at]?.push(await inProcess(job));
    }
  }
  return sides.flatMap((side, at) =>
    inFlight.map((lanes, which): RedisMeasured => {
      const own = figures(samples[at], which);
      const first = figures(samples[0], which);
      return {
        side: side.name,
        label: side.label,
        inFlight: lanes,
        perSecond: spread(own("perSecond")),
        p50: spread(own("p50")),
        p99: spread(own("p99")),
        client: spread(own("client")),
        server: spread(own("server")),
        scripts: spread(own("scripts")),
        trips: spread(own("trips")),
        times: spread(ratios(first("perSecond"), own("perSecond"))),
        timesClient: spread(ratios(own("client"), first("client"))),
        timesServer: spread(ratios(own("server"), first("server"))),
      };
    }),
  );
}

const figures =
  (rounds: readonly (readonly Sample[])[] = [], which: number) =>
  (name: keyof Sample): readonly number[] =>
    rounds.map((samples) => samples[which]?.[name] ?? Number.NaN);

/** Not by `spawnSync`: this process is the network meanwhile. */
async function inProcess(job: RedisJob): Promise<readonly Sample[]> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const args = [process.argv[1] ?? "", "--redis-worker", JSON.stringify(job)];
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const [out, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  if (code !== 0) throw new Error(`${job.side} over Redis could not be measured.\n${errors}`);
  return JSON.parse(out) as readonly Sample[];
}
