import { monitorEventLoopDelay } from "node:perf_hooks";

/** What the machine, and not the evening, put into the figures. Real milliseconds. */
export interface Lag {
  /** How late this process did what was due. */
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Processor time it took. */
  readonly cpuMs: number;
}

const RESOLUTION_MS = 5;

export interface LagMeter {
  reset(): void;
  read(): Lag;
}

export function meterLag(): LagMeter {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  let since = process.cpuUsage();
  histogram.enable();
  // What it records is the whole distance of two looks.
  const late = (ns: number): number => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  return {
    reset() {
      histogram.reset();
      since = process.cpuUsage();
    },
    read() {
      const { user, system } = process.cpuUsage(since);
      return {
        p99Ms: late(histogram.percentile(99)),
        maxMs: late(histogram.max),
        cpuMs: (user + system) / 1_000,
      };
    },
  };
}

/** Of several processes: the latest one, and the work of all. */
export function together(lags: readonly Lag[]): Lag {
  return {
    p99Ms: Math.max(0, ...lags.map((lag) => lag.p99Ms)),
    maxMs: Math.max(0, ...lags.map((lag) => lag.maxMs)),
    cpuMs: lags.reduce((sum, lag) => sum + lag.cpuMs, 0),
  };
}
