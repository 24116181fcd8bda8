import { refuse } from "../checks.ts";
import { nearest } from "../nearest.ts";
import { isr3pct, keepaliveParser, resume, stall5pct, truncate2pct } from "./canned/broken-streams.ts";
import { busyEvening } from "./canned/busy-evening.ts";
import { calm } from "./canned/calm.ts";
import { balanceDrain, burst503, edgeHtml, storm429 } from "./canned/refusals.ts";
import { coldCacheAffinity, dupPrompts, peakPrice } from "./canned/shared-work.ts";
import { blackHole, brownout1of3, flap } from "./canned/sick-replica.ts";
import { hedgeTail, queue90s, queueWall } from "./canned/waits.ts";
import type { Scenario } from "./scenario.ts";

/** Names of the scenarios that come with the package. */
export type ScenarioName =
  | "calm"
  | "busy-evening"
  | "503-burst"
  | "429-storm"
  | "balance-drain"
  | "edge-html"
  | "stall-5pct"
  | "truncate-2pct"
  | "isr-3pct"
  | "resume"
  | "keepalive-parser"
  | "queue-wall"
  | "queue-90s"
  | "hedge-tail"
  | "brownout-1-of-3"
  | "black-hole"
  | "flap"
  | "dup-prompts"
  | "cold-cache-affinity"
  | "peak-price";

/**
 * The scenarios that come with the package, by name. Plain data: spread one to change it.
 *
 * They say what goes wrong and the load that it is meant for. What a good client makes of it is for whoever plays them
 * to say.
 *
 * @example
 * ```ts
 * import { scenarios, startSimulator } from "@breakwater/simulator";
 *
 * const burst = scenarios["503-burst"];
 * const simulator = await startSimulator({ scenario: { ...burst, concurrency: 50 }, timeScale: 0.1 });
 * burst.load?.perSecond; // => 20
 * await simulator.close();
 * ```
 */
export const scenarios: Readonly<Record<ScenarioName, Scenario>> = {
  calm,
  "busy-evening": busyEvening,
  "503-burst": burst503,
  "429-storm": storm429,
  "balance-drain": balanceDrain,
  "edge-html": edgeHtml,
  "stall-5pct": stall5pct,
  "truncate-2pct": truncate2pct,
  "isr-3pct": isr3pct,
  resume,
  "keepalive-parser": keepaliveParser,
  "queue-wall": queueWall,
  "queue-90s": queue90s,
  "hedge-tail": hedgeTail,
  "brownout-1-of-3": brownout1of3,
  "black-hole": blackHole,
  flap,
  "dup-prompts": dupPrompts,
  "cold-cache-affinity": coldCacheAffinity,
  "peak-price": peakPrice,
};

/** Names that `loadScenario`, the `scenario` option and `--scenario` understand. */
export const scenarioNames: readonly ScenarioName[] = Object.keys(scenarios) as ScenarioName[];

/**
 * The scenario of that name. Throws `SimulatorConfigError` with the names that there are.
 *
 * @example
 * ```ts
 * import { loadScenario, startSimulator } from "@breakwater/simulator";
 *
 * const evening = loadScenario("busy-evening");
 * const simulator = await startSimulator({
 *   scenario: { ...evening, capacity: { ...evening.capacity, slots: 8 } },
 * });
 * await simulator.close();
 * ```
 */
export function loadScenario(name: string): Scenario {
  if (!Object.hasOwn(scenarios, name))
    refuse(
      "scenario",
      name,
      `one of ${scenarioNames.join(", ")}, or a scenario object`,
      `"${nearest(name, scenarioNames)}"`,
    );
  return scenarios[name as ScenarioName];
}
