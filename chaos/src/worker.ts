// A process of a fleet: calls through policies over one shared store, as its loads say, and writes down what happens.
import { openSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

import { bulkhead, circuitBreaker, createPipeline, type Pipeline, rateLimit } from "@breakwater/core";
import { redisStore, type RedisStore } from "@breakwater/redis";

import { type Event, now, written } from "./events.ts";
import { watchStalls } from "./stalls.ts";
import type { Load, Order, Said, WorkerConfig } from "./wire.ts";

/** Of one load. What is more is not asked: a store that lets everybody wait must not hide behind a heap of calls. */
const MOST_IN_FLIGHT = 500;
const PATIENCE_MS = 5_000;

const config = JSON.parse(process.argv[2] ?? "") as WorkerConfig;
const log = openSync(config.log, "a");
const unhandledRejections: string[] = [];
process.on("unhandledRejection", (reason) => unhandledRejections.push(String(reason)));
process.on("disconnect", () => setTimeout(() => process.exit(), PATIENCE_MS).unref());

const say = (said: Said): void => void process.send?.(said);
const write = (event: Event): void => void writeSync(log, written(event));

const store = redisStore({ url: config.url, lease: config.leaseMs, instances: config.instances });
let runs: readonly Run[] = [];
let failing: boolean | undefined;
let ended = false;

process.on("message", (order: Order) => {
  if (order.do === "begin") runs = config.loads.map(start);
  else if (order.do === "block") {
    const until = now() + order.ms * 1_000;
    while (now() < until);
  } else if (order.do === "fail") failing = order.on;
  else void end();
});
watchStalls(write);
await untilReady();
say({ say: "ready" });

async function untilReady(): Promise<void> {
  while (!store.status().up) await pause(10);
}

interface Run {
  readonly name: string;
  readonly stop: () => void;
  readonly inFlight: () => number;
  readonly close: () => Promise<void>;
}

function start(load: Load): Run {
  const pipeline = pipelineOf(load, store);
  const { name } = load;
  let ids = 0;
  let inFlight = 0;
  /** Where the last decision about a call came from. */
  const sources = new Map<string, string>();
  pipeline.on((event) => {
    if (event.type === "store-decide") sources.set(event.callId ?? "", event.source);
    if (event.type === "store-degrade") write({ type: "degrade", load: name, at: now() });
    if (event.type === "store-recover") write({ type: "recover", load: name, at: now() });
  });

  async function call(): Promise<void> {
    if (inFlight >= MOST_IN_FLIGHT) return;
    inFlight++;
    const id = ids++;
    const askedAt = now();
    let begun = false;
    const outcome = await pipeline.outcome(async (context) => {
      begun = true;
      const note = load.kind === "circuit" ? circuitOf(pipeline) : (sources.get(context.call.id) ?? "");
      write({ type: "begin", load: name, id, askedAt, at: now(), note });
      const takes = takesMs(load);
      if (takes > 0) await pause(takes);
      write({ type: "end", load: name, id, at: now() });
      if (load.kind === "circuit" && (failing ?? load.fails)) throw new Error("it is broken");
    });
    inFlight--;
    sources.delete(outcome.meta.callId);
    if (begun) return;
    const code = outcome.status === "refused" ? outcome.refusal.code : outcome.status;
    write({ type: "turned-away", load: name, askedAt, at: now(), code });
  }

  // Processes that begin together must not ask in step.
  let timer: NodeJS.Timeout | undefined;
  const first = setTimeout(
    () => (timer = setInterval(() => void call(), load.everyMs)),
    Math.random() * load.everyMs,
  );
  return {
    name,
    stop() {
      clearTimeout(first);
      clearInterval(timer);
    },
    inFlight: () => inFlight,
    close: () => pipeline.close(),
  };
}

function pipelineOf(load: Load, shared: RedisStore): Pipeline {
  const common = { name: load.name, store: shared };
  switch (load.kind) {
    case "rate": {
      const { limit, perMs, burst } = load;
      return createPipeline(rateLimit({ ...common, limits: { requests: { limit, per: perMs, burst } } }));
    }
    case "permits": {
      const { concurrency, maxWaitMs } = load;
      return createPipeline(bulkhead({ ...common, concurrency, queue: 2, maxWait: maxWaitMs }));
    }
    case "circuit": {
      const { openForMs, probeLeaseMs } = load;
      return createPipeline(
        circuitBreaker({
          ...common,
          window: { calls: 20 },
          minimumCalls: 10,
          openFor: openForMs,
          maxOpenFor: openForMs,
          probeLease: probeLeaseMs,
        }),
      );
    }
  }
}

function takesMs(load: Load): number {
  if (load.kind === "rate") return 0;
  if (load.kind === "circuit") return load.takesMs;
  const [least, most] = load.holdMs;
  return least + Math.random() * (most - least);
}

/** Status and epoch of the circuit, as this process knows it. */
function circuitOf(pipeline: Pipeline): string {
  const [policy] = pipeline.snapshot().policies;
  const circuits = policy?.state as Readonly<Record<string, { status: string; epoch: number }>>;
  const { status, epoch } = circuits[""] ?? { status: "closed", epoch: 0 };
  return `${status} ${epoch}`;
}

async function end(): Promise<void> {
  if (ended) return;
  ended = true;
  for (const run of runs) run.stop();
  const inFlight = (): number => runs.reduce((sum, run) => sum + run.inFlight(), 0);
  const patient = now() + PATIENCE_MS * 1_000;
  while (inFlight() > 0 && now() < patient) await pause(5);
  const unsettled = Object.fromEntries(
    runs.filter((run) => run.inFlight() > 0).map((run) => [run.name, run.inFlight()]),
  );
  await Promise.all(runs.map((run) => run.close()));
  await store.close();
  // Sockets close after they are told to.
  let handles = handlesLeft();
  for (let turns = 0; handles.length > 0 && turns < 100; turns++) {
    await pause(20);
    handles = handlesLeft();
  }
  say({ say: "ended", unsettled, unhandledRejections, handles });
  process.disconnect?.();
}

const handlesLeft = (): string[] =>
  process.getActiveResourcesInfo().filter((name) => /Timeout|Immediate|TCP/.test(name));
