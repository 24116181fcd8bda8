import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { freePort, type Guarded, startGuarded } from "@breakwater-internal/redis-server/program";

import { findPrometheus, NO_PROMETHEUS } from "../../scripts/find-prometheus.mjs";
import { type Alert, type Asked, askPrometheus, type Sample } from "./ask.ts";
import { untilSeen } from "./until-seen.ts";

/** As text, or as data: JSON is YAML, too. */
export type Yaml = string | Readonly<Record<string, unknown>>;

export interface PrometheusOptions {
  /** Its prometheus.yml. @default nothing is scraped and no rule evaluated */
  readonly config?: Yaml;
  /** What stands beside that: `{ "alerts.yml": rules }`, for `rule_files: ["alerts.yml"]`. */
  readonly files?: Readonly<Record<string, Yaml>>;
  /** More of its arguments: `["--query.lookback-delta=10s"]`. */
  readonly args?: readonly string[];
  /** @default a free one */
  readonly port?: number;
}

/** A Prometheus on 127.0.0.1 that keeps its data in a temporary folder and ends with this process. */
export interface Prometheus extends Asked {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  /** `2.42.0` */
  readonly version: string;
  /**
   * Asks until the result is one that `holds`: at first that there is any.
   *
   * @param timeoutMs in a test a little less than its limit, so that it says what never came
   * @throws Error after `timeoutMs`, with what there was in the end
   */
  until(
    expr: string,
    holds?: (samples: readonly Sample[]) => boolean,
    timeoutMs?: number,
  ): Promise<readonly Sample[]>;
  /** The same for an alert: `inactive` once no label set of it is pending or firing. */
  untilAlert(
    name: string,
    state: "pending" | "firing" | "inactive",
    timeoutMs?: number,
  ): Promise<readonly Alert[]>;
  /** Ends it and removes what it wrote. */
  stop(): Promise<void>;
}

/** How long it may take to be ready, which takes some 100 ms on an idle machine. */
const LONG_MS = 20_000;
const LONGEST_WAIT_MS = 25_000;

/**
 * @throws Error with what to do, if there is no Prometheus to be had; with what it says, if it does not start
 *
 * @example
 * const prometheus = await startPrometheus({
 *   config: {
 *     global: { scrape_interval: "1s" },
 *     scrape_configs: [{ job_name: "app", static_configs: [{ targets: ["127.0.0.1:3000"] }] }],
 *   },
 * });
 * await prometheus.until("up == 1");
 * await prometheus.stop();
 */
export async function startPrometheus(options: PrometheusOptions = {}): Promise<Prometheus> {
  const found = findPrometheus();
  if (!found) throw new Error(NO_PROMETHEUS);
  const [port, running] = await runSomewhere(found.path, options, 5);
  const asked = askPrometheus(`http://127.0.0.1:${port}`);
  return {
    ...asked,
    port,
    url: `http://127.0.0.1:${port}`,
    pid: running.pid,
    version: found.version,
    until: (expr, holds = (samples) => samples.length > 0, timeoutMs = LONGEST_WAIT_MS) =>
      untilSeen(expr, () => asked.query(expr), holds, timeoutMs),
    untilAlert: (name, state, timeoutMs = LONGEST_WAIT_MS) =>
      untilSeen(
        `${name} is ${state}`,
        async () => (await asked.alerts()).filter((alert) => alert.name === name),
        (alerts) => (state === "inactive" ? alerts.length === 0 : alerts.some((one) => one.state === state)),
        timeoutMs,
      ),
    stop: () => running.end(),
  };
}

/** Somebody may have taken the port since it was found free. */
async function runSomewhere(
  path: string,
  options: PrometheusOptions,
  tries: number,
): Promise<readonly [number, Guarded]> {
  const port = options.port ?? (await freePort());
  try {
    return [port, await run(path, port, options)];
  } catch (error) {
    if (options.port !== undefined || tries === 1 || !/in use/i.test(String(error))) throw error;
    return runSomewhere(path, options, tries - 1);
  }
}

/** In a folder of its own, which goes with it. */
async function run(path: string, port: number, options: PrometheusOptions): Promise<Guarded> {
  const { config = {}, files = {}, args = [] } = options;
  const folder = mkdtempSync(join(tmpdir(), "breakwater-prometheus-"));
  const data = join(folder, "data");
  for (const [name, yaml] of Object.entries({ ...files, "prometheus.yml": config }))
    writeFileSync(join(folder, name), textOf(yaml));
  const settings = {
    "config.file": join(folder, "prometheus.yml"),
    "storage.tsdb.path": data,
    "web.listen-address": `127.0.0.1:${port}`,
    "query.timeout": "20s",
    "log.level": "warn",
  };
  const written = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const server = await startGuarded([path, ...written, ...args], folder, {});
  const lost = server.ended.then((said) => {
    throw new Error(`Prometheus ended on port ${port}: ${said.trim().split("\n").slice(-4).join("\n")}`);
  });
  lost.catch(() => {}); // it may end as it likes once it has started
  try {
    await Promise.race([untilSeen("ready", () => isUp(port, data), Boolean, LONG_MS), lost]);
  } catch (error) {
    await server.end();
    throw error;
  }
  return server;
}

export function textOf(yaml: Yaml): string {
  return typeof yaml === "string" ? yaml : JSON.stringify(yaml);
}

/** Whether the one that answers is ours, and not one that took the port before it; and ready, which is later. */
async function isUp(port: number, data: string): Promise<boolean> {
  const asked = askPrometheus(`http://127.0.0.1:${port}`);
  try {
    return (await asked.isReady()) && (await asked.flags())["storage.tsdb.path"] === data;
  } catch {
    return false;
  }
}
