/** How figures are written on the page. */
export interface Format {
  /** Simulated time: `1:23.4`. */
  clock(ms: number): string;
  /** A duration: `340 ms`, `12.5 s`, `3 min`. */
  duration(ms: number): string;
  count(value: number): string;
  dollars(value: number): string;
}

/** Runs in the browser: its source text is sent there, so it uses nothing from outside. */
export function createFormat(): Format {
  return {
    clock(ms) {
      const tenths = Math.floor(ms / 100);
      const seconds = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
      const minutes = Math.floor(tenths / 600);
      if (minutes < 60) return `${minutes}:${seconds}`;
      return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${seconds}`;
    },
    duration(ms) {
      if (ms < 1000) return `${Math.round(ms)} ms`;
      if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`;
      return `${(ms / 60_000).toFixed(1)} min`;
    },
    count: (value) => value.toLocaleString("en"),
    dollars: (value) => `$${value.toFixed(Math.abs(value) < 1 ? 4 : 2)}`,
  };
}
