import { setTimeout as pause } from "node:timers/promises";

import type { Snapshot } from "@breakwater/core";
import { deepseekFetch } from "@breakwater/deepseek";
import { createTestClock } from "@breakwater/testing";
import OpenAI from "openai";

import { ask, nothing } from "./ask.ts";
import { BASE_URL, startHost, type Strikes, wayTo } from "./host.ts";
import { withLimitsOfNode } from "./limits-of-node.ts";
import type { Row } from "./row.ts";
import { describeSeen, type Fate, fateOf, type Seen } from "./seen.ts";

/** With nothing but its defaults, through `deepseekFetch()` with its defaults, or with `upstreamMode: "stream"`. */
export type How = "alone" | "through" | "as-stream";

/** Longer than any clock but the last of the recommended ones, which is for answers that make progress. */
const PATIENCE_MS = 20 * 60_000;
const STEP_MS = 250;

/** Of the bulkheads and their queues. */
function permitsOf({ policies }: Snapshot): number {
  const counts = policies
    .filter(({ kind }) => kind === "adaptive" || kind === "bulkhead")
    .map(({ state }) => state as Readonly<Record<"active" | "queued", Readonly<Record<string, number>>>>)
    .flatMap(({ active, queued }) => [...Object.values(active), ...Object.values(queued)]);
  return counts.reduce((sum, count) => sum + count, 0);
}

/**
 * Lets the official SDK ask a host of its own, over sockets and in virtual time, and says what its caller saw. So a slow
 * machine sees the same as a fast one, and ten minutes take none.
 */
export async function see(row: Row, stream: boolean, strikes: Strikes, how: How): Promise<Seen> {
  const simulator = await startHost(row, strikes);
  const clock = createTestClock();
  const way = wayTo(simulator);
  const breakwater = deepseekFetch({
    runtime: clock,
    fetch: way.fetch,
    ...(how === "as-stream" && { upstreamMode: "stream" }),
  });
  const openai = new OpenAI({
    apiKey: simulator.key,
    baseURL: BASE_URL,
    logLevel: "off",
    ...(how === "alone"
      ? { fetch: withLimitsOfNode(way.fetch, clock) }
      : { fetch: breakwater, maxRetries: 0 }),
  });
  const leave = new AbortController();

  async function pass(): Promise<void> {
    await simulator.advance(STEP_MS);
    await clock.advance(STEP_MS);
  }

  /** Lets time pass for both sides until it has ended, or patience has. */
  async function end(fate: Fate): Promise<void> {
    const last = clock.now() + PATIENCE_MS;
    while (fate.ended === undefined && clock.now() < last) {
      // The SDK waits before it asks again, in real time: nothing is open meanwhile, and nobody hangs.
      if (how === "alone" && simulator.state().open === 0) await pause(1);
      else await pass();
    }
  }

  try {
    if (row.second) {
      await end(fateOf(ask(openai, row, stream, nothing(), leave.signal)));
      await pass(); // the connection lies idle
    }
    const chatsBefore = way.chats();
    const startedAt = clock.now();
    const received = nothing();
    const fate = fateOf(ask(openai, row, stream, received, leave.signal));
    await end(fate);
    const ms = clock.now() - startedAt;
    const ended: Fate = { ...fate };
    // What is given back with the last word; and a simulator learns a moment later that somebody has left.
    for (let turn = 0; turn < 20; turn++) await pass();
    const clients = breakwater.snapshot();
    const held = {
      calls: clients.reduce((sum, { inFlight }) => sum + inFlight, 0),
      permits: clients.reduce((sum, client) => sum + permitsOf(client), 0),
      connections: simulator.state().open,
      timers: clock.pending,
    };
    return describeSeen(row, simulator, ended, received, { requests: way.chats() - chatsBefore, ms, held });
  } finally {
    leave.abort();
    const closed = fateOf(breakwater.close());
    while (closed.ended === undefined) await pass();
    await simulator.close();
  }
}
