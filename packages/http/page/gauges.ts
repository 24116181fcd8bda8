import { bytes, count, duration, percent, plural } from "./format.ts";
import { type PolicyView, UNITS, wholeLimit } from "./merge.ts";
import { fields, numberOf, numbers, sum, textOf } from "./unknown.ts";

/** What is used of what there is. */
export interface Gauge {
  readonly label: string;
  readonly used: number;
  readonly of: number;
  /** What is said instead of "used of of". */
  readonly text?: string;
}

export interface Standing {
  readonly gauges: readonly Gauge[];
  /** Beside them, in a few words each. */
  readonly facts: readonly string[];
}

/** Keys of which a bar is shown: those that are nearest to their limit. */
const SHOWN = 6;

/** What a policy holds against its limits. */
export function standingOf(policy: PolicyView): Standing {
  switch (policy.kind) {
    case "bulkhead":
    case "adaptive":
      return permits(policy);
    case "rate-limit":
      return rateLimit(policy);
    case "cache":
      return cache(policy);
    default:
      return { gauges: [], facts: [] };
  }
}

function permits({ state, options, copies }: PolicyView): Standing {
  const { limit, active, queued } = fields(state);
  const places = numberOf(fields(options)["queue"]) ?? 0;
  const waiting = sum(numbers(queued).map(([, value]) => value));
  const used = new Map(numbers(active));
  const each = new Map(numbers(limit));
  const one = numberOf(limit);
  const keys = new Set([...used.keys(), ...each.keys()]);
  if (keys.size === 0) keys.add("");
  const gauges = [...keys].map((key): Gauge => ({
    label: key === "" ? "permits" : key,
    used: used.get(key) ?? 0,
    of: each.get(key) ?? one ?? 0,
  }));
  const facts: string[] = [];
  if (waiting > 0 && places === 0) facts.push(`${count(waiting)} waiting`);
  return {
    gauges: [
      ...highest(gauges),
      ...(places > 0
        ? [{ label: "waiting", used: waiting, of: places * copies * keys.size } satisfies Gauge]
        : []),
    ],
    facts: [...facts, ...more(gauges.length)],
  };
}

function rateLimit({ state, options, copies }: PolicyView): Standing {
  const { remaining, queued } = fields(state);
  const limits = fields(fields(options)["limits"]);
  const waiting = sum(numbers(queued).map(([, value]) => value));
  const gauges: Gauge[] = [];
  const facts: string[] = waiting > 0 ? [`${count(waiting)} waiting`] : [];
  const standing = Object.entries(fields(remaining));
  for (const unit of UNITS) {
    const { per } = fields(limits[unit]);
    const most = (wholeLimit(options, unit) ?? 0) * copies;
    const known = standing.flatMap(([key, left]) => {
      const value = numberOf(fields(left)[unit]);
      return value === undefined ? [] : [[key, value] as const];
    });
    if (most > 0 && known.length === 0) known.push(["", most]);
    for (const [key, left] of known) {
      const label = labelOf(unit, key);
      if (most === 0) facts.push(`${label}: ${count(Math.max(0, left))} left`);
      else {
        const text = `${count(Math.max(0, left))} of ${count(most)}${perOf(per)} left`;
        gauges.push({ label, used: most - left, of: most, text });
      }
    }
  }
  return { gauges: highest(gauges), facts: [...facts.slice(0, SHOWN), ...more(gauges.length)] };
}

const perOf = (per: unknown): string => {
  const ms = numberOf(per);
  const text = ms === undefined ? textOf(per) : duration(ms);
  return text === undefined ? "" : ` per ${text}`;
};

function cache({ state, options }: PolicyView): Standing {
  const { hits = 0, misses = 0, joins = 0, stale = 0, entries, bytes: held } = fields(state);
  const [hit, missed, joined, old] = [hits, misses, joins, stale].map((value) => numberOf(value) ?? 0) as [
    number,
    number,
    number,
    number,
  ];
  const reads = hit + missed + joined + old;
  const saved = hit + joined + old;
  const facts = [
    reads === 0 ? "not read yet" : `${percent(saved, reads)} of ${count(reads)} reads saved a call`,
  ];
  const kept = numberOf(entries);
  if (kept !== undefined) facts.push(plural(kept, "answer"));
  const size = numberOf(held);
  const most = numberOf(fields(options)["maxBytes"]);
  if (size === undefined) return { gauges: [], facts };
  if (most === undefined) return { gauges: [], facts: [...facts, bytes(size)] };
  return {
    gauges: [{ label: "memory", used: size, of: most, text: `${bytes(size)} of ${bytes(most)}` }],
    facts,
  };
}

const labelOf = (what: string, key: string): string => (key === "" ? what : `${what} of ${key}`);

const fullness = ({ used, of }: Gauge): number => (of > 0 ? used / of : 0);

const highest = (gauges: readonly Gauge[]): readonly Gauge[] =>
  gauges.toSorted((one, other) => fullness(other) - fullness(one)).slice(0, SHOWN);

const more = (all: number): readonly string[] => (all > SHOWN ? [`and ${count(all - SHOWN)} more keys`] : []);
