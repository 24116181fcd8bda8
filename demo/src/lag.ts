import { monitorEventLoopDelay } from "node:perf_hooks";

/** How late this process was, in real milliseconds: the part of every latency that the machine, not the evening, made. */
export interface Lag {
  readonly p99Ms: number;
  readonly maxMs: number;
}

const RESOLUTION_MS = 5;

export interface LagMeter {
  reset(): void;
  read(): Lag;
}

export function meterLag(): LagMeter {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  // What it records is the whole distance of two looks.
  const late = (ns: number): number => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  return {
    reset: () => histogram.reset(),
    read: () => ({ p99Ms: late(histogram.percentile(99)), maxMs: late(histogram.max) }),
  };
}

export function worstLag(lags: readonly Lag[]): Lag {
  return {
    p99Ms: Math.max(0, ...lags.map((lag) => lag.p99Ms)),
    maxMs: Math.max(0, ...lags.map((lag) => lag.maxMs)),
  };
}
