import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

import { type Prometheus, startPrometheus } from "@breakwater-internal/prometheus-server";
import { scenarios, type Simulator, startSimulator } from "@breakwater/simulator";
import type { Logger } from "pino";

import { createObserved } from "./app.ts";
import { sendCallers } from "./callers.ts";
import { coarse, quickRules, quickRuntime } from "./quicker.ts";
import { createStory } from "./story.ts";

/** Of this evening one token stands for so many. */
const TOKENS = 8;
const scenario = coarse(scenarios["busy-evening"], TOKENS);
const TEXT = { contentMedian: 180 / TOKENS, reasoningMedian: 220 / TOKENS };
const { durationMs = 300_000, load = { perSecond: 8, streamed: 0.7 } } = scenario;

/** Five minutes of a real server's alerts are four seconds here; see the README. */
const RULES_DIVISOR = 75;
const LOOK_MS = 250;

export interface EveningOptions {
  /** How many seconds a second of the evening takes. */
  readonly scale: number;
  readonly operators: Readonly<Record<string, string>>;
  readonly log: Logger;
  /** Told what happens, line by line. */
  readonly say: (line: string) => void;
  /** Of the server. @default a free one */
  readonly port?: number;
}

export interface Evening {
  readonly url: string;
  readonly simulator: Simulator;
  /** `undefined` where there is none to be had. */
  readonly prometheus: Prometheus | undefined;
  /** Fulfilled when the five minutes have passed and no alert fires any more; calm goes on. */
  readonly over: Promise<void>;
  stop(): Promise<void>;
}

/** A busy evening: DeepSeek, a server that asks it, people who ask the server, and a Prometheus that looks on. */
export async function startEvening(options: EveningOptions): Promise<Evening> {
  const { log, operators, port = 0, say, scale } = options;
  const simulator = await startSimulator({ seed: 7, timeScale: scale, scenario, text: TEXT });
  const { app, close } = createObserved({
    apiKey: simulator.key,
    baseURL: simulator.url,
    operators,
    log,
    runtime: quickRuntime(scale),
  });
  const server = app.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const prometheus = await prometheusFor(address, say);
  // The evening begins when somebody looks on.
  simulator.reset();
  const callers = sendCallers(`http://${address}`, load, scale);

  const stopped = new AbortController();
  const story = createStory(scenario, say);
  async function watch(): Promise<void> {
    for (;;) {
      const { nowMs } = simulator.state();
      const firing = (await prometheus?.alerts())?.filter(({ state }) => state === "firing") ?? [];
      story.look(nowMs, firing);
      if (nowMs >= durationMs && firing.length === 0) return;
      await pause(LOOK_MS, undefined, { signal: stopped.signal });
    }
  }
  const over = watch();
  over.catch(() => undefined);

  return {
    url: `http://${address}`,
    simulator,
    prometheus,
    over,
    async stop() {
      stopped.abort();
      await callers.leave();
      server.close();
      server.closeAllConnections();
      await close();
      await over.catch(() => undefined);
      await prometheus?.stop();
      await simulator.close();
    },
  };
}

/** With the alerts of ops/, in as much less time as the evening takes. */
async function prometheusFor(target: string, say: (line: string) => void): Promise<Prometheus | undefined> {
  const rules = readFileSync(new URL("../../../ops/prometheus/alerts.yml", import.meta.url), "utf8");
  try {
    const prometheus = await startPrometheus({
      config: {
        global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
        rule_files: ["alerts.yml"],
        scrape_configs: [{ job_name: "breakwater", static_configs: [{ targets: [target] }] }],
      },
      files: { "alerts.yml": quickRules(rules, RULES_DIVISOR) },
    });
    // Until its first look it knows of nobody, which is an alert as well.
    await prometheus.until("breakwater_calls_in_flight");
    await prometheus.untilAlert("BreakwaterGone", "inactive");
    return prometheus;
  } catch (error) {
    say(`No Prometheus, and so no alerts: ${(error as Error).message}`);
    return undefined;
  }
}
