import type { AddressInfo } from "node:net";

import { BreakwaterRegistry } from "@breakwater/nestjs";
import { type Simulator, type SimulatorOptions, startSimulator } from "@breakwater/simulator";
import { onTestFinished, vi } from "vitest";

import { createApp } from "./app.ts";

export interface Open {
  readonly held: Readonly<Record<string, number>>;
  readonly connections: number;
}

export interface Started {
  readonly url: string;
  readonly simulator: Simulator;
  /** Which of the application's clients and pipelines hold how many calls, and DeepSeek's open connections. */
  readonly open: () => Open;
  readonly close: () => Promise<void>;
}

/** The application as main.ts starts it, with a DeepSeek of its own. Both are gone when the test is. */
export async function start(options: SimulatorOptions = {}): Promise<Started> {
  const simulator = await startSimulator({ timeScale: 0.01, ...options });
  onTestFinished(() => simulator.close());
  vi.stubEnv("DEEPSEEK_API_KEY", simulator.key);
  vi.stubEnv("DEEPSEEK_BASE_URL", simulator.url);
  const app = await createApp();
  await app.listen(0, "127.0.0.1");
  onTestFinished(() => {
    app.getHttpServer().closeAllConnections();
    return app.close();
  });
  const registry = app.get(BreakwaterRegistry);
  return {
    url: `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`,
    simulator,
    open: () => ({
      held: Object.fromEntries(
        registry.snapshot().flatMap(({ name, inFlight }) => (inFlight > 0 ? [[name, inFlight]] : [])),
      ),
      connections: simulator.state().open,
    }),
    close: () => app.close(),
  };
}

export const nothing: Open = { held: {}, connections: 0 };
/** While one answer is made. */
export const oneAnswer: Open = { held: { deepseek: 1, chat: 1 }, connections: 1 };
