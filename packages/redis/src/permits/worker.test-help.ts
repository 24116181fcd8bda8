import { setTimeout as pause } from "node:timers/promises";

import { bulkhead, createPipeline } from "@breakwater/core";

import { redisStore } from "../store.ts";

/** What one call of a worker says of itself, by a clock that all processes of the machine share. */
export interface Span {
  readonly call: number;
  readonly at: string;
  readonly what: "start" | "end";
}

export interface Work {
  readonly url: string;
  readonly scope: string;
  readonly limit: number;
  readonly lease: number;
}

const CALLS_AT_ONCE = 4;

/** A process that makes one call after the other, until it is told to stop. */
const { limit, ...where } = JSON.parse(process.argv[2] ?? "{}") as Work;
const store = redisStore({ ...where, decisionTimeout: "5s" });
const limited = createPipeline(
  bulkhead({ name: "account", store, concurrency: limit, queue: 100, maxWait: "1m", outage: "closed" }),
);
let stopped = false;
let calls = 0;

const say = (call: number, what: Span["what"]): void =>
  void process.send?.({ call, what, at: String(process.hrtime.bigint()) } satisfies Span);

async function user(): Promise<void> {
  while (!stopped) {
    await limited.execute(async () => {
      const call = calls++;
      say(call, "start");
      await pause(5 + Math.random() * 20);
      say(call, "end");
    });
  }
}

process.once("message", () => void (stopped = true));
process.once("disconnect", () => process.exit());
while (!store.status().up) await pause(5);
await Promise.all(Array.from({ length: CALLS_AT_ONCE }, user));
await store.close();
process.disconnect();
