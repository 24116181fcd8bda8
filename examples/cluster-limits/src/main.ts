import { parseArgs } from "node:util";

import { startRedis } from "@breakwater-internal/redis-server";
import { createLogUpdate } from "log-update";

import { LIMITS, PROCESSES } from "./limits.ts";
import { run } from "./run.ts";
import { viewOf } from "./view.ts";

const { values } = parseArgs({ options: { apart: { type: "boolean", default: false } } });
const given = process.env["REDIS_URL"] ?? "";
const own = given === "" ? await startRedis() : undefined;
console.log(
  `${PROCESSES} processes ask one account, which allows ${LIMITS.perSecond} calls a second and ${LIMITS.concurrency} in flight.\n` +
    `After ten seconds one of them is killed. Redis: ${own === undefined ? "yours" : "one of our own"}.\n`,
);

/** Where there is no terminal, a picture every five seconds. */
const PLAIN_SECONDS = 5;
const live = process.stdout.isTTY ? createLogUpdate(process.stdout) : undefined;
let pictures = 0;
const summary = await run({
  redis: own?.url ?? given,
  seconds: 20,
  kill: true,
  apart: values.apart,
  show(seen) {
    if (live !== undefined) live(viewOf(seen));
    else if (seen.seconds >= pictures * PLAIN_SECONDS) {
      pictures++;
      console.log(`${viewOf(seen)}\n`);
    }
  },
});
live?.done();
await own?.stop();

console.log(
  `\n${summary.admitted} calls reached the account: ${summary.worstSecond} in the worst second, where ${LIMITS.perSecond + LIMITS.burst} may,\n` +
    `${summary.mostInFlight} in flight at most, where ${LIMITS.concurrency} may, and ${summary.turnedAway} turned away. In the last quarter,\n` +
    `with one process less, ${summary.lastQuarterPerSecond} a second.`,
);
