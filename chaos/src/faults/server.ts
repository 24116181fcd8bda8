import { setTimeout as pause } from "node:timers/promises";

import { now } from "../events.ts";
import { heldAt, permitMeasure, rateMeasure } from "../measures.ts";
import { type Fault, LEASE_MS, PERMITS, RATE, rowsOf, usedAtTheEnd } from "./fault.ts";

const flushed: Fault = {
  name: "script-flush",
  injected: "SCRIPT FLUSH again and again for 4 s",
  async run(stage) {
    const redis = await stage.redis();
    const fleet = await stage.fleet({ url: redis.url, leaseMs: LEASE_MS, loads: [PERMITS, RATE] });
    const end = now() + 4_000_000;
    while (now() < end) {
      await redis.cli("SCRIPT", "FLUSH");
      await pause(2);
    }
    return rowsOf(flushed, {
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

const stepped: Fault = {
  name: "clock-stepped",
  injected: "Redis's clock set forward by an hour, back by two, and right again",
  async run(stage) {
    const redis = await stage.redis({ faketime: true });
    const fleet = await stage.fleet({ url: redis.url, leaseMs: LEASE_MS, loads: [PERMITS, RATE] });
    const forward: number[] = [];
    for (const offset of ["+1h", "-1h", "+0"]) {
      await pause(2_000);
      if (offset !== "-1h") forward.push(now());
      await redis.setClock(offset);
    }
    await pause(3_000);
    return rowsOf(stepped, {
      fleet,
      redis,
      check: (history) => usedAtTheEnd(history, RATE),
      tell(history) {
        const more = Math.max(...forward.map((at) => heldAt(history, PERMITS, at)));
        return [
          {
            as: "",
            measured: rateMeasure(history, RATE, {
              bursts: 2,
              because: "an hour ahead every bucket is full, twice",
            }),
          },
          {
            as: "-permits",
            measured: permitMeasure(history, PERMITS, {
              more,
              because: "what was out at a step: an hour ahead every lease is over",
            }),
          },
        ];
      },
    });
  },
};

export const server: readonly Fault[] = [flushed, stepped];
