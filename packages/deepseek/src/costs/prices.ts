/** US dollars for a million tokens, with at most six decimals; a text says a decimal number exactly. */
export interface TokenPrice {
  /** Of the prompt, what was in the host's context cache. */
  readonly hit: number | string;
  /** Of the prompt, what was not. */
  readonly miss: number | string;
  /** Reasoning included. */
  readonly output: number | string;
}

/** When the peak price holds. */
export interface PeakHours {
  /** Times of day, UTC: `["01:00", "04:00"]` begins at one and is over at four. */
  readonly windows: readonly (readonly [from: string, to: string])[];
  /** 0 is Sunday. @default every day */
  readonly weekdays?: readonly number[];
  /** Days without a peak, UTC, such as `2026-10-01`. @default none */
  readonly holidays?: readonly string[];
}

/** What a model costs in a time. */
export interface PriceEntry extends TokenPrice {
  /** The first moment at which it holds: an ISO moment, or a day, UTC. */
  readonly from: string;
  /** The first moment at which it does not hold any more. @default when the next one begins; the last one has no end */
  readonly to?: string;
  /** Without it every hour costs the same. */
  readonly peak?: TokenPrice & { readonly hours: PeakHours };
}

/** What a host asks for its models. */
export interface HostPrices {
  /** By the name that an answer says; a snapshot (`deepseek-flash-1017`) costs what its model does. In order of time. */
  readonly models: Readonly<Record<string, readonly PriceEntry[]>>;
  /** Further names of the same models. */
  readonly aliases?: Readonly<Record<string, string>>;
  /**
   * Which moment of an attempt decides what it costs. DeepSeek does not say; of the discount that it gave in 2025 it
   * said that the end does. @default "completion"
   */
  readonly peakBy?: "completion" | "arrival";
}

/** Prices by the name of the host, as `HostProfile.name` says it. What is not in it costs an unknown amount. */
export type PriceTable = Readonly<Record<string, HostPrices>>;

/** Office hours in Beijing. Holidays are those of China's calendar for 2026. */
const officeHours: PeakHours = {
  windows: [
    ["01:00", "04:00"],
    ["06:00", "10:00"],
  ],
  weekdays: [1, 2, 3, 4, 5],
  holidays: [
    ...daysOf("2026-01", 1, 3),
    ...daysOf("2026-02", 15, 23),
    ...daysOf("2026-04", 4, 6),
    ...daysOf("2026-05", 1, 5),
    ...daysOf("2026-06", 19, 21),
    ...daysOf("2026-09", 25, 27),
    ...daysOf("2026-10", 1, 7),
  ],
};

function daysOf(month: string, first: number, last: number): readonly string[] {
  const days: string[] = [];
  for (let day = first; day <= last; day++) days.push(`${month}-${String(day).padStart(2, "0")}`);
  return days;
}

const flash: PriceEntry = {
  from: "2026-09-10",
  hit: "0.003",
  miss: "0.15",
  output: "0.60",
  peak: { hit: "0.006", miss: "0.30", output: "1.20", hours: officeHours },
};

/**
 * What DeepSeek asks, as its price page said from April to November 2026. Hosts that are not in it, models that are not
 * and times that are not have no price here: what they cost is `null`, never 0. Prices change every few months, and
 * yours may be others: replace or extend the table with `createDeepSeek({ prices })`.
 *
 * Nothing is known of the Pro model in August 2026, between two prices. Holidays are known for 2026; later ones have
 * peak hours here until you add them.
 *
 * @example
 * ```ts
 * import { createDeepSeek, prices } from "@breakwater/deepseek";
 *
 * const mine = { "my-flash": [{ from: "2026-11-01", hit: 0.01, miss: 0.1, output: 0.4 }] };
 * const deepseek = createDeepSeek({ prices: { ...prices, siliconflow: { models: mine } } });
 * ```
 */
export const prices: Readonly<Record<"deepseek", HostPrices>> = {
  deepseek: {
    models: {
      "deepseek-flash": [flash],
      "deepseek-v4-flash": [
        { from: "2026-04-24", hit: "0.0028", miss: "0.14", output: "0.28" },
        { from: "2026-08-01", hit: "0.007", miss: "0.22", output: "0.66" },
        flash,
      ],
      "deepseek-v4-pro": [
        { from: "2026-04-24", to: "2026-08-01", hit: "0.003625", miss: "0.435", output: "0.87" },
        {
          from: "2026-09-10",
          hit: "0.022",
          miss: "0.66",
          output: "1.98",
          peak: { hit: "0.044", miss: "1.32", output: "3.96", hours: officeHours },
        },
      ],
    },
    aliases: { "deepseek-v4-flash-vision-exp": "deepseek-v4-flash" },
  },
};
