// One host on the other side of the socket, in a process of its own.
import { type Attempt, type Scenario, startSimulator } from "@breakwater/simulator";

import { childConfig, serveParent } from "./child.ts";
import { TEXT } from "./evening.ts";
import { type Lag, meterLag } from "./lag.ts";

export interface SimulatorConfig {
  readonly seed: number;
  readonly timeScale: number;
  readonly scenario: Scenario;
}

export interface SimulatorReady {
  readonly url: string;
  readonly key: string;
}

export interface SimulatorFindings {
  readonly attempts: readonly Attempt[];
  readonly lag: Lag;
}

const { seed, timeScale, scenario } = childConfig<SimulatorConfig>();
// Real milliseconds between two writes to a stream: at the usual scale an eighth of a second of the evening, and about
// ten tokens. One machine's processors have to stand for the servers, the clients and DeepSeek.
const simulator = await startSimulator({ seed, timeScale, tickMs: 15, text: TEXT, attemptLogSize: 100_000 });
const lag = meterLag();
const ready: SimulatorReady = { url: simulator.url, key: simulator.key };
serveParent(ready, {
  play() {
    lag.reset();
    simulator.playScenario(scenario);
  },
  finish: (): SimulatorFindings => ({ attempts: simulator.attempts(), lag: lag.read() }),
});
