// A world in which everything is counted twice: by what telemetry tells, and by those who know.
import { type BreakwaterEvent, RefusedError, type Watchable } from "@breakwater/core";
import { type CostLedger, createCostLedger, type Fetch } from "@breakwater/deepseek";
import { type Simulator, type SimulatorOptions, startSimulator } from "@breakwater/simulator";
import { createTestClock, seeded, type TestClock } from "@breakwater/testing";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { Registry } from "prom-client";

import { logs } from "../src/index.ts";
import { spans } from "../src/opentelemetry/index.ts";
import { parse, type Sample } from "../src/prometheus/exposition.test-help.ts";
import { metrics } from "../src/prometheus/index.ts";

/** A Monday for which there are prices. */
const MONDAY = "2026-11-23T12:00:00Z";

/** What a caller has seen. */
interface Seen {
  readonly status: "answered" | "cancelled" | "failed" | "refused";
  /** Whether something of an answer reached him. */
  readonly began: boolean;
  readonly refusal?: { readonly by: string; readonly code: string };
}

/** A request as the wire saw it. */
export interface Sent {
  readonly host: string;
  readonly path: string;
  /** Undefined: it broke before there was one. */
  status: number | undefined;
}

export interface World {
  readonly clock: TestClock;
  readonly costs: CostLedger;
  readonly random: () => number;
  readonly sent: readonly Sent[];
  readonly seen: readonly Seen[];
  /** Reaches a host of its own, which does what `faults` says, one of them for each request. */
  host(name: string, faults: readonly string[], options?: SimulatorOptions): Promise<Host>;
  /** Asks as a caller does, and notes what he sees of it. Never rejects. */
  see(ask: (caller: Caller) => Promise<unknown>): Promise<void>;
  /** Both kinds of clocks go on together. */
  advance(ms: number): Promise<void>;
  until(work: Promise<unknown>): Promise<void>;
  watch(...clients: readonly Watchable[]): Told;
  close(): Promise<void>;
}

interface Host {
  readonly sim: Simulator;
  readonly fetch: Fetch;
}

/** Somebody who asks. */
export interface Caller {
  /** Something of the answer is there. */
  begin(): void;
  /** All of it is: to leave makes no difference any more. */
  done(): void;
  readonly signal: AbortSignal;
  leave(): void;
}

/** What all faces tell. */
export interface Told {
  readonly events: readonly BreakwaterEvent[];
  readonly spans: readonly ReadableSpan[];
  readonly lines: readonly Line[];
  scrape(): Promise<readonly Sample[]>;
}

interface Line {
  readonly type: string;
  readonly client: string;
  readonly serial?: number;
  readonly ending?: { readonly status: string };
  readonly attempts?: number;
}

const LEFT = new Error("I have left");

export function createWorld(seed: number): World {
  const clock = createTestClock({ wallStart: Date.parse(MONDAY), seed });
  const random = seeded(seed);
  const sims: Simulator[] = [];
  const sent: Sent[] = [];
  const seen: Seen[] = [];
  const over: (() => void)[] = [];

  async function advance(ms: number): Promise<void> {
    for (let gone = 0; gone < ms; gone += STEP_MS) {
      for (const sim of sims) await sim.advance(STEP_MS);
      await clock.advance(STEP_MS);
    }
  }

  return {
    clock,
    costs: createCostLedger(),
    random,
    sent,
    seen,
    advance,
    async host(name, faults, options = {}) {
      const sim = await startSimulator({
        seed,
        clock: "manual",
        now: MONDAY,
        tickMs: STEP_MS,
        accounts: [{ balanceUsd: 1e6 }],
        capacity: { slots: 5_000, queue: 5_000 },
        text: { contentMedian: 12, reasoningMedian: 6 },
        ...options,
      });
      sims.push(sim);
      return {
        sim,
        async fetch(input, init) {
          const url = new URL(input instanceof Request ? input.url : input);
          // What is asked beside all calls: whether an account has credit again, whether a key is taken.
          if (/^\/(models|user\/balance)$/.test(url.pathname)) return sim.fetch(input, init);
          const note: Sent = { host: name, path: url.pathname, status: undefined };
          sent.push(note);
          const headers = new Headers(init?.headers);
          const fault = faults[Math.floor(random() * faults.length)] ?? "none";
          if (fault !== "none") headers.set("x-sim-fault", fault);
          const response = await sim.fetch(input, { ...init, headers });
          note.status = response.status;
          return response;
        },
      };
    },
    async see(ask) {
      const leaving = new AbortController();
      let began = false;
      let done = false;
      const caller: Caller = {
        begin: () => void (began = true),
        done: () => void (began = done = true),
        signal: leaving.signal,
        leave: () => leaving.abort(LEFT),
      };
      try {
        await ask(caller);
        seen.push({ status: leaving.signal.aborted && !done ? "cancelled" : "answered", began });
      } catch (error) {
        if (error === LEFT) seen.push({ status: "cancelled", began });
        else if (RefusedError.isInstance(error)) {
          seen.push({ status: "refused", began, refusal: error.refusal });
        } else seen.push({ status: "failed", began });
      }
    },
    async until(work) {
      let settled = false;
      const done = (): void => void (settled = true);
      work.then(done, done);
      for (let gone = 0; !settled && gone < 3_600_000; gone += STEP_MS) await advance(STEP_MS);
      if (!settled) throw new Error("it is not over in an hour");
      await work;
    },
    watch(...clients) {
      const events: BreakwaterEvent[] = [];
      const lines: Line[] = [];
      const exporter = new InMemorySpanExporter();
      const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
      const { close, register } = metrics(clients, { register: new Registry(), runtime: clock });
      const write = ({ breakwater }: { readonly breakwater: Line }): void => void lines.push(breakwater);
      over.push(
        close,
        spans(clients, { tracer: tracers.getTracer("truth"), runtime: clock }),
        logs(clients, { debug: write, info: write, warn: write, error: write }, { runtime: clock, sumUp: 0 }),
      );
      // One event may come from two of them.
      const listen = (event: BreakwaterEvent): void => {
        if (events.at(-1) !== event) events.push(event);
      };
      for (const client of clients) over.push(client.on(listen));
      return {
        events,
        lines,
        get spans() {
          return exporter.getFinishedSpans();
        },
        scrape: async () => parse(await register.metrics()),
      };
    },
    async close() {
      for (const end of over) end();
      for (const sim of sims) await sim.close();
    },
  };
}

const STEP_MS = 20;

/** What there is of each, sorted. */
export function tally(names: Iterable<string>): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of [...names].toSorted()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** The samples of a metric, added up by these labels; those that are zero are left out. */
export function sumBy(
  samples: readonly Sample[],
  name: string,
  labels: readonly string[],
  where: (labels: Sample["labels"]) => boolean = () => true,
): Readonly<Record<string, number>> {
  const sums = new Map<string, number>();
  for (const sample of samples) {
    if (sample.name !== `breakwater_${name}` || sample.value === 0 || !where(sample.labels)) continue;
    const key = labels.map((label) => sample.labels[label] ?? "").join(" ");
    sums.set(key, (sums.get(key) ?? 0) + sample.value);
  }
  return Object.fromEntries([...sums].toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
