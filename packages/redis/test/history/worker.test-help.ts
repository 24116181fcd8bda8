import { openSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

import { seeded } from "@breakwater/testing";

import { redisStore } from "../../src/index.ts";
import { recorder } from "./record.test-help.ts";
import { use } from "./workload.test-help.ts";

export interface Work {
  readonly url: string;
  readonly scope: string;
  /** Where it writes down what it does. */
  readonly log: string;
  readonly seed: number;
  /** Those who ask at the same time. */
  readonly users: number;
  /** How often each does something. */
  readonly steps: number;
  readonly windows: boolean;
  /** Kills itself while this operation and perhaps others are under way. */
  readonly killedAt?: number;
}

/** A process of those whose history is recorded. */
const { url, scope, log, seed, users, steps, windows, killedAt } = JSON.parse(
  process.argv[2] ?? "{}",
) as Work;
// Nobody decides alone on a machine that is busy, and no permit lapses.
const store = redisStore({ url, scope, decisionTimeout: "5s", lease: "10m" });
const file = openSync(log, "a");
const recorded = recorder(store, (line) => {
  // At once: what has been written is there when this process is not any more.
  writeSync(file, `${JSON.stringify(line)}\n`);
  if (line.id === killedAt) setImmediate(() => process.kill(process.pid, "SIGKILL"));
});

process.once("disconnect", () => process.exit());
while (!store.status().up) await pause(5);
process.once("message", () => {
  const all = Array.from({ length: users }, (_, i) =>
    use(recorded, steps, { random: seeded(seed * 100 + i), windows }),
  );
  void Promise.all(all).then(async () => {
    await store.close();
    process.disconnect();
  });
});
process.send?.("ready");
