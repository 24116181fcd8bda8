import type { Policy, Runtime } from "@breakwater/core";
import { bulkhead, circuitBreaker, retry, timeout } from "@breakwater/core";
import { deepseekFetch } from "@breakwater/deepseek";
import { breakwaterMiddleware } from "@breakwater/deepseek/ai-sdk";
import { type ChatRequest, type FaultRule, type Simulator, startSimulator } from "@breakwater/simulator";

import type { Connection, Sdk } from "./sdks/sdk.ts";

/** A DeepSeek in this process, a hundred times as fast, and a way to it that remembers what was asked. */
export interface Rig {
  readonly simulator: Simulator;
  /** Through Breakwater, or past it. */
  connect(options?: Partial<Connection> & { readonly direct?: boolean }): Connection;
  /** The bodies that the SDK has sent so far, its retries included. */
  readonly asked: readonly ChatRequest[];
  /** Calls that came to Breakwater. */
  calls(): number;
  /** Attempts that the simulator saw and that have ended. */
  attempts(): number;
  /** Calls that hold something at this moment. */
  inFlight(): number;
  close(): Promise<void>;
}

export interface RigOptions {
  readonly faults?: readonly FaultRule[];
  readonly policies?: readonly Policy[];
  readonly runtime?: Runtime;
  readonly timeScale?: number;
  /** @default "fetch" */
  readonly through?: Sdk["through"];
}

/** Three attempts, one right after the other; and something to be in the way of, and to be given back to. */
export function threeAttempts(): readonly Policy[] {
  return [
    retry({ attempts: 3, delay: () => 1 }),
    circuitBreaker({ failureRate: 0.9, minimumCalls: 20 }),
    bulkhead({ concurrency: 1, queue: 0 }),
    timeout({ firstToken: "60s", idle: "30s" }),
  ];
}

export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const { faults = [], policies = threeAttempts(), runtime, timeScale = 0.01, through = "fetch" } = options;
  const simulator = await startSimulator({
    timeScale,
    faults,
    text: { contentMedian: 12, reasoningMedian: 8, sigma: 0 },
  });
  const settings = { policies, ...(runtime !== undefined && { runtime }) };
  const fetch = deepseekFetch(settings);
  const middleware = breakwaterMiddleware(settings);
  const inFetch = through === "fetch";
  let calls = 0;
  for (const breakwater of [fetch, middleware]) {
    breakwater.on(({ type }) => {
      if (type === "call-start") calls++;
    });
  }
  const asked: ChatRequest[] = [];
  const remembering =
    (to: typeof globalThis.fetch): typeof globalThis.fetch =>
    (input, init) => {
      if (typeof init?.body === "string") asked.push(JSON.parse(init.body) as ChatRequest);
      return to(input, init);
    };
  return {
    simulator,
    asked,
    connect: ({ direct = false, ...connection } = {}) => ({
      url: simulator.url,
      key: simulator.key,
      fetch: remembering(direct || !inFetch ? globalThis.fetch : fetch),
      ...(!direct && !inFetch && { middleware }),
      ...connection,
    }),
    calls: () => calls,
    attempts: () => simulator.attempts().length,
    inFlight: () =>
      [...fetch.snapshot(), middleware.snapshot()].reduce((sum, each) => sum + each.inFlight, 0),
    async close() {
      await simulator.close();
      await Promise.all([fetch.close(), middleware.close()]);
    },
  };
}
