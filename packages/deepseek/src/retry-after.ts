/** The longest wait that is told, in ms: what timers can count. It is more than any deadline, so nobody waits for it. */
const LONGEST = 2_147_483_647;

/**
 * When to come again, in ms from now, as `retry-after-ms` or `retry-after` (seconds or an HTTP date) say it.
 * A date in the past is 0; what is no time at all says nothing. Never shortened: a wait that was asked for is waited
 * for or not begun.
 */
export function retryAfterOf(headers: Headers, wallNow: number): number | undefined {
  return fromNumber(headers.get("retry-after-ms"), 1) ?? fromSeconds(headers.get("retry-after"), wallNow);
}

function fromSeconds(value: string | null, wallNow: number): number | undefined {
  return fromNumber(value, 1_000) ?? fromDate(value, wallNow);
}

function fromNumber(value: string | null, unit: number): number | undefined {
  if (value === null || !/^\s*\d+(\.\d+)?\s*$/.test(value)) return undefined;
  return Math.min(Number(value) * unit, LONGEST);
}

function fromDate(value: string | null, wallNow: number): number | undefined {
  // Date.parse takes "banana 1" for a day in 2001: only what begins like an HTTP date is one.
  if (value === null || !/^\s*(mon|tue|wed|thu|fri|sat|sun)/i.test(value)) return undefined;
  // The oldest of the three forms does not name its zone, which is GMT.
  const at = Date.parse(/gmt\s*$/i.test(value) ? value : `${value.trim()} GMT`);
  return Number.isNaN(at) ? undefined : Math.min(Math.max(0, at - wallNow), LONGEST);
}
