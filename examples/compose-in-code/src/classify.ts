import {
  bulkhead,
  type Call,
  circuitBreaker,
  type Client,
  createClient,
  type Outcome,
  rateLimit,
  retry,
  type Runtime,
  systemRuntime,
  timeout,
} from "@breakwater/core";
import {
  type ChatAnswer,
  type ChatRequest,
  type CostLedger,
  createCostLedger,
  deepseekUpstream,
  type DeepSeekUpstreamOptions,
} from "@breakwater/deepseek";

import { correctionOf, labelIn, questionOf } from "./question.ts";
import { type Verdict, verdictOf } from "./verdict.ts";

/** What the account may do, or what this script may take of it. */
export interface Limits {
  /** Requests in flight. */
  readonly concurrency: number;
  readonly requestsPerSecond: number;
  readonly tokensPerMinute: number;
}

export interface ClassifierOptions extends Pick<
  DeepSeekUpstreamOptions,
  "apiKey" | "baseURL" | "fetch" | "model"
> {
  readonly limits: Limits;
  /** Time and chance, for tests. */
  readonly runtime?: Runtime;
}

export interface Classifier {
  /** Never throws: a verdict says what to do next. */
  classify(text: string): Promise<Verdict>;
  readonly client: Client<ChatRequest, ChatAnswer>;
  readonly costs: CostLedger;
}

export function createClassifier({
  limits,
  runtime = systemRuntime(),
  ...where
}: ClassifierOptions): Classifier {
  const costs = createCostLedger();
  /** Calls that were answered with something else than a label, and have been told so. */
  const told = new WeakSet<Call<ChatRequest>>();

  function worthAnother(outcome: Outcome<ChatAnswer>, call: Call<ChatRequest>): boolean {
    if (outcome.status !== "answered") return outcome.status === "failed" && outcome.retryable;
    // A wrong label is nobody's outage: it is asked about once more, and never touches the breaker.
    if (labelIn(outcome.value) !== undefined || told.has(call)) return false;
    told.add(call);
    return true;
  }

  const client = createClient(
    { upstream: deepseekUpstream({ ...where, costs }), runtime },
    timeout({ total: "10m" }),
    retry({
      attempts: 6,
      when: worthAnother,
      request: (request, outcome) =>
        outcome.status === "answered" ? correctionOf(request, outcome.value) : request,
    }),
    // With nowhere else to go half an outage is worked through; only a whole one is waited out.
    circuitBreaker({ window: { calls: 40 }, failureRate: 0.9 }),
    bulkhead({ concurrency: limits.concurrency, queue: limits.concurrency * 2, maxWait: "5m" }),
    // The last one before the wire: what it lets go leaves at once, so no second sees more than the limit.
    rateLimit({
      limits: {
        requests: { limit: limits.requestsPerSecond, per: "1s", algorithm: "window" },
        tokens: { limit: limits.tokensPerMinute, per: "1m" },
      },
      wait: "5m",
    }),
    timeout({ name: "clocks", headers: "30s", liveness: "40s" }),
  );

  return {
    client,
    costs,
    // Nobody sits and waits: whoever does, in a program that shares this client, goes first.
    classify: async (text) => verdictOf(await client.outcome(questionOf(text), { priority: "batch" })),
  };
}
