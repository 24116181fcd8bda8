import {
  type Call,
  ConfigError,
  type EventOf,
  type EventSink,
  type Meta,
  readOptions,
} from "@breakwater/core";

import { usdOf } from "./money.ts";
import { createPriceList, dayOf, type PriceList } from "./price-list.ts";
import { prices as defaultPrices, type PriceTable } from "./prices.ts";
import type { CostRecord } from "./record.ts";
import { addRecord, addTally, type CostSum, emptyTally, speakable, sumOf, type Tally } from "./sums.ts";

/** What costs can be told apart by. `day` is a day in UTC, such as `2026-11-23`. */
export type CostDimension = "day" | "tenant" | "model" | "host" | "account" | "category" | "tier";

/** A sum, and what it is the sum of. What is not known of a record is `"-"`, what there was no more room for `"(other)"`. */
export type CostRow<D extends CostDimension> = CostSum & Readonly<Record<D, string>>;

/** Days in UTC, both included; one that is left out has no bound. */
export interface CostPeriod {
  readonly from?: string;
  readonly to?: string;
}

/** What one call cost, all of its attempts together. */
export interface CallCost {
  /** `null` if the cost of an attempt is not known. */
  readonly nanoUsd: bigint | null;
  readonly usd: string | null;
  readonly estimated: boolean;
}

/** What calls cost. */
export interface CostLedger {
  /** What everything cost, or everything in these days. */
  total(period?: CostPeriod): CostSum;
  /** The same, told apart: `by(["tenant", "model"])`. The dearest first. */
  by<D extends CostDimension>(dimensions: readonly D[], period?: CostPeriod): readonly CostRow<D>[];
  /**
   * What the call cost that this is the meta of: `of((await deepseek.chat.full(request)).meta)`. Undefined while none
   * of its attempts is accounted for; of a stream, until it is over.
   */
  of(meta: Meta): CallCost | undefined;
  /** Tells each record as soon as it is known what its attempt was good for. @returns a function that ends it */
  on(listener: (record: CostRecord) => void): () => void;
}

export interface CostLedgerOptions {
  /** @default `prices`: what DeepSeek asks */
  readonly prices?: PriceTable;
  /** How many days are kept, today included. @default 31 */
  readonly days?: number;
  /** How many different rows one day may have; further tenants, accounts and models are counted as `(other)`. @default 2_000 */
  readonly maxRows?: number;
}

/** What records are written into. */
export interface CostBook {
  readonly list: PriceList;
  /** @param metas of the call and of those that it was made for */
  add(record: CostRecord, metas: Iterable<Meta>, events: EventSink, call?: Call<unknown>): void;
}

const books = new WeakMap<CostLedger, CostBook>();

/**
 * Counts what calls cost: each HTTP request once, at the price that held, in whole billionths of a dollar, and what it
 * was good for. `createDeepSeek` has one, `deepseek.costs`; make your own to share it between clients or to keep it for
 * longer. It is kept in this process.
 *
 * A record is written when its call is over, for only then it is known which attempt was the answer. Tokens are those
 * that the host told; where it did not, an estimate if there is one, marked as such. What has no price costs `null`.
 *
 * @throws ConfigError for prices that cannot be.
 *
 * @example
 * ```ts
 * import { createCostLedger, createDeepSeek } from "@breakwater/deepseek";
 *
 * const costs = createCostLedger({ days: 7 });
 * const forPeople = createDeepSeek({ costs });
 * const forNights = createDeepSeek({ costs });
 *
 * await forPeople.chat({ messages: [{ role: "user", content: "Hello" }] }, { tenant: "search" });
 * costs.total().attempts; // => 1
 * costs.by(["tenant", "model"]).map(({ tenant, model }) => [tenant, model]); // => [["search", "deepseek-flash"]]
 * ```
 */
export function createCostLedger(options: CostLedgerOptions = {}): CostLedger {
  const reader = readOptions("createCostLedger", options);
  const list = createPriceList("createCostLedger", reader.raw<PriceTable>("prices") ?? defaultPrices);
  const maxDays = reader.count("days", 31);
  const maxRows = reader.count("maxRows", 2_000);
  reader.done();

  /** By day, the oldest first but for clocks that go back. */
  const days = new Map<string, Map<string, Row>>();
  const calls = new WeakMap<Meta, { nanoUsd: bigint; known: boolean; estimated: boolean }>();
  let listeners: readonly { readonly tell: (record: CostRecord) => void }[] = [];

  function rowsOf(day: string): Map<string, Row> {
    let rows = days.get(day);
    if (rows === undefined) {
      days.set(day, (rows = new Map()));
      if (days.size > maxDays) days.delete([...days.keys()].toSorted()[0] as string);
    }
    return rows;
  }

  function rowFor(record: CostRecord): Row {
    const day = dayOf(record.at);
    const rows = rowsOf(day);
    const names = namesOf(record, day);
    const full = rows.size >= maxRows;
    const found = rows.get(keyOf(names));
    if (found !== undefined) return found;
    // What callers choose has no bound; what remains are a few.
    const shown = full ? { ...names, tenant: OTHER, account: OTHER, model: OTHER } : names;
    const key = keyOf(shown);
    let row = rows.get(key);
    if (row === undefined) rows.set(key, (row = { names: shown, tally: emptyTally() }));
    return row;
  }

  function* rowsIn({ from = "", to = "9999" }: CostPeriod = {}): Iterable<Row> {
    for (const [day, rows] of days) if (day >= from && day <= to) yield* rows.values();
  }

  function remember(record: CostRecord, metas: Iterable<Meta>): void {
    if (record.category === "cached") return;
    for (const meta of metas) {
      let cost = calls.get(meta);
      if (cost === undefined) calls.set(meta, (cost = { nanoUsd: 0n, known: true, estimated: false }));
      if (record.nanoUsd === null) cost.known = false;
      else cost.nanoUsd += record.nanoUsd;
      cost.estimated ||= record.estimated;
    }
  }

  const ledger: CostLedger = {
    total(period) {
      checkPeriod(period);
      const tally = emptyTally();
      for (const row of rowsIn(period)) addTally(tally, row.tally);
      return speakable(sumOf(tally));
    },
    by(dimensions, period) {
      checkDimensions(dimensions);
      checkPeriod(period);
      const groups = new Map<string, Row>();
      for (const { names, tally } of rowsIn(period)) {
        const shown = Object.fromEntries(dimensions.map((name) => [name, names[name] ?? "-"]));
        const key = keyOf(shown);
        let group = groups.get(key);
        if (group === undefined) groups.set(key, (group = { names: shown, tally: emptyTally() }));
        addTally(group.tally, tally);
      }
      return [...groups.values()]
        .toSorted((a, b) => Number(b.tally.nanoUsd - a.tally.nanoUsd))
        .map(
          ({ names, tally }) => speakable({ ...names, ...sumOf(tally) }) as CostRow<(typeof dimensions)[0]>,
        );
    },
    of(meta) {
      const cost = calls.get(meta);
      if (cost === undefined) return undefined;
      const { estimated, known, nanoUsd } = cost;
      return known ? { nanoUsd, usd: usdOf(nanoUsd), estimated } : { nanoUsd: null, usd: null, estimated };
    },
    on(tell) {
      if (typeof tell !== "function") throw new ConfigError("costs.on: a function is expected.");
      const entry = { tell };
      listeners = [...listeners, entry];
      return () => {
        listeners = listeners.filter((other) => other !== entry);
      };
    },
  };
  books.set(ledger, {
    list,
    add(record, metas, events, call) {
      addRecord(rowFor(record).tally, record);
      remember(record, metas);
      for (const { tell } of listeners) {
        try {
          tell(record);
        } catch (error) {
          events.emit({ type: "callback-throw", where: "costs", error, callId: record.callId }, call);
        }
      }
      if (events.listening) events.emit(eventOf(record), call);
    },
  });
  return ledger;
}

function eventOf(record: CostRecord): Omit<EventOf<"attempt-cost">, "at" | "client" | "serial"> {
  const { callId, category, estimated, host, model, nanoUsd, savedNanoUsd } = record;
  const saved = savedNanoUsd === undefined ? {} : { savedUsd: dollars(savedNanoUsd) };
  return { type: "attempt-cost", callId, host, model, category, usd: dollars(nanoUsd), ...saved, estimated };
}

/** For sums that may be off by a rounding; the ledger's own are exact. */
const dollars = (nanoUsd: bigint | null): number | null => (nanoUsd === null ? null : Number(nanoUsd) / 1e9);

/** @internal */
export function bookOf(where: string, ledger: unknown): CostBook {
  const book = typeof ledger === "object" && ledger !== null ? books.get(ledger as CostLedger) : undefined;
  if (book !== undefined) return book;
  throw new ConfigError(`${where}: costs must be a ledger that createCostLedger() made.`);
}

interface Row {
  readonly names: Readonly<Record<string, string>>;
  readonly tally: Tally;
}

const OTHER = "(other)";
const DIMENSIONS: readonly string[] = [
  "day",
  "tenant",
  "model",
  "host",
  "account",
  "category",
  "tier",
] satisfies readonly CostDimension[];

function namesOf(record: CostRecord, day: string): Record<CostDimension, string> {
  const { account, category, host, model, tenant, tier } = record;
  // A name that is too long to be one would be kept for days.
  const short = (name: string | null | undefined): string => name?.slice(0, 200) ?? "-";
  return {
    day,
    tenant: short(tenant),
    model: short(model),
    host,
    account: short(account),
    category,
    tier: short(tier),
  };
}

function keyOf(names: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.values(names));
}

function checkDimensions(dimensions: readonly string[]): void {
  if (Array.isArray(dimensions) && dimensions.every((name) => DIMENSIONS.includes(name))) return;
  throw new ConfigError(`costs.by: dimensions must be a list of ${DIMENSIONS.join(", ")}.`);
}

function checkPeriod(period: CostPeriod = {}): void {
  for (const [name, day] of Object.entries(period)) {
    if (!["from", "to"].includes(name))
      throw new ConfigError(`costs: a period has from and to, got "${name}".`);
    if (day !== undefined && !/^\d{4}-\d\d-\d\d$/.test(String(day)))
      throw new ConfigError(`costs: ${name} must be a day in UTC such as "2026-11-23".`);
  }
}
