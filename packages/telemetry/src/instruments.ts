/** What a series is told apart by. */
export type LabelName =
  | "account"
  | "because"
  | "category"
  | "change"
  | "client"
  | "clock"
  | "code"
  | "direction"
  | "kind"
  | "mode"
  | "model"
  | "outcome"
  | "policy"
  | "result"
  | "source"
  | "state"
  | "status"
  | "target"
  | "tenant"
  | "to"
  | "type"
  | "unit";

/**
 * How many values of a label are told apart; further ones are `other`. All instruments have them in common: what is a
 * model of its own in one of them is one in all.
 */
export const MAX_VALUES: Readonly<Record<LabelName, number>> = {
  account: 50,
  because: 20,
  category: 20,
  change: 20,
  client: 50,
  clock: 20,
  code: 50,
  direction: 20,
  kind: 50,
  mode: 20,
  model: 20,
  outcome: 20,
  policy: 50,
  result: 20,
  source: 20,
  state: 20,
  status: 40,
  target: 20,
  tenant: 50,
  to: 20,
  type: 20,
  unit: 20,
};

/** Labels whose values somebody else chooses; all others have a handful that are ours. */
export const OPEN_LABELS: readonly LabelName[] = [
  "account",
  "client",
  "code",
  "kind",
  "model",
  "policy",
  "status",
  "target",
  "tenant",
  "to",
];

/** Histograms that share their bounds. */
export type BucketName = "duration" | "firstToken" | "queueWait" | "storeDecision";

/**
 * Upper bounds, in seconds. Made for what language models take: a first token may wait for minutes in DeepSeek's queue,
 * and an answer with 64K tokens of thinking takes ten.
 */
export const BUCKETS: Readonly<Record<BucketName, readonly number[]>> = {
  duration: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600],
  firstToken: [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 180],
  queueWait: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60],
  storeDecision: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
};

/** What one metric is. Prometheus and OpenTelemetry tell the same ones, each in its own way. */
export interface Instrument {
  readonly key: InstrumentKey;
  /** In Prometheus, behind the prefix. */
  readonly prometheus: string;
  /** In OpenTelemetry. */
  readonly otel: string;
  /** Counters only grow, histograms tell how values are spread, gauges what is true now. */
  readonly type: "counter" | "gauge" | "histogram";
  /** As UCUM spells it. */
  readonly unit: string;
  readonly help: string;
  readonly labels: readonly LabelName[];
  /** Has the label `tenant` where tenants are asked for. */
  readonly perTenant?: true;
  /** Of a histogram. */
  readonly buckets?: BucketName;
}

export type InstrumentKey =
  | "accountState"
  | "attemptDuration"
  | "attemptFirstToken"
  | "attempts"
  | "breakerCircuits"
  | "breakerTransitions"
  | "cacheBytes"
  | "cacheEntries"
  | "cacheReads"
  | "cacheRefreshes"
  | "callDuration"
  | "callbackErrors"
  | "calls"
  | "callsInFlight"
  | "clockExpirations"
  | "configMismatches"
  | "costSavedUsd"
  | "costUnknown"
  | "costUsd"
  | "draining"
  | "fallbacks"
  | "firstToken"
  | "hints"
  | "keyDisabled"
  | "limitChanges"
  | "permitLimit"
  | "permitUsage"
  | "permits"
  | "policyChanges"
  | "policyMode"
  | "queueLength"
  | "queueWait"
  | "rateLimitRemaining"
  | "refusals"
  | "retries"
  | "retryBudgetAvailable"
  | "retryStops"
  | "storeDecision"
  | "storeDecisions"
  | "storeDegraded"
  | "storeFailures"
  | "streamBreaks"
  | "streamResumes"
  | "tokens"
  | "wouldRefusals";

type Given = Omit<Instrument, "key" | "type">;

const TABLE: Readonly<Record<Instrument["type"], Readonly<Partial<Record<InstrumentKey, Given>>>>> = {
  counter: {
    calls: {
      prometheus: "calls_total",
      otel: "breakwater.calls",
      unit: "{call}",
      help: "Calls that are over. A call to a client inside another client's work is a call of each. kind: of an answer fresh, hit, stale, join or fallback; of a failure overload, upstream, caller, timeout or store; of a refusal its code; of a cancelled call caller, discarded or draining.",
      labels: ["client", "outcome", "kind"],
      perTenant: true,
    },
    attempts: {
      prometheus: "attempts_total",
      otel: "breakwater.attempts",
      unit: "{attempt}",
      help: "Requests that left for an upstream, counted when they are over, by the client that sent them and by no other client around it. What several calls share is one. target: the host; empty for functions such as those of a pipeline, which may ask hosts themselves: add up what has a target. status: the HTTP status of a failure, or the one that stands for an error in a body; kind as of calls.",
      labels: ["client", "target", "outcome", "kind", "status"],
    },
    tokens: {
      prometheus: "tokens_total",
      otel: "breakwater.tokens",
      unit: "{token}",
      help: "Tokens that attempts used, counted by the client that sent them, as the upstream told them or, where it did not, as they were estimated. cached_prompt is a part of prompt, reasoning a part of completion: do not add them up.",
      labels: ["client", "model", "type"],
      perTenant: true,
    },
    costUsd: {
      prometheus: "cost_usd_total",
      otel: "breakwater.cost",
      unit: "{USD}",
      help: "What attempts cost, in US dollars, told when their call is over. category: useful, or what it was wasted on.",
      labels: ["client", "model", "category"],
      perTenant: true,
    },
    costSavedUsd: {
      prometheus: "cost_saved_usd_total",
      otel: "breakwater.cost.saved",
      unit: "{USD}",
      help: "What answers that were there already, or were shared, would have cost, in US dollars.",
      labels: ["client", "model"],
      perTenant: true,
    },
    costUnknown: {
      prometheus: "cost_unknown_total",
      otel: "breakwater.cost.unknown",
      unit: "{attempt}",
      help: "Attempts whose cost nobody knows, since their model has no price or their tokens were not told: the cost lacks them.",
      labels: ["client", "model"],
    },
    retries: {
      prometheus: "retries_total",
      otel: "breakwater.retries",
      unit: "{retry}",
      help: "Decisions to try again. A few of these attempts are not made: the caller leaves while they wait, or a policy further in refuses them.",
      labels: ["client", "policy"],
    },
    retryStops: {
      prometheus: "retry_stops_total",
      otel: "breakwater.retry.stops",
      unit: "{call}",
      help: "Calls that were not made again though their failure called for it. because: attempts, budget, deadline, nested or not-idempotent.",
      labels: ["client", "policy", "because"],
    },
    refusals: {
      prometheus: "refusals_total",
      otel: "breakwater.refusals",
      unit: "{refusal}",
      help: "Refusals by policies. A call may go on after one, to a fallback, or come to several of them by its retries; see calls for how calls end.",
      labels: ["client", "policy", "code"],
    },
    wouldRefusals: {
      prometheus: "would_refusals_total",
      otel: "breakwater.would_refusals",
      unit: "{refusal}",
      help: "What policies in shadow mode would have refused.",
      labels: ["client", "policy", "code"],
    },
    breakerTransitions: {
      prometheus: "breaker_transitions_total",
      otel: "breakwater.breaker.transitions",
      unit: "{transition}",
      help: "Circuits that changed, as this process noticed it. to: open, half-open or closed.",
      labels: ["client", "policy", "to"],
    },
    clockExpirations: {
      prometheus: "clock_expirations_total",
      otel: "breakwater.clock.expirations",
      unit: "{expiration}",
      help: "Clocks of timeouts that ran out.",
      labels: ["client", "policy", "clock"],
    },
    limitChanges: {
      prometheus: "limit_changes_total",
      otel: "breakwater.limit.changes",
      unit: "{change}",
      help: "Changes of limits that follow the upstream. direction: up or down.",
      labels: ["client", "policy", "direction"],
    },
    cacheReads: {
      prometheus: "cache_reads_total",
      otel: "breakwater.cache.reads",
      unit: "{read}",
      help: "What a cache knew. result: hit, stale, miss or join (an attempt of somebody else's was shared).",
      labels: ["client", "policy", "result"],
    },
    cacheRefreshes: {
      prometheus: "cache_refreshes_total",
      otel: "breakwater.cache.refreshes",
      unit: "{refresh}",
      help: "Answers that a cache asked for again in the background. result: kept or failed.",
      labels: ["client", "policy", "result"],
    },
    fallbacks: {
      prometheus: "fallbacks_total",
      otel: "breakwater.fallbacks",
      unit: "{fallback}",
      help: "Calls that went on to a fallback, whatever came of it there.",
      labels: ["client", "policy", "to"],
    },
    streamResumes: {
      prometheus: "stream_resumes_total",
      otel: "breakwater.stream.resumes",
      unit: "{resume}",
      help: "Streams that broke off and were continued.",
      labels: ["client", "policy"],
    },
    streamBreaks: {
      prometheus: "stream_breaks_total",
      otel: "breakwater.stream.breaks",
      unit: "{stream}",
      help: "Streams that broke off and were not continued, and why. Those of clients without resume() are failed calls only.",
      labels: ["client", "policy", "because"],
    },
    storeDecisions: {
      prometheus: "store_decisions_total",
      otel: "breakwater.store.decisions",
      unit: "{decision}",
      help: "Decisions of policies over a shared store. source: store, or while it is away local, open or closed.",
      labels: ["client", "policy", "kind", "source"],
    },
    storeFailures: {
      prometheus: "store_failures_total",
      otel: "breakwater.store.failures",
      unit: "{failure}",
      help: "What a store was asked and failed to do.",
      labels: ["client", "policy"],
    },
    configMismatches: {
      prometheus: "config_mismatches_total",
      otel: "breakwater.config.mismatches",
      unit: "{mismatch}",
      help: "How often a policy over a shared store found that another process gives it other numbers, such as in the middle of a deployment. The lower ones hold.",
      labels: ["client", "policy"],
    },
    policyChanges: {
      prometheus: "policy_changes_total",
      otel: "breakwater.policy.changes",
      unit: "{change}",
      help: "Changes by hand. change: force-open, force-closed, force-auto, mode-enforce, mode-shadow, mode-off, or update of other options.",
      labels: ["client", "policy", "kind", "change"],
    },
    callbackErrors: {
      prometheus: "callback_errors_total",
      otel: "breakwater.callback.errors",
      unit: "{error}",
      help: "Callbacks of the application's that threw where their result is not needed.",
      labels: ["client"],
    },
    hints: {
      prometheus: "hints_total",
      otel: "breakwater.hints",
      unit: "{hint}",
      help: "Hints at something that is allowed and hardly meant; the log has their text.",
      labels: ["client"],
    },
  },
  histogram: {
    callDuration: {
      prometheus: "call_duration_seconds",
      otel: "breakwater.call.duration",
      unit: "s",
      help: "A whole call, all of its attempts and waits, a stream to its last token.",
      labels: ["client", "outcome"],
      buckets: "duration",
    },
    firstToken: {
      prometheus: "first_token_seconds",
      otel: "breakwater.first_token",
      unit: "s",
      help: "From the start of a call to its first token, our own waits included; of an answer that comes whole, to that. Without answers that a cache had.",
      labels: ["client"],
      buckets: "firstToken",
    },
    attemptDuration: {
      prometheus: "attempt_duration_seconds",
      otel: "breakwater.attempt.duration",
      unit: "s",
      help: "One request, from when it left to its end, a stream to its last token.",
      labels: ["client", "target", "outcome"],
      buckets: "duration",
    },
    attemptFirstToken: {
      prometheus: "attempt_first_token_seconds",
      otel: "breakwater.attempt.first_token",
      unit: "s",
      help: "One request, from when it left to its first token; of an answer that comes whole, to that.",
      labels: ["client", "target"],
      buckets: "firstToken",
    },
    queueWait: {
      prometheus: "queue_wait_seconds",
      otel: "breakwater.queue.wait",
      unit: "s",
      help: "Waits for a permit or for the turn in a rate limit, also those that came to nothing.",
      labels: ["client", "policy"],
      buckets: "queueWait",
    },
    storeDecision: {
      prometheus: "store_decision_seconds",
      otel: "breakwater.store.decision",
      unit: "s",
      help: "How long a shared store took to decide. Policies that are decided together tell the one round trip each.",
      labels: ["client", "policy"],
      buckets: "storeDecision",
    },
  },
  gauge: {
    callsInFlight: {
      prometheus: "calls_in_flight",
      otel: "breakwater.calls.in_flight",
      unit: "{call}",
      help: "Calls that are not over, streams that are still being read and work that goes on after its call among them.",
      labels: ["client"],
    },
    draining: {
      prometheus: "draining",
      otel: "breakwater.draining",
      unit: "{client}",
      help: "Clients of this name that take no more calls.",
      labels: ["client"],
    },
    retryBudgetAvailable: {
      prometheus: "retry_budget_available",
      otel: "breakwater.retry.budget.available",
      unit: "{retry}",
      help: "Retries that could be made now.",
      labels: ["client"],
    },
    permits: {
      prometheus: "permits",
      otel: "breakwater.permits",
      unit: "{permit}",
      help: "Permits in use, of all keys together.",
      labels: ["client", "policy"],
    },
    permitLimit: {
      prometheus: "permit_limit",
      otel: "breakwater.permits.limit",
      unit: "{permit}",
      help: "Permits that there are; of a limit for each key, those of all keys in use together.",
      labels: ["client", "policy"],
    },
    permitUsage: {
      prometheus: "permit_usage_ratio",
      otel: "breakwater.permits.usage",
      unit: "1",
      help: "Share of the permits that is in use; of a limit for each key, of the key that is fullest. 1: who comes now waits or is refused.",
      labels: ["client", "policy"],
    },
    queueLength: {
      prometheus: "queue_length",
      otel: "breakwater.queue.length",
      unit: "{call}",
      help: "Calls that wait for a permit or for their turn in a rate limit, of all keys together.",
      labels: ["client", "policy"],
    },
    rateLimitRemaining: {
      prometheus: "rate_limit_remaining",
      otel: "breakwater.rate_limit.remaining",
      unit: "{unit}",
      help: "What is left of a rate limit; of a limit for each key, of the key that has least, among those used last. unit: requests or tokens.",
      labels: ["client", "policy", "unit"],
    },
    breakerCircuits: {
      prometheus: "breaker_circuits",
      otel: "breakwater.breaker.circuits",
      unit: "{circuit}",
      help: "Circuits by state: closed, open, half-open, forced-open or forced-closed. A circuit is there from its first call on.",
      labels: ["client", "policy", "state"],
    },
    cacheBytes: {
      prometheus: "cache_bytes",
      otel: "breakwater.cache.size",
      unit: "By",
      help: "What answers take up in the cache's store, where that knows.",
      labels: ["client", "policy"],
    },
    cacheEntries: {
      prometheus: "cache_entries",
      otel: "breakwater.cache.entries",
      unit: "{entry}",
      help: "Answers in the cache's store, where that knows.",
      labels: ["client", "policy"],
    },
    accountState: {
      prometheus: "account_state",
      otel: "breakwater.account.state",
      unit: "1",
      help: "1 while an account of the upstream's has no credit (closed), or its concurrency is cut because little is left (low). Known of accounts that something happened to since this process watches.",
      labels: ["client", "account", "state"],
    },
    keyDisabled: {
      prometheus: "key_disabled",
      otel: "breakwater.key.disabled",
      unit: "{key}",
      help: "Keys that the upstream does not take any more, of accounts that something happened to since this process watches.",
      labels: ["client", "account"],
    },
    storeDegraded: {
      prometheus: "store_degraded",
      otel: "breakwater.store.degraded",
      unit: "{policy}",
      help: "Policies of this name whose last decision did not come from their shared store, since that is away.",
      labels: ["client", "policy"],
    },
    policyMode: {
      prometheus: "policy_mode",
      otel: "breakwater.policy.mode",
      unit: "{policy}",
      help: "Policies of this name and kind by mode: enforce, shadow or off.",
      labels: ["client", "policy", "kind", "mode"],
    },
  },
};

/**
 * Every metric that is told, and no other one. Dashboards and alerts can be compared with it.
 *
 * @example
 * ```ts
 * import { INSTRUMENTS } from "@breakwater/telemetry";
 *
 * INSTRUMENTS.find(({ key }) => key === "calls")?.prometheus; // => "calls_total"
 * ```
 */
export const INSTRUMENTS: readonly Instrument[] = /* @__PURE__ */ (
  ["counter", "histogram", "gauge"] as const
).flatMap((type) =>
  Object.entries(TABLE[type]).map(([key, given]) => ({ key: key as InstrumentKey, type, ...given })),
);
