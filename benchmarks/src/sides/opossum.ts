import CircuitBreaker from "opossum";

import { ANSWER, forever, noop, type Subject, type Subjects } from "../subject.ts";

/** What its documentation says to switch off when nobody listens: percentiles and snapshots. */
const LEAN = { rollingPercentilesEnabled: false, enableSnapshots: false } as const;

type Work = (request: number) => Promise<number>;

function subject(work: Work, options: CircuitBreaker.Options, comes: Subject["comes"] = "answer"): Subject {
  const breaker = new CircuitBreaker(work, { ...LEAN, ...options });
  return { call: () => breaker.fire(1), comes };
}

/** Its one signal for all calls is the documented way to abort. */
function attentive(options: CircuitBreaker.Options): Subject {
  const abortController = new AbortController();
  const work = async (): Promise<number> => {
    abortController.signal.throwIfAborted();
    return ANSWER;
  };
  return subject(work, { ...options, abortController });
}

/** Breaker, capacity and timeout are one thing here, and there is no retry: less is done than in the other stacks. */
const stack = { timeout: false, capacity: 100 } as const;
const stackTimeout = { timeout: 10_000, capacity: 100 } as const;

export const subjects: Subjects = {
  "circuit-breaker": () => subject(noop, { timeout: false }),
  timeout: () => subject(noop, { timeout: 10_000 }),
  "cache-hit": () => subject(noop, { timeout: false, cache: true, cacheGetKey: String }),
  stack: () => subject(noop, stack),
  "stack-signal": () => attentive(stack),
  "stack-timeout": () => subject(noop, stackTimeout),
  "stack-timeout-signal": () => attentive(stackTimeout),

  "refused-full"() {
    // A full semaphore would count as a failure and open the circuit: the filter is its documented way to say no.
    const errorFilter = (error: { readonly code?: string }): boolean => error.code === "ESEMLOCKED";
    const full = subject(forever, { timeout: false, capacity: 1, errorFilter }, "throw");
    void full.call();
    return full;
  },

  "refused-open"() {
    const breaker = new CircuitBreaker(noop, { ...LEAN, timeout: false, resetTimeout: 3_600_000 });
    breaker.open();
    return { call: () => breaker.fire(), comes: "throw" };
  },
};
