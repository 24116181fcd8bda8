import {
  type Admission,
  type BreakerAsk,
  type BreakerConfig,
  type BreakerSnapshot,
  type BreakerState,
  createBreakerState,
  type Runtime,
  type Ticket,
  type Transition,
} from "@breakwater/core";

import { readShared, type ServerClock, type Shared } from "./shared.ts";

/**
 * For how long what was last heard of a circuit is believed without asking again: a fifth of the usual time of being
 * open. Hints make it milliseconds; this is for when they are lost, and costs a process one question per second.
 */
const FRESH_MS = 1_000;

/** The same while all probes are out: that changes with each of their results, of which nobody is told. */
const PROBING_MS = 100;

/** What this process knows of one circuit. */
export interface Circuit {
  readonly name: string;
  readonly key: string;
  /** Its keys in Redis: state, probes, votes. */
  readonly keys: readonly [string, string, string];
  config: BreakerConfig;
  /** As Redis had it when it was last heard of. */
  readonly shared: Shared | undefined;
  /** Whether that can be believed without asking. */
  readonly fresh: boolean;
  /** What this process counts. It follows the shared circuit, so that it can go on from there when Redis is away. */
  readonly own: BreakerState;
  /** For how long it is open for this process alone, in ms. */
  readonly aloneMs: number;
  /** Closed, and of no interest to anybody: it may be forgotten. */
  readonly well: boolean;
  /** An ask was made: its clock may be another than the store's. */
  tick(now: number): void;
  /** By the clock of the asks. */
  now(): number;
  /**
   * Redis says how it is. An epoch that goes back is none: Redis has lost the circuit, and is told.
   *
   * @returns whether that is another epoch than before, so that what was counted is of the past
   */
  hear(text: string): boolean;
  /** What it said last, word for word. */
  readonly text: string;
  /** Redis said that all probes are out, for so long. */
  probing(waitMs: number): void;
  /** It may have changed: asks again before it believes. */
  doubt(): void;
  /** For how long it is certainly not let through, in ms; `undefined`: ask on. */
  shut(): number | undefined;
  /** Whether this process decides, having heard of nothing else. */
  readonly ours: boolean;
  /** What has changed since this process was told last. Tells it only once. */
  news(): Transition | undefined;
  /** The process is told of it. */
  told(transition: Transition): void;
  /** Admits by its own count, whatever that says: the others have. */
  admitAnyway(ask: BreakerAsk): Admission;
  snapshot(now: number, away: boolean): BreakerSnapshot;
}

export interface CircuitOptions {
  readonly name: string;
  readonly key: string;
  readonly keys: readonly [string, string, string];
  readonly config: BreakerConfig;
  readonly runtime: Runtime;
  readonly clock: ServerClock;
  /** Redis knows less of it than this process. */
  readonly lost: (circuit: Circuit) => void;
}

export function createCircuit(options: CircuitOptions): Circuit {
  const { name, key, keys, config, runtime, clock, lost } = options;
  const own = createBreakerState(config);
  let shared: Shared | undefined;
  let text: string | undefined;
  let heardAt = -Infinity;
  let probesOutUntil = -Infinity;
  /** The clock of the asks, ahead of that of the store. */
  let ahead = 0;
  let toldOpen = false;
  let news: "open" | "close" | undefined;
  let given = config;

  const now = (): number => runtime.now() + ahead;
  /** A time of the server by the clock of the asks. */
  const here = (us: number): number => now() + (us - clock.now()) / 1_000;
  const msUntil = (us: number): number => (us - clock.now()) / 1_000;

  /** A server whose clock was set back has times that lie too far ahead. */
  function follow({ status, until, openings, closedAt }: Shared): void {
    switch (status) {
      case "open":
        return own.follow("open", Math.min(here(until), now() + given.maxOpenForMs), openings);
      case "half-open":
        // Should Redis go away now, this process sends a probe of its own.
        return own.follow("open", now(), openings);
      case "closed":
        return own.follow("closed", Math.min(here(closedAt), now()), openings);
      case "forced-open":
      case "forced-closed":
        return own.force(status === "forced-open" ? "open" : "closed", now());
    }
  }

  const circuit: Circuit = {
    name,
    key,
    keys,
    own,
    get config() {
      return given;
    },
    set config(next) {
      given = next;
      own.configure(next);
    },
    get shared() {
      return shared;
    },
    get text() {
      return text ?? "";
    },
    get fresh() {
      return runtime.now() - heardAt < FRESH_MS;
    },
    get aloneMs() {
      return circuit.ours ? own.snapshot(now()).openForMs : 0;
    },
    get well() {
      return own.well && (shared === undefined || shared.status === "closed");
    },
    get ours() {
      return shared === undefined || shared.status === "closed" || shared.status === "forced-closed";
    },
    tick(at) {
      ahead = at - runtime.now();
    },
    now,
    hear(said) {
      if (said === text) {
        heardAt = runtime.now();
        return false;
      }
      const next = readShared(said);
      if (shared !== undefined && next.epoch < shared.epoch) {
        lost(circuit);
        return false;
      }
      const changed =
        shared === undefined
          ? next.epoch !== 0
          : next.epoch !== shared.epoch || next.status !== shared.status;
      shared = next;
      text = said;
      heardAt = runtime.now();
      if (changed) {
        probesOutUntil = -Infinity;
        follow(next);
        // What is done by hand is not told: whoever did it knows.
        const open = next.status === "open" || next.status === "half-open";
        if (open !== toldOpen && (open || next.status === "closed")) news = open ? "open" : "close";
      }
      return changed;
    },
    probing(waitMs) {
      probesOutUntil = runtime.now() + waitMs;
    },
    doubt() {
      heardAt = -Infinity;
      probesOutUntil = -Infinity;
    },
    shut() {
      if (shared === undefined) return undefined;
      if (shared.status === "forced-open") return given.openForMs;
      if (shared.status === "open") {
        const ms = msUntil(shared.until);
        return ms > 0 ? ms : undefined;
      }
      if (shared.status !== "half-open" || runtime.now() - heardAt >= PROBING_MS) return undefined;
      const ms = probesOutUntil - runtime.now();
      return ms > 0 ? ms : undefined;
    },
    news() {
      const told = news;
      if (told !== undefined) circuit.told(told);
      return told;
    },
    told(transition) {
      toldOpen = transition !== "close";
      news = undefined;
    },
    admitAnyway(ask) {
      const admission = own.admit(ask.now, 0);
      return "ticket" in admission ? admission : { ticket: untold(ask.now) };
    },
    snapshot(at, away) {
      const mine = own.snapshot(at);
      if (shared === undefined) return mine;
      if (away || shared.status === "closed") return { ...mine, epoch: shared.epoch };
      return {
        ...mine,
        epoch: shared.epoch,
        status: shared.status,
        openForMs: shared.status === "open" ? Math.max(0, msUntil(shared.until)) : 0,
        openings: shared.openings,
      };
    },
  };
  return circuit;
}

/** Lets a call through of which nothing is counted. */
export function untold(now: number): Ticket {
  return { epoch: -1, probe: false, startedAt: now };
}
