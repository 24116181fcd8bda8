import { refuse } from "./checks.ts";
import type { Clock } from "./clock.ts";

/** The day and the hour of the simulated world. It runs with the simulator's clock and has nothing to do with today. */
export interface Calendar {
  /** The moment now, in milliseconds since 1970, UTC. */
  now(): number;
  /** The moment that a time of the clock stands for. */
  at(clockMs: number): number;
  /** Makes it this moment now. What happened before happened at the time that it then was. */
  setNow(at: number): void;
}

export function createCalendar(clock: Clock, start: number): Calendar {
  let offset = start;
  const at = (clockMs: number): number => offset + clockMs;
  return {
    now: () => at(clock.now()),
    at,
    setNow(moment) {
      offset = moment - clock.now();
    },
  };
}

const dayMs = 86_400_000;

/** `2026-11-18` */
export const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);
/** Hours since midnight UTC, with their fraction. */
export const hourOf = (at: number): number => (((at % dayMs) + dayMs) % dayMs) / 3_600_000;
/** 0 is Sunday. */
export const weekdayOf = (at: number): number => new Date(at).getUTCDay();

/** Reads `2026-11-23T00:59:00Z`. A day alone is its midnight; a time must say its zone, or it would be the computer's. */
export function checkMoment(path: string, value: unknown): number {
  const allowed = "an ISO moment with its zone, or a day";
  const example = '"2026-11-23T00:59:00Z"';
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(value))
    return refuse(path, value, allowed, example);
  const moment = Date.parse(value);
  return Number.isNaN(moment) ? refuse(path, value, allowed, example) : moment;
}
