import type { RedisServer } from "@breakwater-internal/redis-server";
import { circuitBreaker, createPipeline, fallback, timeout } from "@breakwater/core";
import { recommended } from "@breakwater/deepseek";
import { type RedisStore, redisStore } from "@breakwater/redis";
import type { TestClock } from "@breakwater/testing";

import type { Asked, Stage, StageOptions } from "./stage.ts";

/** How a section of the page is tried. */
export interface Drill {
  /** The server that it befalls, and how it is asked. */
  readonly stage?: (world: World) => StageOptions;
  /** Brings it about, after some minutes in which nothing was wrong. */
  begin(stage: Stage, world: World): void | Promise<void>;
  /** How long it lasts before somebody looks. @default 12 */
  readonly minutes?: number;
  /** What is done that is no command of the page: by people, by other machines. */
  readonly others?: (stage: Stage, world: World) => void | Promise<void>;
  /** What a command of the machine does, which the page cannot know and a test must not run. */
  readonly machine?: Readonly<Record<string, (stage: Stage, world: World) => void | Promise<void>>>;
  /** Happens behind the first command, if there are several: the upstream gets well while somebody holds it open. */
  readonly meanwhile?: (stage: Stage) => void;
  /** What must have come to pass before that: something that goes by another clock. */
  readonly until?: (stage: Stage) => boolean;
  /** How long it takes to show that it helped. @default 12 */
  readonly recovery?: number;
}

/** What there is beside the server. */
export interface World {
  readonly redis: RedisServer;
  /** Over that one, in a scope of this drill. */
  readonly store: RedisStore;
}

const nothing = (): void => undefined;
const busy = (probability: number) => ({ match: { probability }, action: "503" as const });
const withSecondHost: NonNullable<StageOptions["client"]> = ({ second }) => ({
  fallback: { apiKey: second.key, baseURL: second.url, fetch: second.fetch },
});

/** A client that is no language model, and how long what it asks takes. */
const database = { takesMs: 50 };

const search = (clock: TestClock): Asked => {
  const searching = createPipeline(
    { name: "search", runtime: clock },
    timeout({ name: "total", total: "10s" }),
    fallback({ value: () => "what was found yesterday" }),
    circuitBreaker({ name: "database" }),
  );
  const find = ({ signal }: { readonly signal: AbortSignal }): Promise<string> =>
    new Promise((resolve, reject) => {
      const cancel = clock.setTimer(database.takesMs, () => resolve("found"));
      signal.addEventListener("abort", () => {
        cancel();
        reject(signal.reason as Error);
      });
    });
  return { managed: searching, ask: () => searching.execute(find) };
};

/** By the anchor of their section. */
export const drills: Readonly<Record<string, Drill>> = {
  gone: {
    begin: (stage) => stage.end(),
    machine: { "systemctl restart chat": (stage) => stage.restart() },
  },

  refused: {
    stage: () => ({
      client: () => ({
        policies: recommended({ rateLimit: { limits: { requests: { limit: 1, per: "1m" } } } }),
      }),
    }),
    begin: () => {},
  },

  errors: {
    stage: () => ({ client: () => ({ policies: recommended({ retry: { attempts: 2 } }) }) }),
    begin: ({ host }) => void host.addFault(busy(0.5)),
  },

  slow: {
    stage: () => ({ instead: search }),
    begin: () => void (database.takesMs = 3_000),
  },

  "first-token": {
    // One answer in four seconds is computed, and a fifth more is asked for.
    stage: () => ({ callsPerSecond: 0.3, simulator: { capacity: { slots: 1, queue: 1_000 } } }),
    begin: ({ host }) => host.configure({ capacity: { prefillMs: 4_000 } }),
    recovery: 30,
  },

  full: {
    stage: () => ({ client: () => ({ policies: recommended({ bulkhead: { concurrency: 2 } }) }) }),
    begin: ({ host }) => host.configure({ capacity: { prefillMs: 8_000 } }),
  },

  "breaker-open": {
    begin: ({ host }) => void host.addFault(busy(1)),
    meanwhile: ({ host }) => host.clearFaults(),
    // It opened again and again: that it flaps is told for half an hour.
    recovery: 45,
  },

  "budget-empty": {
    // A small one, so that a few calls are enough to empty it; and nobody who ends the calls before.
    stage: () => ({
      client: () => ({
        budget: { perSecond: 0.6, ratio: 0, minRatio: 0 },
        policies: recommended({ circuitBreaker: false }),
      }),
    }),
    begin: ({ host }) => void host.addFault(busy(0.9)),
  },

  "store-degraded": {
    stage: ({ redis, store }) => ({
      client: () => ({ policies: recommended({ store }) }),
      // Redis is asked in real time: what it decides is known before more of the other time passes.
      outside: () => redis.cli("PING").then(nothing, nothing),
    }),
    begin: (_, { redis }) => redis.kill(),
    machine: { "systemctl restart redis": (_, { redis }) => redis.restart() },
    until: ({ client }) =>
      client.snapshot().policies.every(({ source }) => source === undefined || source === "store"),
    recovery: 25,
  },

  credit: {
    begin: ({ host }) => host.changeAccount("account-1", { balanceUsd: 0 }),
    others: ({ host }) => host.changeAccount("account-1", { balanceUsd: 10 }),
    recovery: 25,
  },

  draining: {
    stage: () => ({
      callsPerSecond: 0.2,
      simulator: { text: { contentMedian: 200, reasoningMedian: 1, sigma: 0 } },
    }),
    async begin({ client, host, pass }) {
      host.addFault({ action: "slow_drip;gapMs=20000" });
      await pass(1);
      void client.drain({ withinMs: 3_600_000 });
    },
    minutes: 20,
    machine: { 'kill "$SERVER_PID"': (stage) => stage.end("forGood") },
  },

  waste: {
    // Whole answers that break off at their end, of the dearer model.
    stage: () => ({
      callsPerSecond: 0.2,
      streamed: 0,
      model: "deepseek-v4-pro",
      simulator: { text: { contentMedian: 300, reasoningMedian: 5, sigma: 0 } },
      client: withSecondHost,
    }),
    begin: ({ host }) => void host.addFault({ match: { probability: 0.35 }, action: "isr;tokens=300" }),
    minutes: 45,
    // What is told of is the last hour's.
    recovery: 62,
  },
};

/** One of the causes that a section knows, and the query in its sentences that tells it from the others. */
export interface Cause {
  readonly what: string;
  readonly stage?: () => StageOptions;
  begin(stage: Stage): void;
  /** The metric that the query is about. */
  readonly told: string;
}

export const causes: readonly Cause[] = [
  {
    what: "the account is cut, and the limit follows",
    told: "breakwater_limit_changes_total",
    stage: () => ({ simulator: { capacity: { prefillMs: 8_000 } } }),
    begin: ({ host }) => host.changeAccount("account-1", { concurrency: { "deepseek-flash": 2 } }),
  },
  {
    what: "calls wait in our own queue",
    told: "breakwater_queue_wait_seconds_bucket",
    stage: () => ({ client: () => ({ policies: recommended({ bulkhead: { concurrency: 2 } }) }) }),
    begin: ({ host }) => host.configure({ capacity: { prefillMs: 8_000 } }),
  },
  {
    what: "calls wait between their attempts",
    told: "breakwater_retries_total",
    begin: ({ host }) => void host.addFault(busy(0.5)),
  },
  {
    what: "a clock of ours ends them",
    told: "breakwater_clock_expirations_total",
    stage: () => ({ client: () => ({ policies: recommended({ clocks: { firstToken: "2s" } }) }) }),
    begin: ({ host }) => void host.addFault({ action: "slow_first_token;ms=8000" }),
  },
  {
    what: "a key is not taken any more",
    told: "breakwater_key_disabled",
    begin: ({ host }) => void host.addFault({ action: "401" }),
  },
];

export const newStore = (redis: RedisServer, anchor: string): RedisStore =>
  redisStore({ url: redis.url, scope: anchor, lease: "1s" });
