import { setTimeout as pause } from "node:timers/promises";

import type { RedisServer } from "@breakwater-internal/redis-server";

import { now } from "../events.ts";
import { recoveryMs } from "../history.ts";
import { permitMeasure, permitMeasureAway, rateMeasure } from "../measures.ts";
import type { Row } from "../rows.ts";
import type { Stage } from "../stage.ts";
import { type Fault, LEASE_MS, PERMITS, RATE, rowsOf, type Told, usedAtTheEnd } from "./fault.ts";

/** From the return of an empty Redis until all have noticed and learned. µs. */
const LEARNED_US = 2_800_000;
const RECOVERY_BOUND_MS = 1_000;
const CHARGED_LATER = "what was admitted without Redis is charged when it is back";

const killed: Fault = {
  name: "redis-killed",
  injected: "Redis killed, gone for 2.5 s, and back without its state",
  run: (stage) =>
    away(stage, killed, true, async (redis) => {
      await redis.kill();
      await pause(2_500);
      await redis.restart();
    }),
};

const frozen: Fault = {
  name: "redis-frozen",
  injected: "Redis stopped with SIGSTOP for 2.5 s: connections open, no answer",
  run: (stage) =>
    away(stage, frozen, false, async (redis) => {
      redis.freeze();
      await pause(2_500);
      redis.thaw();
    }),
};

const restarted: Fault = {
  name: "redis-restarted-empty",
  injected: "Redis killed and started again at once, empty",
  run: (stage) => away(stage, restarted, true, (redis) => redis.restart()),
};

/** @param forgets whether Redis comes back with nothing, and everybody learns */
async function away(
  stage: Stage,
  fault: Fault,
  forgets: boolean,
  strike: (redis: RedisServer) => Promise<void>,
): Promise<readonly Row[]> {
  const redis = await stage.redis();
  const fleet = await stage.fleet({ url: redis.url, leaseMs: LEASE_MS, loads: [PERMITS, RATE] });
  await pause(2_000);
  const from = now();
  await strike(redis);
  const backAt = now();
  await pause(4_500); // longer than everybody learns
  return rowsOf(fault, {
    fleet,
    redis,
    check: (history) => usedAtTheEnd(history, RATE),
    tell(history): readonly Told[] {
      return [
        {
          as: "",
          measured: rateMeasure(history, RATE, {
            bursts: 1,
            away: { from, to: backAt },
            because: CHARGED_LATER,
          }),
        },
        {
          as: "-permits",
          measured: forgets
            ? permitMeasureAway(history, PERMITS, {
                from,
                to: backAt + LEARNED_US,
                processes: fleet.processes,
              })
            : permitMeasure(history, PERMITS),
        },
        {
          as: "-recovery",
          measured: {
            unit: "ms from Redis's return until the last process is decided by it",
            bound: RECOVERY_BOUND_MS,
            worst: recoveryMs(history, RATE.name, backAt),
          },
        },
      ];
    },
  });
}

const failover: Fault = {
  name: "failover-to-replica",
  injected: "Redis killed in the middle; its replica promoted, the network leads there",
  async run(stage) {
    const master = await stage.redis();
    const replica = await stage.redis({ replicaOf: master });
    const proxy = await stage.proxy(master);
    const fleet = await stage.fleet({ url: proxy.url, leaseMs: LEASE_MS, loads: [PERMITS, RATE] });
    await pause(2_000);
    const from = now();
    await master.kill();
    await pause(300);
    await replica.promote();
    proxy.redirect(replica.port);
    const backAt = now();
    await pause(3_500);
    return rowsOf(failover, {
      fleet,
      redis: replica,
      check: (history) => usedAtTheEnd(history, RATE),
      tell(history) {
        const worst = recoveryMs(history, RATE.name, backAt);
        return [
          {
            as: "",
            measured: rateMeasure(history, RATE, {
              bursts: 1,
              away: { from, to: backAt },
              because: CHARGED_LATER,
            }),
          },
          {
            as: "-permits",
            measured: permitMeasure(history, PERMITS),
          },
          {
            as: "-recovery",
            measured: {
              unit: "ms from the promotion until the last process is decided by it",
              bound: RECOVERY_BOUND_MS,
              worst,
            },
          },
        ];
      },
    });
  },
};

export const redisAway: readonly Fault[] = [killed, restarted, frozen, failover];
