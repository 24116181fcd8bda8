import type { Link } from "../../internal/linked.ts";
import type { StoreReply } from "../../store.ts";
import { createRunning } from "./running.ts";
import { createWindow, type Sample, type Totals, type Window, type WindowOptions } from "./window.ts";

export interface BreakerConfig {
  readonly window: WindowOptions;
  /** Opens at this share of failures or more; 0.5 is one half. */
  readonly failureRate: number;
  /** Opens at this share of slow calls or more. */
  readonly slowRate: number;
  readonly minimumCalls: number;
  readonly openForMs: number;
  readonly maxOpenForMs: number;
  /** Calls let through at once while half-open; as many must succeed to close. */
  readonly probes: number;
  /** A probe that says nothing for this long has lost its permit. */
  readonly probeLeaseMs: number;
  /** After closing, the share let through grows from a tenth to all within this time. 0: all at once. */
  readonly rampMs: number;
}

export type BreakerStatus = "closed" | "open" | "half-open" | "forced-open" | "forced-closed";

/** What admits a call, and fences its result: one that belongs to an earlier epoch changes nothing. */
export interface Ticket {
  readonly epoch: number;
  readonly probe: boolean;
  readonly startedAt: number;
  /** Its place among those of which no result is known yet. */
  running?: Link<number> | undefined;
  /** Whether it counts as a probe that went well since its first token. */
  begun?: boolean;
  /** The epoch in which its first token closed the circuit, if it did. */
  closed?: number;
  /** Where it is counted as gone well, from its first token on. */
  sample?: Sample;
}

/** `transition`: what has changed with it. A shared store says so also of a refusal, when others changed it. */
export type Admission = StoreReply & { readonly transition?: Transition } & (
    | { readonly ticket: Ticket }
    | { readonly retryAfterMs: number }
  );
export type Result = "success" | "failure" | "ignored";
export type Transition = "open" | "half-open" | "close";

export interface BreakerSnapshot extends Totals {
  readonly status: BreakerStatus;
  readonly epoch: number;
  /** Until probes are let through; 0 unless open. */
  readonly openForMs: number;
  /** How often it opened since it was last well. */
  readonly openings: number;
}

/** The state machine of one circuit. Open is compared with the clock, so there is no timer that could be lost. */
export interface BreakerState {
  admit(now: number, random: number): Admission;
  /** The final result of an admitted call. `slow` counts beside failure. @returns what it changed. */
  record(ticket: Ticket, result: Result, slow: boolean, now: number, trip?: boolean): Transition | undefined;
  /**
   * First token: it went well so far, though it may be minutes to its end. Counts as a success, and is good enough
   * for a probe; a later failure takes it back.
   */
  provisional(ticket: Ticket, now: number, slow?: boolean): Transition | undefined;
  /** Holds it open or closed whatever happens; `undefined` lets it go on from closed. */
  force(to: "open" | "closed" | undefined, now: number): void;
  /** Others decided it: open until `at`, or closed since then. What was counted here until now is of the past. */
  follow(to: "open" | "closed", at: number, openings: number): void;
  configure(config: BreakerConfig): void;
  snapshot(now: number): BreakerSnapshot;
  /** Closed, and not just recovered: little is lost when it is forgotten. */
  readonly well: boolean;
}

/**
 * One circuit in this process. For who writes a store: one that shares circuits counts with it, since each process sees
 * its own calls best, and lets it `follow` what is decided together.
 *
 * @example
 * ```ts
 * import { createBreakerState } from "@breakwater/core";
 *
 * const circuit = createBreakerState({
 *   window: { calls: 10 },
 *   failureRate: 0.5,
 *   slowRate: 1,
 *   minimumCalls: 1,
 *   openForMs: 1_000,
 *   maxOpenForMs: 60_000,
 *   probes: 1,
 *   probeLeaseMs: 60_000,
 *   rampMs: 0,
 * });
 * const admission = circuit.admit(0, 0.5);
 * if ("ticket" in admission) circuit.record(admission.ticket, "failure", false, 10); // => "open"
 * circuit.admit(500, 0.5); // => { retryAfterMs: 510 }
 * ```
 */
export function createBreakerState(initial: BreakerConfig): BreakerState {
  let config = initial;
  let window: Window = createWindow(config.window);
  let status: BreakerStatus = "closed";
  /** Raised by every transition: a result knows by it whether it is late. */
  let epoch = 0;
  let openUntil = 0;
  let openings = 0;
  let closedAt = -Infinity;
  let successes = 0;
  let leases = new Map<Ticket, number>();
  const running = createRunning();

  function enter(next: "closed" | "open" | "half-open", now: number): void {
    status = next;
    epoch++;
    leases = new Map();
    successes = 0;
    window.clear();
    running.clear();
    if (next === "closed") closedAt = now;
  }

  function open(now: number): Transition {
    const openFor = Math.min(config.maxOpenForMs, config.openForMs * 2 ** Math.min(openings, 30));
    openings++;
    enter("open", now);
    openUntil = now + openFor;
    return "open";
  }

  function close(now: number): Transition {
    enter("closed", now);
    return "close";
  }

  function stop(ticket: Ticket): void {
    if (ticket.running !== undefined) running.stop(ticket.running);
    ticket.running = undefined;
  }

  function mustOpen(now: number): boolean {
    const { calls, failures, slow } = window.totals(now);
    if (calls < config.minimumCalls) return false;
    if (slow / calls >= config.slowRate) return true;
    // The dear question, who may still go well, is asked only when the rest would open the circuit.
    return (
      failures / calls >= config.failureRate &&
      failures / (calls + running.hopeful(now)) >= config.failureRate
    );
  }

  function admitProbe(now: number): Admission {
    for (const [ticket, until] of leases) if (until <= now) leases.delete(ticket);
    // Fewer may be asked for by now than have gone well: one more has the last word.
    successes = Math.min(successes, config.probes - 1);
    if (leases.size + successes >= config.probes) return { retryAfterMs: nextLeaseEnd(now) };
    const ticket: Ticket = { epoch, probe: true, startedAt: now };
    leases.set(ticket, now + config.probeLeaseMs);
    return { ticket };
  }

  function nextLeaseEnd(now: number): number {
    let first = Infinity;
    for (const until of leases.values()) first = Math.min(first, until - now);
    return Number.isFinite(first) ? first : config.probeLeaseMs;
  }

  function succeeded(ticket: Ticket, now: number): Transition | undefined {
    if (!leases.delete(ticket)) return undefined; // its lease is over: somebody else probes
    if (++successes < config.probes) return undefined;
    return close(now);
  }

  return {
    admit(now, random) {
      switch (status) {
        case "forced-open":
          return { retryAfterMs: config.openForMs };
        case "forced-closed":
          return { ticket: { epoch, probe: false, startedAt: now } };
        case "open":
          if (now < openUntil) return { retryAfterMs: openUntil - now };
          enter("half-open", now);
          return { ...admitProbe(now), transition: "half-open" };
        case "half-open":
          return admitProbe(now);
        case "closed": {
          const ramp = config.rampMs === 0 ? 1 : Math.max(0.1, (now - closedAt) / config.rampMs);
          if (openings > 0 && ramp < 1 && random >= ramp)
            return { retryAfterMs: closedAt + config.rampMs - now };
          return { ticket: { epoch, probe: false, startedAt: now, running: running.start(now) } };
        }
      }
    },

    record(ticket, result, slow, now, trip = false) {
      if (status === "forced-open" || status === "forced-closed") return undefined;
      if (ticket.closed !== undefined && ticket.closed === epoch && result === "failure") return open(now);
      if (ticket.epoch !== epoch) return undefined;
      stop(ticket);
      if (result === "ignored") {
        leases.delete(ticket);
        return undefined;
      }
      if (status === "half-open") {
        if (result === "success" && !slow) return succeeded(ticket, now);
        return leases.has(ticket) || ticket.begun === true ? open(now) : undefined;
      }
      if (result === "success" && ticket.sample === undefined) running.good(ticket.startedAt, now);
      if (ticket.sample === undefined) window.add(result === "failure", slow, now);
      else if (result === "failure") window.spoil(ticket.sample, now);
      if (trip || mustOpen(now)) return open(now);
      // Well again for a whole minimum of calls: the next opening starts from the shortest time.
      if (openings > 0 && window.totals(now).calls >= config.minimumCalls) openings = 0;
      return undefined;
    },

    provisional(ticket, now, slow = false) {
      if (ticket.epoch !== epoch) return undefined;
      if (status === "closed" && ticket.sample === undefined) {
        stop(ticket);
        running.good(ticket.startedAt, now);
        ticket.sample = window.add(false, slow, now);
        return mustOpen(now) ? open(now) : undefined;
      }
      if (status !== "half-open") return undefined;
      ticket.begun ||= leases.has(ticket);
      const transition = succeeded(ticket, now);
      if (transition === "close") ticket.closed = epoch;
      return transition;
    },

    force(to, now) {
      enter("closed", now);
      openings = 0;
      if (to !== undefined) status = to === "open" ? "forced-open" : "forced-closed";
    },

    follow(to, at, opened) {
      enter(to, at);
      openings = opened;
      if (to === "open") openUntil = at;
    },

    configure(next) {
      const resized = JSON.stringify(next.window) !== JSON.stringify(config.window);
      config = next;
      if (resized) window = createWindow(config.window);
    },

    snapshot(now) {
      return {
        status,
        epoch,
        openForMs: status === "open" ? Math.max(0, openUntil - now) : 0,
        openings,
        ...window.totals(now),
      };
    },

    get well() {
      return status === "closed" && openings === 0;
    },
  };
}
