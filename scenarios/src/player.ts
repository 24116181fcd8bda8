// Plays cases in a thread of its own, one after the other, as main.ts asks for them.
import { parentPort } from "node:worker_threads";

import { cases } from "./cases/index.ts";
import { play } from "./play.ts";
import { type ReportRow, rowOf } from "./report.ts";

/** What main.ts sends. */
export interface Order {
  readonly scenario: string;
  readonly seed: number;
}

/** What it is told. */
export interface Told {
  readonly rows: readonly ReportRow[];
  readonly calls: number;
  readonly requests: number;
}

parentPort?.on("message", ({ scenario, seed }: Order) => {
  void (async () => {
    const one = cases.find((each) => each.scenario === scenario);
    if (one === undefined) throw new Error(`there is no case "${scenario}"`);
    const played = await play(one, seed);
    const told: Told = {
      rows: one.figures(played).map((figure) => rowOf(scenario, figure)),
      calls: played.calls.length,
      requests: played.attempts.length,
    };
    parentPort?.postMessage(told); // oxlint-disable-line unicorn/require-post-message-target-origin -- a thread, not a window
  })();
});
