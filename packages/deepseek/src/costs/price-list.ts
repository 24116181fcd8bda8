import { ConfigError } from "@breakwater/core";

import { picoPerToken } from "./money.ts";
import type { PriceTable } from "./prices.ts";

export type Tier = "peak" | "offpeak";

/** Picodollars for one token. */
interface Rates {
  readonly hit: bigint;
  readonly miss: bigint;
  readonly output: bigint;
}

interface Hours {
  /** Minutes of the day. */
  readonly windows: readonly (readonly [from: number, to: number])[];
  readonly weekdays: ReadonlySet<number>;
  readonly holidays: ReadonlySet<string>;
}

interface Entry {
  /** As it was written: it names the price. */
  readonly from: string;
  readonly begins: number;
  readonly ends: number;
  readonly rates: Rates;
  readonly peak: { readonly rates: Rates; readonly hours: Hours } | undefined;
}

interface HostList {
  readonly models: ReadonlyMap<string, readonly Entry[]>;
  readonly peakBy: "completion" | "arrival";
}

/** What is paid for a token at a moment. */
interface Quote {
  readonly from: string;
  readonly tier: Tier;
  readonly rates: Rates;
}

/** A table of prices, checked. */
export interface PriceList {
  /** Undefined for what has no price. Both times are wall time. */
  quote(host: string, model: string, arrivedAt: number, completedAt: number): Quote | undefined;
}

/** @throws ConfigError for a table that is not one. */
export function createPriceList(where: string, table: PriceTable): PriceList {
  const hosts = new Map<string, HostList>();
  for (const [name, prices] of members(where, "prices", table)) {
    hosts.set(name, readHost(where, `prices.${name}`, prices));
  }
  return {
    quote(host, model, arrivedAt, completedAt) {
      const prices = hosts.get(host);
      // A snapshot of a model: its name and the day of it.
      const entries = prices?.models.get(model) ?? prices?.models.get(model.replace(/-\d{4,8}$/, ""));
      if (prices === undefined || entries === undefined) return undefined;
      const at = prices.peakBy === "completion" ? completedAt : arrivedAt;
      const entry = entries.find(({ begins, ends }) => at >= begins && at < ends);
      if (entry === undefined) return undefined;
      const { from, peak, rates } = entry;
      return peak !== undefined && isPeak(peak.hours, at)
        ? { from, tier: "peak", rates: peak.rates }
        : { from, tier: "offpeak", rates };
    },
  };
}

function isPeak({ holidays, weekdays, windows }: Hours, at: number): boolean {
  const date = new Date(at);
  const minute = date.getUTCHours() * 60 + date.getUTCMinutes();
  return (
    windows.some(([from, to]) => minute >= from && minute < to) &&
    weekdays.has(date.getUTCDay()) &&
    !holidays.has(dayOf(at))
  );
}

/** `2026-11-23` */
export function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

// --- Reading a table ---

function readHost(where: string, path: string, value: unknown): HostList {
  const { models, aliases = {}, peakBy = "completion" } = fields(where, path, value, HOST);
  if (peakBy !== "completion" && peakBy !== "arrival")
    fail(where, `${path}.peakBy`, 'must be "completion" or "arrival"', peakBy);
  const lists = new Map<string, readonly Entry[]>();
  for (const [model, entries] of members(where, `${path}.models`, models))
    lists.set(model, readEntries(where, `${path}.models.${model}`, entries));
  for (const [alias, model] of members(where, `${path}.aliases`, aliases)) {
    const entries = lists.get(model as string);
    if (entries === undefined || lists.has(alias))
      fail(where, `${path}.aliases.${alias}`, "must name a model, and be none itself", model);
    lists.set(alias, entries);
  }
  return { models: lists, peakBy };
}

function readEntries(where: string, path: string, value: unknown): readonly Entry[] {
  if (!Array.isArray(value) || value.length === 0)
    fail(where, path, `must be a list of prices, such as ${EXAMPLE}`, value);
  const entries = (value as readonly unknown[]).map((entry, i) => readEntry(where, `${path}[${i}]`, entry));
  return entries.map((entry, i) => {
    const begins = entries[i + 1]?.begins ?? Infinity;
    if (begins <= entry.begins)
      fail(
        where,
        `${path}[${i + 1}].from`,
        "must be later than that of the price before it",
        value[i + 1].from,
      );
    if (entry.ends !== Infinity && entry.ends > begins)
      fail(where, `${path}[${i}].to`, "must not be later than the beginning of the next price", value[i].to);
    return { ...entry, ends: Math.min(entry.ends, begins) };
  });
}

function readEntry(where: string, path: string, value: unknown): Entry {
  const entry = fields(where, path, value, ENTRY);
  const { from, peak, to } = entry;
  const begins = readMoment(where, `${path}.from`, from);
  const ends = to === undefined ? Infinity : readMoment(where, `${path}.to`, to);
  if (ends <= begins) fail(where, `${path}.to`, "must be later than from", to);
  const dear = peak === undefined ? undefined : fields(where, `${path}.peak`, peak, PEAK);
  return {
    from: from as string,
    begins,
    ends,
    rates: readRates(where, path, entry),
    peak:
      dear === undefined
        ? undefined
        : {
            rates: readRates(where, `${path}.peak`, dear),
            hours: readHours(where, `${path}.peak.hours`, dear["hours"]),
          },
  };
}

function readRates(where: string, path: string, given: Fields): Rates {
  const read = (name: keyof Rates): bigint =>
    picoPerToken(given[name]) ??
    fail(
      where,
      `${path}.${name}`,
      'must be US dollars for a million tokens with at most six decimals, such as "0.15"',
      given[name],
    );
  return { hit: read("hit"), miss: read("miss"), output: read("output") };
}

function readHours(where: string, path: string, value: unknown): Hours {
  const { holidays = [], weekdays = [0, 1, 2, 3, 4, 5, 6], windows } = fields(where, path, value, HOURS);
  const days = list(where, `${path}.weekdays`, weekdays, "weekdays, 0 for Sunday: [1, 2, 3, 4, 5]", (day) =>
    [0, 1, 2, 3, 4, 5, 6].includes(day as number),
  ) as readonly number[];
  const free = list(
    where,
    `${path}.holidays`,
    holidays,
    'days, such as ["2026-10-01"]',
    (day) => typeof day === "string" && /^\d{4}-\d\d-\d\d$/.test(day) && !Number.isNaN(Date.parse(day)),
  ) as readonly string[];
  const times = list(
    where,
    `${path}.windows`,
    windows,
    'pairs of times of one day, UTC, such as [["01:00", "04:00"]]',
    (pair) => Array.isArray(pair) && pair.length === 2 && minuteOf(pair[0]) < minuteOf(pair[1]),
  ) as readonly (readonly [string, string])[];
  return {
    windows: times.map(([from, to]) => [minuteOf(from), minuteOf(to)]),
    weekdays: new Set(days),
    holidays: new Set(free),
  };
}

/** Of `01:30`; NaN, which no comparison holds for, of anything else. The end of the day is `24:00`. */
function minuteOf(time: unknown): number {
  const match = typeof time === "string" ? /^([01]\d|2[0-3]|24(?=:00)):([0-5]\d)$/.exec(time) : null;
  return match === null ? Number.NaN : Number(match[1]) * 60 + Number(match[2]);
}

function readMoment(where: string, path: string, value: unknown): number {
  // A time without a zone would be the computer's.
  const fits = typeof value === "string" && /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(value);
  const moment = fits ? Date.parse(value) : Number.NaN;
  return Number.isNaN(moment)
    ? fail(where, path, 'must be a day or a moment with its zone, such as "2026-09-10"', value)
    : moment;
}

type Fields = Readonly<Record<string, unknown>>;

const HOST = ["models", "aliases", "peakBy"];
const ENTRY = ["from", "to", "hit", "miss", "output", "peak"];
const PEAK = ["hit", "miss", "output", "hours"];
const HOURS = ["windows", "weekdays", "holidays"];
const EXAMPLE = '[{ from: "2026-09-10", hit: "0.003", miss: "0.15", output: "0.60" }]';

function members(where: string, path: string, value: unknown): readonly (readonly [string, unknown])[] {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return Object.entries(value);
  return fail(where, path, "must be an object", value);
}

function fields(where: string, path: string, value: unknown, known: readonly string[]): Fields {
  for (const [name] of members(where, path, value))
    if (!known.includes(name))
      throw new ConfigError(`${where}: unknown "${path}.${name}"; known are ${known.join(", ")}.`);
  return value as Fields;
}

function list(
  where: string,
  path: string,
  value: unknown,
  what: string,
  fits: (item: unknown) => boolean,
): readonly unknown[] {
  if (Array.isArray(value) && value.every(fits)) return value;
  return fail(where, path, `must be a list of ${what}`, value);
}

function fail(where: string, path: string, must: string, given: unknown): never {
  const text = JSON.stringify(given, (_, part: unknown) => (typeof part === "bigint" ? `${part}n` : part));
  const shown = given === undefined ? "nothing" : text.slice(0, 60);
  throw new ConfigError(`${where}: ${path} ${must}, got ${shown}.`);
}
