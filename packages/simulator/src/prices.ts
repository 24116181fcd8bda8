import { dayOf, hourOf, weekdayOf } from "./calendar.ts";

/** What a model costs, US dollars per million tokens, with at most six decimals. */
export interface Price {
  cacheHit: number;
  cacheMiss: number;
  output: number;
}

/** What a model costs from a moment on. */
export interface PriceEntry {
  /** An ISO instant or day, UTC. Holds until the next entry of the same model begins. */
  from: string;
  offPeak: Price;
  /** Without it every hour costs the same. */
  peak?: Price;
}

/** When the peak price holds. */
export interface PeakHours {
  /** Hours of the day, UTC: from the first on, up to and without the second. */
  hours: readonly (readonly [from: number, to: number])[];
  /** 0 is Sunday. */
  weekdays: readonly number[];
  /** Days without a peak, such as `2026-10-01`. */
  except: readonly string[];
  /** Which moment of a request decides. DeepSeek does not say; of its old discount it said that the end does. */
  decidedBy: "arrival" | "completion";
}

/** All prices of a host, the past ones included: what a request costs depends on the simulator's calendar. */
export interface PriceTable {
  models: Readonly<Record<string, readonly PriceEntry[]>>;
  peak: PeakHours;
}

export type Tier = "peak" | "offpeak";

const price = (cacheHit: number, cacheMiss: number, output: number): Price => ({
  cacheHit,
  cacheMiss,
  output,
});

const flash: PriceEntry = {
  from: "2026-09-10",
  offPeak: price(0.003, 0.15, 0.6),
  peak: price(0.006, 0.3, 1.2),
};
const earlier: readonly PriceEntry[] = [
  { from: "2026-04-24", offPeak: price(0.0028, 0.14, 0.28) },
  { from: "2026-08-01", offPeak: price(0.007, 0.22, 0.66) },
];

/** Days from the first to the last, both included. */
function days(first: string, last: string): readonly string[] {
  const all: string[] = [];
  for (let at = Date.parse(first); at <= Date.parse(last); at += 86_400_000) all.push(dayOf(at));
  return all;
}

/**
 * DeepSeek's prices from April 2026 on. For the Pro model nothing is known of August: its price of September is taken
 * to have come with its release. Peak hours are office hours in Beijing, and holidays those of China's calendar for
 * 2026; make-up days of work on weekends have no peak here.
 */
export const defaultPrices: PriceTable = {
  models: {
    "deepseek-flash": [flash],
    "deepseek-v4-flash": [...earlier, flash],
    "deepseek-v4-flash-vision-exp": [...earlier, flash],
    "deepseek-v4-pro": [
      { from: "2026-04-24", offPeak: price(0.003_625, 0.435, 0.87) },
      { from: "2026-08-12", offPeak: price(0.022, 0.66, 1.98), peak: price(0.044, 1.32, 3.96) },
    ],
  },
  peak: {
    hours: [
      [1, 4],
      [6, 10],
    ],
    weekdays: [1, 2, 3, 4, 5],
    except: [
      ...days("2026-01-01", "2026-01-03"),
      ...days("2026-02-15", "2026-02-23"),
      ...days("2026-04-04", "2026-04-06"),
      ...days("2026-05-01", "2026-05-05"),
      ...days("2026-06-19", "2026-06-21"),
      ...days("2026-09-25", "2026-09-27"),
      ...days("2026-10-01", "2026-10-07"),
    ],
    decidedBy: "completion",
  },
};

/** Whether a moment lies in the peak hours. */
export function tierAt(peak: PeakHours, at: number): Tier {
  const hour = hourOf(at);
  const busy =
    peak.weekdays.includes(weekdayOf(at)) &&
    peak.hours.some(([from, to]) => hour >= from && hour < to) &&
    !peak.except.includes(dayOf(at));
  return busy ? "peak" : "offpeak";
}

/** What a model costs at a moment. Before its first entry it costs what that entry says. */
export function priceAt(entries: readonly PriceEntry[], at: number, tier: Tier): Price {
  const entry = entries.findLast(({ from }) => Date.parse(from) <= at) ?? entries[0];
  if (entry === undefined) throw new Error("A model without a price");
  return tier === "peak" ? (entry.peak ?? entry.offPeak) : entry.offPeak;
}

/** Tokens that are paid for. */
export interface PaidTokens {
  readonly hit: number;
  readonly miss: number;
  /** Reasoning included. */
  readonly output: number;
}

/** Dollars per million tokens are millionths of a dollar per token; six more decimals make them whole numbers. */
const picoPerToken = (usdPerMillion: number): bigint => BigInt(Math.round(usdPerMillion * 1_000_000));

/** The cost in billionths of a dollar: added up exactly and then rounded once, halves up. */
export function costOf({ cacheHit, cacheMiss, output }: Price, tokens: PaidTokens): bigint {
  const pico =
    BigInt(tokens.hit) * picoPerToken(cacheHit) +
    BigInt(tokens.miss) * picoPerToken(cacheMiss) +
    BigInt(tokens.output) * picoPerToken(output);
  return (pico + 500n) / 1000n;
}
