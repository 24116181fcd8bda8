import type { BreakwaterEvent } from "@breakwater/core";
import { createDeepSeek, type DeepSeek, type DeepSeekOptions } from "@breakwater/deepseek";
import {
  type Attempt,
  type Scenario,
  scenarios,
  type ScenarioName,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from "@breakwater/simulator";
import { seeded } from "@breakwater/testing";

import { arrivals } from "./arrivals.ts";
import { type CallRecord, makeCall } from "./call.ts";
import { createWorld } from "./world.ts";

/** What a client is made of in a scenario, beside `createDeepSeek`'s own defaults. */
interface Stage {
  readonly host: Simulator;
  /** A second host that nothing happens to. */
  readonly second: Simulator;
}

export interface Play {
  readonly scenario: ScenarioName;
  /** Options beside the key; none of them: the defaults of `createDeepSeek`. */
  readonly client?: (stage: Stage) => DeepSeekOptions;
  readonly simulator?: SimulatorOptions;
}

/** Everything that was seen. Times are virtual milliseconds since the scenario began. */
export interface Played {
  readonly scenario: Scenario;
  readonly calls: readonly CallRecord[];
  /** Calls that had not come to an end an hour and a half after the last one arrived. */
  readonly hung: number;
  /** Requests for answers that the host got, in the order in which they came. */
  readonly attempts: readonly Attempt[];
  readonly events: readonly BreakwaterEvent[];
  readonly host: Simulator;
  readonly deepseek: DeepSeek;
}

/** Longer than the longest of the recommended clocks, which is an hour. */
const DRAIN_MS = 90 * 60_000;

/** Plays a scenario from its beginning to the end of the last call. */
export async function play({ client, scenario: name, simulator }: Play, seed: number): Promise<Played> {
  const scenario = scenarios[name];
  const { durationMs = 60_000, load = { perSecond: 10, streamed: 0.7 } } = scenario;
  const host = await startSimulator({
    seed,
    clock: "manual",
    scenario,
    attemptLogSize: 100_000,
    ...simulator,
  });
  // The same seed, so that it gives the same answers.
  const second = await startSimulator({ seed, clock: "manual", capacity: { slots: 1_000, queue: 1_000 } });
  try {
    const { clock, advance, until, now } = createWorld([host, second], seed);
    const deepseek = createDeepSeek({
      apiKey: host.key,
      runtime: clock,
      fetch: host.fetch,
      headers: (call) => ({
        "x-breakwater-call-id": call.id,
        ...(load.idPerCall === true && { "x-sim-id": call.id }),
      }),
      ...client?.({ host, second }),
    });
    const events: BreakwaterEvent[] = [];
    deepseek.on((event) => events.push(event));
    const calls: CallRecord[] = [];
    const made: Promise<unknown>[] = [];
    for (const arrival of arrivals(load, durationMs, seeded(seed))) {
      await advance(arrival.at - now());
      made.push(makeCall(arrival, deepseek, host, now).then((record) => calls.push(record)));
    }
    await until(Promise.all(made), DRAIN_MS);
    const attempts = host.attempts().filter(({ path }) => path.endsWith("/completions"));
    return {
      scenario,
      calls,
      hung: made.length - calls.length,
      attempts: attempts.toSorted((a, b) => a.tReceived - b.tReceived),
      events,
      host,
      deepseek,
    };
  } finally {
    await host.close();
    await second.close();
  }
}
