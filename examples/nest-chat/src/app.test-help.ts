import type { AddressInfo } from "node:net";

import { BreakwaterRegistry } from "@breakwater/nestjs";
import { type Simulator, type SimulatorOptions, startSimulator } from "@breakwater/simulator";
import { onTestFinished, vi } from "vitest";

import { createApp } from "./app.ts";

export interface Started {
  readonly url: string;
  readonly simulator: Simulator;
  /** What the application's clients and pipelines hold, and DeepSeek's open connections. */
  readonly open: () => { readonly clients: number; readonly connections: number };
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
      clients: registry.snapshot().reduce((sum, { inFlight }) => sum + inFlight, 0),
      connections: simulator.state().open,
    }),
    close: () => app.close(),
  };
}

export const nothing: ReturnType<Started["open"]> = { clients: 0, connections: 0 };
