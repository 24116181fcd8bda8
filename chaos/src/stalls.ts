import { type Event, now } from "./events.ts";

const EVERY_MS = 20;
const WORTH_TELLING_MS = 100;

/**
 * Tells when the machine gave this process no processor: a timer came late, and the time was not used. What a process
 * does itself for so long is no such thing.
 */
export function watchStalls(tell: (event: Event) => void): void {
  let at = now();
  let used = process.cpuUsage();
  setInterval(() => {
    const { user, system } = process.cpuUsage(used);
    const before = at;
    at = now();
    used = process.cpuUsage();
    const us = at - before - EVERY_MS * 1_000 - user - system;
    if (us > WORTH_TELLING_MS * 1_000) tell({ type: "stall", load: "", at, us });
  }, EVERY_MS).unref();
}
