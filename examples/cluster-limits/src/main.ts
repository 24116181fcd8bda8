import { startRedis } from "@breakwater-internal/redis-server";
import { createLogUpdate } from "log-update";

import { LIMITS } from "./limits.ts";
import { run } from "./run.ts";
import { viewOf } from "./view.ts";

const given = process.env["REDIS_URL"];
const own = given === undefined || given === "" ? await startRedis() : undefined;
const redis = own?.url ?? (given as string);
console.log(`Four processes ask one account, which allows ${LIMITS.perSecond} calls a second and`);
console.log(
  `${LIMITS.concurrency} in flight. After ten seconds one of them is killed. Redis: ${own ? "one of our own" : "yours"}.\n`,
);

const live = process.stdout.isTTY ? createLogUpdate(process.stdout) : undefined;
const summary = await run({
  redis,
  seconds: 20,
  kill: true,
  show(seen) {
    if (live !== undefined) live(viewOf(seen));
    else if (Math.round(seen.seconds * 5) % 25 === 0) console.log(`${viewOf(seen)}\n`);
  },
});
live?.done();
await own?.stop();

console.log(`
${summary.admitted} calls reached the account; in the worst second ${summary.worstSecond} of ${LIMITS.perSecond + LIMITS.burst} that may,
${summary.mostInFlight} of ${LIMITS.concurrency} in flight at most, ${summary.turnedAway} turned away. In the last quarter, with one process less,
${summary.lastQuarterPerSecond} a second.`);
