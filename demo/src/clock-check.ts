import { setTimeout as sleep } from "node:timers/promises";

/** How long a second of one clock really took. */
export interface ClockCheck {
  readonly clock: string;
  readonly realMs: number;
}

const VIRTUAL_MS = 1_000;

/** A busy machine makes a timer late, never early: the best of a few tells how the clock runs. */
const TRIES = 3;

/** Measures every clock that the preload claims to have changed against the one that it left alone. */
export async function checkClocks(): Promise<readonly ClockCheck[]> {
  const marked = Symbol.for("breakwater.demo.real-now");
  const realNow = (globalThis as Record<symbol, unknown>)[marked] as (() => number) | undefined;
  const real = realNow ?? (() => performance.now());
  const waits: Record<string, () => Promise<unknown>> = {
    setTimeout: () => new Promise((resolve) => setTimeout(resolve, VIRTUAL_MS)),
    setInterval: () =>
      new Promise<void>((resolve) => {
        const timer = setInterval(() => {
          clearInterval(timer);
          resolve();
        }, VIRTUAL_MS);
      }),
    "timers/promises": () => sleep(VIRTUAL_MS),
    "AbortSignal.timeout": () =>
      new Promise((resolve) => {
        // A signal's timer does not hold the process; this one does.
        const hold = setTimeout(() => {}, 60 * VIRTUAL_MS);
        AbortSignal.timeout(VIRTUAL_MS).addEventListener("abort", () => {
          clearTimeout(hold);
          resolve(undefined);
        });
      }),
  };
  const reads: Record<string, () => number> = {
    "Date.now": () => Date.now(),
    "new Date": () => new Date().getTime(),
    "performance.now": () => performance.now(),
    "process.hrtime": () => Number(process.hrtime.bigint()) / 1e6,
  };
  const waited = Object.entries(waits).map(async ([clock, wait]): Promise<ClockCheck> => {
    const tries: number[] = [];
    for (let i = 0; i < TRIES; i++) {
      const from = real();
      await wait();
      tries.push(real() - from);
    }
    return { clock, realMs: Math.min(...tries) };
  });
  const read = Object.entries(reads).map(async ([clock, now]): Promise<ClockCheck> => {
    const from = { real: real(), own: now() };
    await sleep(VIRTUAL_MS);
    return { clock, realMs: ((real() - from.real) * VIRTUAL_MS) / (now() - from.own) };
  });
  return Promise.all([...waited, ...read]);
}

/** The clocks that are off by more than what the event loop explains. */
export function wrongClocks(checks: readonly ClockCheck[], timeScale: number): readonly ClockCheck[] {
  const expected = VIRTUAL_MS * timeScale;
  return checks.filter(({ realMs }) => realMs < expected * 0.97 - 1 || realMs > expected * 1.1 + 30);
}
