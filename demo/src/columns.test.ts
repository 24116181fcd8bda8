import { startSimulator, verifyText } from "@breakwater/simulator";
import { Agent } from "undici";
import { describe, expect, test } from "vitest";

import { arrivalsOf } from "./arrivals.ts";
import { browse, type CallRecord } from "./browser.ts";
import { serveColumn } from "./column-server.ts";
import { type ColumnName, columns, compared } from "./columns/index.ts";
import { evenings, TEXT } from "./evening.ts";
import { fateOf } from "./fate.ts";

// DeepSeek runs fast here and the columns at their own pace: what they wait for by themselves is not tried.
const SPEED = 0.01;

async function ask(column: ColumnName, fault?: string, cutOffMs = 10_000): Promise<readonly CallRecord[]> {
  const faults = fault === undefined ? [] : [{ action: fault }];
  const settings = { seed: 1, timeScale: SPEED, text: TEXT, faults, capacity: { slots: 32 } };
  const [simulator, second] = await Promise.all([
    startSimulator(settings),
    startSimulator({ seed: 1, timeScale: SPEED, text: TEXT }),
  ]);
  const server = await serveColumn(columns[column].create(simulator, second));
  const dispatcher = new Agent();
  const began = performance.now();
  const now = (): number => performance.now() - began;
  const browser = {
    url: `http://127.0.0.1:${server.port}/chat`,
    dispatcher,
    now,
    timeScale: 1,
    cutOffMs,
    verify: (request, received) => verifyText(request, received, { ...TEXT, seed: 1 }),
  } satisfies Parameters<typeof browse>[1];
  try {
    const arrivals = arrivalsOf({ seed: 1, users: 6, durationMs: evenings.light.durationMs });
    return await Promise.all(arrivals.map((arrival) => browse(arrival, browser)));
  } finally {
    await dispatcher.destroy();
    server.close();
    await Promise.all([simulator.close(), second.close()]);
  }
}

const fates = (calls: readonly CallRecord[]): string[] => [...new Set(calls.map(fateOf))];

describe.each(compared)("%s over real sockets", (column) => {
  test("brings whole answers from a healthy host", async () => {
    const calls = await ask(column);
    expect(calls).toHaveLength(6);
    expect(fates(calls)).toEqual(["correct"]);
    for (const { firstTokenMs } of calls) expect(firstTokenMs).toBeGreaterThan(0);
  });

  test("a stream that is cut is a success to those who do not look for its end, else an error", async () => {
    const ours = column.startsWith("breakwater");
    expect(fates(await ask(column, "truncate_clean;tokens=5"))).toEqual([ours ? "error" : "cut"]);
  });

  test("a user who waits for a stalled stream leaves", async () => {
    expect(fates(await ask(column, "stall_after;tokens=5", 200))).toEqual(["hung"]);
  });
});
