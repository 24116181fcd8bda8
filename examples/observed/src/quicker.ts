import { type Runtime, systemRuntime } from "@breakwater/core";
import type { Scenario } from "@breakwater/simulator";

/** A clock on which an evening passes in less time: a second of it takes `scale` real ones. */
export function quickRuntime(scale: number): Runtime {
  const real = systemRuntime();
  const start = { now: real.now(), wall: real.wallNow() };
  return {
    ...real,
    now: () => start.now + (real.now() - start.now) / scale,
    wallNow: () => start.wall + (real.wallNow() - start.wall) / scale,
    setTimer: (ms, f) => real.setTimer(ms * scale, f),
  };
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/**
 * Rules that look at seconds where those of a real server look at minutes: the windows of their expressions and their
 * `for` are divided, and nothing else is changed.
 */
export function quickRules(rules: string, divisor: number): string {
  const shorter = (before: string, number: string, unit: string): string =>
    `${before}${Math.max(1, Math.round((Number(number) * (UNITS[unit] ?? 1) * 1_000) / divisor))}ms`;
  return rules
    .replaceAll(/(\[|\boffset )(\d+)([smhd])\b/g, (_, before: string, number: string, unit: string) =>
      shorter(before, number, unit),
    )
    .replaceAll(
      /^(\s*(?:for|keep_firing_for|interval): )(\d+)([smhd])$/gm,
      (_, before: string, number: string, unit: string) => shorter(before, number, unit),
    );
}

/**
 * The same evening with fewer and slower tokens, so that one computer can play all that take part in it: every answer
 * takes as long as before, and breaks off as often and in the same place.
 */
export function coarse({ capacity, phases, ...scenario }: Scenario, divisor: number): Scenario {
  const slower = (given: Scenario["capacity"]): NonNullable<Scenario["capacity"]> => ({
    ...given,
    decodeSpeed: (given?.decodeSpeed ?? 1) / divisor,
  });
  const fewer = (_: string, from: string, to: string | undefined): string =>
    `tokens=${[from, to].flatMap((n) => (n === undefined ? [] : Math.floor(Number(n) / divisor))).join("..")}`;
  return {
    ...scenario,
    capacity: slower(capacity),
    phases: phases.map(({ capacity: own, faults = [], ...phase }) => ({
      ...phase,
      ...(own !== undefined && { capacity: own.decodeSpeed === undefined ? own : slower(own) }),
      faults: faults.map((fault) => ({
        ...fault,
        ...(typeof fault.action === "string" && {
          action: fault.action.replace(/tokens=(\d+)(?:\.\.(\d+))?/, fewer),
        }),
      })),
    })),
  };
}
