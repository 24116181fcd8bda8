// Loaded with `node --import` before anything else into every process that plays a client side. Makes its clocks run
// faster: a minute of the evening takes `timeScale` minutes. It knows no library, so nobody is tuned by hand: a
// timeout of 60 s, a back-off of 500 ms and a breaker's half minute shrink alike, in every column.
//
// Not reached: timers inside Node's own net and http modules (socket time-outs, Nagle), which no column relies on.
// Node's built-in fetch is reached: it takes setTimeout from the global object.
import { syncBuiltinESMExports } from "node:module";
import perfHooks from "node:perf_hooks";
import timers from "node:timers";
import promises from "node:timers/promises";
import { promisify } from "node:util";

/** The variable that carries the scale to a child process. */
const scale = Number(process.env["BREAKWATER_DEMO_TIME_SCALE"] ?? "1");
if (!(scale > 0 && scale <= 1)) throw new RangeError(`BREAKWATER_DEMO_TIME_SCALE: got ${String(scale)}`);

const { hrtime } = process;
const realNow = (): number => Number(hrtime.bigint()) / 1e6;
const startReal = realNow();
const startEpoch = Date.now();
const startPerformance = performance.now();
const elapsed = (): number => (realNow() - startReal) / scale;

// Rounded up to a whole millisecond, below which Node's timers cut: a timer never fires early.
const shrunk = (ms: number | undefined): number => Math.ceil((ms ?? 0) * scale);

type Timed = (callback: (...given: unknown[]) => void, ms?: number, ...given: unknown[]) => NodeJS.Timeout;

const shrinking =
  (original: Timed): Timed =>
  (callback, ms, ...given) =>
    original(callback, shrunk(ms), ...given);

const delay = promises.setTimeout;
const sleep = <T>(ms?: number, value?: T, options?: Parameters<typeof delay>[2]): Promise<T | undefined> =>
  delay(shrunk(ms), value, options);

const scaled = { setTimeout: shrinking(setTimeout), setInterval: shrinking(setInterval) };
Object.defineProperty(scaled.setTimeout, promisify.custom, { value: sleep });
Object.assign(globalThis, scaled);
Object.assign(timers, scaled);
const every = promises.setInterval;
Object.assign(promises, {
  setTimeout: sleep,
  setInterval: (...[ms, value, options]: Parameters<typeof every>) => every(shrunk(ms), value, options),
});

performance.now = () => startPerformance + elapsed();
Object.assign(perfHooks, { performance });
process.hrtime = Object.assign(
  (since: [number, number] = [0, 0]): [number, number] => {
    const passed = elapsed() / 1e3 - since[0] - since[1] / 1e9;
    return [Math.floor(passed), Math.floor((passed % 1) * 1e9)];
  },
  { bigint: () => BigInt(Math.round(elapsed() * 1e6)) },
);

const RealDate = Date;
const now = (): number => Math.floor(startEpoch + elapsed());
globalThis.Date = new Proxy(RealDate, {
  construct: (target, given: []) => (given.length === 0 ? new target(now()) : new target(...given)),
  get: (target, name): unknown => (name === "now" ? now : Reflect.get(target, name)),
});

AbortSignal.timeout = (ms) => {
  const controller = new AbortController();
  const expire = (): void => controller.abort(new DOMException("The operation timed out", "TimeoutError"));
  setTimeout(expire, ms).unref();
  return controller.signal;
};

syncBuiltinESMExports();

/** For the self-check, which must know what a real millisecond is. */
Object.assign(globalThis, { [Symbol.for("breakwater.demo.real-now")]: realNow });
