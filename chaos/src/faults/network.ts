import { setTimeout as pause } from "node:timers/promises";

import type { Proxy } from "@breakwater-internal/redis-server";

import { now } from "../events.ts";
import { permitMeasure, rateMeasure } from "../measures.ts";
import type { Row } from "../rows.ts";
import type { Stage } from "../stage.ts";
import { type Fault, LEASE_MS, PERMITS, RATE, rowsOf, usedAtTheEnd } from "./fault.ts";

const dropped: Fault = {
  name: "replies-dropped",
  injected: "for 2 s Redis does all that it is asked, and every reply is lost",
  run: (stage) =>
    through(stage, dropped, async (proxy) => {
      proxy.dropReplies(true);
      await pause(2_000);
      proxy.dropReplies(false);
    }),
};

const halfOpen: Fault = {
  name: "half-open-connections",
  injected: "for 2 s nothing passes, and nothing is closed",
  run: (stage) =>
    through(stage, halfOpen, async (proxy) => {
      proxy.stall(true);
      await pause(2_000);
      proxy.stall(false);
    }),
};

const cut: Fault = {
  name: "replies-cut",
  injected: "for 2 s, ten times a second, a reply ends in its middle and its connection is reset",
  run: (stage) =>
    through(stage, cut, async (proxy) => {
      for (let i = 0; i < 20; i++) {
        proxy.cutNextReply(5);
        await pause(100);
      }
    }),
};

/** All processes go by their shares together or not at all, but for cut replies: those strike one after the other. */
async function through(
  stage: Stage,
  fault: Fault,
  strike: (proxy: Proxy) => Promise<void>,
): Promise<readonly Row[]> {
  const redis = await stage.redis();
  const proxy = await stage.proxy(redis);
  const fleet = await stage.fleet({ url: proxy.url, leaseMs: LEASE_MS, loads: [PERMITS, RATE] });
  await pause(1_500);
  const from = now();
  await strike(proxy);
  const to = now();
  await pause(3_000);
  return rowsOf(fault, {
    fleet,
    redis,
    check: (history) => usedAtTheEnd(history, RATE),
    tell(history) {
      const because = "what was admitted without Redis is charged when it is back";
      return [
        {
          as: "",
          measured: rateMeasure(history, RATE, {
            bursts: 1,
            ...(fault !== cut && { away: { from, to } }),
            because,
          }),
        },
        {
          as: "-permits",
          measured: permitMeasure(history, PERMITS),
        },
      ];
    },
  });
}

const slow: Fault = {
  name: "one-ms-latency",
  injected: "each reply of Redis takes a millisecond longer",
  async run(stage) {
    const redis = await stage.redis();
    const proxy = await stage.proxy(redis);
    proxy.latency(1);
    const fleet = await stage.fleet({ url: proxy.url, leaseMs: LEASE_MS, loads: [PERMITS, RATE] });
    await pause(5_000);
    return rowsOf(slow, {
      fleet,
      redis,
      check: (history) => usedAtTheEnd(history, RATE),
      tell: (history) => [
        { as: "", measured: rateMeasure(history, RATE) },
        { as: "-permits", measured: permitMeasure(history, PERMITS) },
      ],
    });
  },
};

export const network: readonly Fault[] = [dropped, halfOpen, cut, slow];
