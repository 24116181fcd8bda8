import { connect } from "./client.ts";
import { load } from "./load.ts";
import { watch } from "./server.ts";
import { setUp } from "./set-up.ts";
import type { RedisSubject } from "./subject.ts";

export interface RedisJob {
  readonly side: string;
  readonly url: string;
  /** Of the server itself, where the way to it is long. */
  readonly adminUrl: string;
  readonly inFlight: readonly number[];
  readonly ms: number;
}

/** One side with so many calls under way, for so long. */
export interface Sample {
  readonly inFlight: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** µs of CPU for each call: here, in Redis, and of that in scripts. */
  readonly client: number;
  readonly server: number;
  readonly scripts: number;
  /** Messages to Redis for each call. */
  readonly trips: number;
}

/** Until it runs optimised. By calls rather than by time: on a busy machine time passes without any. */
const WARM_UP = { calls: 6_000, inFlight: 64, stepMs: 100, atMostMs: 1_500 } as const;

async function warmUp(subject: RedisSubject): Promise<void> {
  const { stepMs, inFlight, atMostMs } = WARM_UP;
  for (let calls = 0, ms = 0; calls < WARM_UP.calls && ms < atMostMs; ms += stepMs)
    calls += (await load(subject, inFlight, stepMs)).calls;
}

/** Measures one side in this process, which was started for nothing else. */
export async function workOverRedis(argument: string): Promise<readonly Sample[]> {
  const { side, url, adminUrl, inFlight, ms } = JSON.parse(argument) as RedisJob;
  const subject = await setUp(side, url);
  const admin = await connect(adminUrl);
  if (!(await subject.call(0))) throw new Error(`${side} did not admit, or not by Redis.`);
  await warmUp(subject);
  const samples: Sample[] = [];
  for (const lanes of inFlight) {
    const served = await watch(admin);
    const { calls, ms: took, p50, p99, cpu } = await load(subject, lanes, ms);
    const { cpu: server, scripts, trips } = await served();
    samples.push({
      inFlight: lanes,
      perSecond: (calls / took) * 1_000,
      p50,
      p99,
      client: cpu / calls,
      server: server / calls,
      scripts: scripts / calls,
      trips: trips / calls,
    });
  }
  if (!(await subject.call(0))) throw new Error(`${side} does not admit any more, or not by Redis.`);
  return samples;
}
