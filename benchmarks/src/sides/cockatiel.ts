import {
  bulkhead,
  circuitBreaker,
  ConsecutiveBreaker,
  ExponentialBackoff,
  fallback,
  handleAll,
  retry,
  SamplingBreaker,
  timeout,
  TimeoutStrategy,
  wrap,
} from "cockatiel";

import { ANSWER, forever, noop, type Subject, type Subjects } from "../subject.ts";

type Work = (context: { readonly signal: AbortSignal }) => Promise<number>;

const attentive: Work = async ({ signal }) => {
  signal.throwIfAborted();
  return ANSWER;
};

/** As much of a policy as is used here; they differ in what else they may return. */
interface Executes {
  execute(work: Work): Promise<number>;
}

const subject = (policy: Executes, work: Work = noop, comes: Subject["comes"] = "answer"): Subject => ({
  call: () => policy.execute(work),
  comes,
});

// `maxAttempts` counts the retries, so this asks three times at most.
const retries = () => retry(handleAll, { maxAttempts: 2, backoff: new ExponentialBackoff() });
const breaker = () =>
  circuitBreaker(handleAll, {
    halfOpenAfter: 5_000,
    breaker: new SamplingBreaker({ threshold: 0.5, duration: 30_000 }),
  });

/** Over deaf work only the aggressive strategy is a timeout; work that watches its signal is content with the other. */
const { Aggressive, Cooperative } = TimeoutStrategy;

/** `keep`: its option `abortOnReturn: false`, which spares each call an abort and is needed for bodies that stream. */
const clock = (strategy: TimeoutStrategy, keep = false) =>
  timeout(10_000, keep ? { strategy, abortOnReturn: false } : strategy);

const stack = () => wrap(retries(), breaker(), bulkhead(100));
const stackTimeout = (strategy: TimeoutStrategy, keep = false) =>
  wrap(retries(), breaker(), bulkhead(100), clock(strategy, keep));

export const subjects: Subjects = {
  retry: () => subject(retries()),
  "circuit-breaker": () => subject(breaker()),
  bulkhead: () => subject(bulkhead(100)),
  timeout: () => subject(clock(Aggressive)),
  "timeout/keep": () => subject(clock(Aggressive, true)),
  fallback: () => subject(fallback(handleAll, 0)),
  stack: () => subject(stack()),
  "stack-signal": () => subject(stack(), attentive),
  "stack-timeout": () => subject(stackTimeout(Aggressive)),
  "stack-timeout/keep": () => subject(stackTimeout(Aggressive, true)),
  "stack-timeout-signal": () => subject(stackTimeout(Cooperative), attentive),
  "stack-timeout-signal/keep": () => subject(stackTimeout(Cooperative, true), attentive),

  "refused-full"() {
    const policy = bulkhead(1);
    void policy.execute(forever);
    return subject(policy, noop, "throw");
  },

  async "refused-open"() {
    const policy = circuitBreaker(handleAll, {
      halfOpenAfter: 3_600_000,
      breaker: new ConsecutiveBreaker(1),
    });
    await policy.execute(() => Promise.reject(new Error("down"))).catch(() => undefined);
    return subject(policy, noop, "throw");
  },
};
