import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import type { InstanceStore, Managed } from "@breakwater/core";
import { createDeepSeek, type DeepSeekOptions } from "@breakwater/deepseek";
import { admin, basicAuth, mount } from "@breakwater/http";
import { type Simulator, type SimulatorOptions, startSimulator } from "@breakwater/simulator";
import { metrics } from "@breakwater/telemetry/prometheus";
import { createTestClock, seeded, type TestClock } from "@breakwater/testing";
import { Registry } from "prom-client";

import { createHistory, type History, SCRAPE_MS } from "./history.ts";

export interface StageOptions {
  /** What the client is made of, beside key and clock. */
  readonly client?: (stage: { readonly second: Simulator }) => DeepSeekOptions;
  /** Another kind of client in its place. */
  readonly instead?: (clock: TestClock) => Asked;
  readonly simulator?: SimulatorOptions;
  /** @default 0.5 */
  readonly callsPerSecond?: number;
  /** @default 0.7 */
  readonly streamed?: number;
  /** @default "deepseek-flash" */
  readonly model?: string;
  /** Where processes know of one another. @default it is alone */
  readonly instances?: InstanceStore;
  /** What is outside of virtual time and has a part in calls: each step waits for it while there are some. */
  readonly outside?: () => Promise<void>;
}

/** Who is asked, and how. */
export interface Asked {
  readonly managed: Managed;
  ask(question: string): Promise<unknown>;
}

/** A server that people ask, an operator who can reach it, and a Prometheus that comes by. */
export interface Stage {
  readonly clock: TestClock;
  readonly client: Managed;
  /** DeepSeek. */
  readonly host: Simulator;
  /** Another host, that nothing happens to. */
  readonly second: Simulator;
  readonly history: History;
  /** What the operator's shell knows. */
  readonly env: Readonly<Record<string, string>>;
  /** Lets time pass, in which people ask and Prometheus comes by. */
  pass(minutes: number): Promise<void>;
  /** The process is gone; with `forGood`, and nobody looks for it there any more. */
  end(how?: "forGood"): Promise<void>;
  /** It is started again, at the same address. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** How far the clocks of client and host may be apart. */
const STEP_MS = 500;
/** Short ones: what is looked at is what becomes of calls, and not how long they are. */
const TEXT = { contentMedian: 20, reasoningMedian: 5, sigma: 0.3 };
const OPERATOR = { name: "operator", password: "a drill" };

export async function startStage(options: StageOptions = {}): Promise<Stage> {
  const { callsPerSecond = 0.5, streamed = 0.7, model = "deepseek-flash", instances, outside } = options;
  const simulated = { clock: "manual", seed: 1, text: TEXT } as const;
  const host = await startSimulator({ ...simulated, ...options.simulator });
  const second = await startSimulator(simulated);
  const clock = createTestClock({ wallStart: Date.parse(host.state().utc) });
  const random = seeded(1);
  const { managed: client, ask } = options.instead?.(clock) ?? askDeepSeek();
  const register = new Registry();
  const watching = metrics(client, { register });
  const page = admin(client, {
    path: "/breakwater",
    ...(instances !== undefined && { instances }),
    runtime: clock,
    authorize: basicAuth({ [OPERATOR.name]: OPERATOR.password }),
  });
  const route = mount(page);
  const listen = async (port: number): Promise<Server> => {
    const made = createServer((req, res) => void route(req, res)).listen(port, "127.0.0.1");
    await once(made, "listening");
    return made;
  };
  let server: Server | undefined = await listen(0);
  const { port } = server.address() as AddressInfo;

  const history = createHistory();
  const running = new Set<Promise<void>>();
  let removed = false;
  let asked = 0;
  let nextCall = 0;
  let nextScrape = SCRAPE_MS;

  function askDeepSeek(): Asked {
    const deepseek = createDeepSeek({
      apiKey: host.key,
      runtime: clock,
      fetch: host.fetch,
      ...options.client?.({ second }),
    });
    return {
      managed: deepseek,
      async ask(question) {
        const request = { model, messages: [{ role: "user" as const, content: question }] };
        if (random() >= streamed) return deepseek.chat(request);
        for await (const _ of deepseek.stream(request));
        return undefined;
      },
    };
  }

  function begin(): void {
    const done = ask(`Question ${asked++}`).then(
      () => undefined,
      () => undefined,
    );
    running.add(done);
    void done.then(() => running.delete(done));
  }

  async function scrape(): Promise<void> {
    if (removed) history.scraped(null);
    else history.scraped(server === undefined ? undefined : await register.metrics());
  }

  return {
    clock,
    client,
    host,
    second,
    history,
    env: {
      BREAKWATER: `http://127.0.0.1:${port}/breakwater`,
      OPS: `${OPERATOR.name}:${OPERATOR.password}`,
      DEEPSEEK_BASE_URL: host.url,
      DEEPSEEK_API_KEY: host.key,
      SERVER_PID: "the server's",
    },
    async pass(minutes) {
      const until = clock.now() + minutes * 60_000;
      nextCall = Math.max(nextCall, clock.now());
      while (clock.now() < until) {
        for (; nextCall <= clock.now(); nextCall += (-Math.log(1 - random()) / callsPerSecond) * 1_000)
          if (server !== undefined) begin();
        const idle = running.size === 0;
        if (!idle) await outside?.();
        // While nobody waits for anything, nothing can happen.
        const next = Math.min(until, nextScrape, Math.ceil(nextCall));
        const step = Math.min(next, idle ? next : clock.now() + STEP_MS) - clock.now();
        await host.advance(step);
        await second.advance(step);
        await clock.advance(step);
        if (clock.now() < nextScrape) continue;
        await scrape();
        nextScrape += SCRAPE_MS;
      }
    },
    async end(how) {
      removed = how === "forGood";
      server?.close();
      server?.closeAllConnections();
      server = undefined;
    },
    async restart() {
      removed = false;
      server ??= await listen(port);
    },
    async close() {
      server?.close();
      server?.closeAllConnections();
      await page.close();
      watching.close();
      const closed = client.close();
      await clock.advance(1_000);
      await host.close();
      await second.close();
      await clock.until(closed);
      await Promise.all(running);
    },
  };
}
