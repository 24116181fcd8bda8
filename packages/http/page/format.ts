// How figures are written.

export const count = (value: number): string => Math.round(value).toLocaleString("en");

/** As short as a tile needs it: `940`, `12.4k`, `3.1M`. */
export function short(value: number): string {
  if (Math.abs(value) < 10_000) return count(value);
  if (Math.abs(value) < 1_000_000) return `${(value / 1_000).toFixed(value < 100_000 ? 1 : 0)}k`;
  return `${(value / 1_000_000).toFixed(1)}M`;
}

/** `340 ms`, `1.2 s`, `45 s`, `3 min`, `2 h`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}

/** Two of them, with their unit once where it is one: `250 · 350 ms`. */
export function durations(one: number, other: number): string {
  const [first, second] = [duration(one), duration(other)];
  const unit = second.slice(second.indexOf(" "));
  return `${first.endsWith(unit) ? first.slice(0, -unit.length) : first} · ${second}`;
}

export function percent(part: number, whole: number): string {
  if (whole === 0) return "–";
  const value = (100 * part) / whole;
  // Never rounded to all or nothing: one failure among thousands is one.
  if (value > 0 && value < 0.1) return "<0.1 %";
  if (value > 99.9 && value < 100) return ">99.9 %";
  return `${value.toFixed(value === 0 || value === 100 || value >= 99.95 ? 0 : 1)} %`;
}

export function dollars(value: number): string {
  if (value === 0) return "$0";
  return `$${value.toFixed(Math.abs(value) < 0.01 ? 5 : Math.abs(value) < 1 ? 4 : 2)}`;
}

export function bytes(value: number): string {
  if (value < 1_024) return `${value} B`;
  if (value < 1_048_576) return `${(value / 1_024).toFixed(0)} KiB`;
  return `${(value / 1_048_576).toFixed(1)} MiB`;
}

/** The reader's own time of day. */
export const clock = (wall: number): string => new Date(wall).toLocaleTimeString("en-GB", { hour12: false });

export const plural = (number: number, one: string, many: string = `${one}s`): string =>
  `${count(number)} ${number === 1 ? one : many}`;
