import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { bulkhead, circuitBreaker, createPipeline, rateLimit, retry, timeout } from "@breakwater/core";
import { createDeepSeek, recommended } from "@breakwater/deepseek";
import { startSimulator } from "@breakwater/simulator";
import { type Logger, logs } from "@breakwater/telemetry";
import { metrics } from "@breakwater/telemetry/prometheus";
import { Registry } from "prom-client";

/** A server with metrics and a log, that has answered, failed and refused calls already. */
export interface Service {
  /** Where Prometheus finds it: `127.0.0.1:41234`. */
  readonly target: string;
  /** What it tells there. */
  exposition(): Promise<string>;
  close(): Promise<void>;
}

export async function startService(log: Logger): Promise<Service> {
  const simulator = await startSimulator({ seed: 5, timeScale: 0.01, text: { reasoningMedian: 5 } });
  const deepseek = createDeepSeek({
    apiKey: simulator.key,
    baseURL: simulator.url,
    fetch: simulator.fetch,
    policies: recommended({ cache: { ttl: "1m", shared: true } }),
  });
  const geo = createPipeline(
    { name: "geo" },
    rateLimit({ name: "trial", mode: "shadow", limits: { requests: { limit: 1, per: "1h" } } }),
    rateLimit({ name: "plan", limits: { requests: { limit: 2, per: "1h" } } }),
    bulkhead({ name: "pool", concurrency: 1, queue: 2 }),
  );
  const shaky = createPipeline(
    { name: "shaky" },
    retry({ attempts: 2, baseDelay: "1ms", maxDelay: "1ms" }),
    circuitBreaker({ name: "host", window: { calls: 2 }, minimumCalls: 2 }),
    timeout({ total: "20ms" }),
  );
  const register = new Registry();
  const watching = metrics([deepseek, geo, shaky], { register });
  const endLog = logs([deepseek, geo, shaky], log);

  const ask = (content: string, model = "deepseek-flash") =>
    deepseek.chat({ model, messages: [{ role: "user", content }] }).catch(() => undefined);
  await Promise.all([ask("One?"), ask("Two?"), ask("Three?", "no-such-model")]);
  await ask("One?");
  for await (const _ of deepseek.stream({ messages: [{ role: "user", content: "Four?" }] }));
  const here = (): Promise<string> => Promise.resolve("here");
  await Promise.all([geo.outcome(here), geo.outcome(here), geo.outcome(here)]);
  shaky.on(() => {
    throw new Error("a listener's");
  });
  await shaky.outcome(({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", reject)));
  for (let i = 0; i < 3; i++) await shaky.outcome(() => Promise.reject(new Error("away")));
  await shaky.change("host", { force: "open" }, { by: "operator" });
  await shaky.change("host", { update: { mode: "shadow" } }, { by: "operator" });

  const server = createServer((_, response) => {
    void register.metrics().then((text) => {
      response.setHeader("content-type", register.contentType);
      response.end(text);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    target: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    exposition: () => register.metrics(),
    async close() {
      server.close();
      server.closeAllConnections();
      endLog();
      watching.close();
      await deepseek.close();
      await geo.close();
      await shaky.close();
      await simulator.close();
    },
  };
}
