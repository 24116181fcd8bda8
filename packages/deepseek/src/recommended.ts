import {
  adaptive,
  type AdaptiveOptions,
  type BreakerStore,
  bulkhead,
  type Call,
  cache,
  type CacheOptions,
  type CacheStore,
  circuitBreaker,
  type CircuitBreakerOptions,
  ConfigError,
  type Ending,
  fallback as fallBackOn,
  type Outcome,
  type PermitStore,
  type Policy,
  rateLimit,
  type RateLimitOptions,
  type RateLimitStore,
  readOptions,
  retry,
  type RetryOptions,
  type Target,
  timeout,
  type TimeoutOptions,
  UpstreamError,
} from "@breakwater/core";

import { accountOf } from "./accounts/index.ts";
import { type HostName, type HostProfile, hosts } from "./hosts.ts";
import { modelOf } from "./model-of.ts";
import { resume, type ResumeOptions } from "./resume/index.ts";
import type { ChatAnswer, ChatRequest } from "./types.ts";

/** A part of `recommended()`: options that change its defaults, a policy to put in its place, or `false` to leave it out. */
export type Part<Options> = Partial<Options> | Policy | false;

/** What becomes of a streamed answer that breaks off. */
export type MidStream = "error" | "resume" | ResumeOptions;

/** A store that can do all that the guards ask for, and keeps answers as well if it can. */
export type SharedStore = BreakerStore & PermitStore & RateLimitStore & Partial<CacheStore>;

export interface RecommendedOptions {
  /** Whether somebody waits for the answer. In `batch` a call may use up DeepSeek's whole queue. @default "interactive" */
  readonly profile?: "interactive" | "batch" | undefined;
  /** Where to go when this host cannot answer: a second upstream, better a client with policies of its own. */
  readonly fallback?: Target<ChatRequest, ChatAnswer> | undefined;
  /** Which host it is for; see `HostProfile.earlyHeaders`. @default "deepseek" */
  readonly host?: HostName | HostProfile | undefined;
  /**
   * Where limits, circuits and permits are kept, and answers if the store can, to share them with other processes: that
   * of `@breakwater/redis`, for one. Policies in it are named after the host. @default this process
   */
  readonly store?: SharedStore | undefined;
  /** Over all attempts. */
  readonly timeout?: Part<TimeoutOptions> | undefined;
  /** @default none */
  readonly cache?: CacheOptions<ChatRequest, ChatAnswer> | Policy | false | undefined;
  /** Your own limits, over all attempts. @default none */
  readonly rateLimit?: RateLimitOptions<ChatRequest> | Policy | false | undefined;
  /** What becomes of a streamed answer that breaks off: an error, or `resume()` with these options. @default "error" */
  readonly midStream?: MidStream | undefined;
  readonly retry?: Part<RetryOptions<ChatRequest, ChatAnswer>> | undefined;
  readonly circuitBreaker?: Part<CircuitBreakerOptions<ChatRequest>> | undefined;
  /** A bulkhead whose limit follows the 429s. */
  readonly bulkhead?: Part<AdaptiveOptions<ChatRequest>> | undefined;
  /** Of each attempt. */
  readonly clocks?: Part<TimeoutOptions> | undefined;
}

/**
 * The policies that most callers of DeepSeek want, in the order that they want them, outermost first. Untouched they
 * are never worse than the official SDK with its own retries. Each can be changed, replaced or left out.
 *
 * | part | default | because |
 * |---|---|---|
 * | `timeout` | total 10 min (30 min in batch), overall 1 h | DeepSeek gives a queued call up after 10 min; 64K tokens of thinking take ten more |
 * | `fallback` | none | only you know whom else your data may go to |
 * | `cache` | none | answers are not deterministic; `{ ttl: "10m" }` keeps them per tenant |
 * | `rateLimit` | none | DeepSeek has no limit per minute; tenants of yours may: `{ limits, key: (_, call) => call.tenant }` |
 * | `midStream` | `"error"` | a continuation is paid for, and only you know whether half an answer is worth it |
 * | `retry` | 5 attempts, with a fallback 3; full jitter, Retry-After honoured | a burst of 503s outlasts three, unless there is somebody else to ask; the budget, not the count, keeps load down; an empty answer is asked for once more only |
 * | `circuitBreaker` | per model; opens at 90 % failures, with a fallback at 50 % | with nowhere else to go, an open breaker makes an empty evening of a half-bad one; an empty account says nothing of the host: its calls are not sent, see `createAccounts` |
 * | `bulkhead` | `adaptive`, per account and model: 500 at once, 2000 more wait up to 30 s | DeepSeek's limit for its larger model; it shrinks with the balance, so a 429 that names another sets it |
 * | `clocks`: headers | 30 s, where the host sends them early | DeepSeek sends them at once, even to a call that queues |
 * | liveness | 40 s | more than three keep-alives |
 * | firstToken | 180 s, with a fallback 60 s, in batch 10 min | while keep-alives arrive a call is queued, not dead: it is moved elsewhere or ended, never queued again |
 * | idle | 60 s, while reasoning 120 s | streams that stall do not come back; models think in silence |
 *
 * @throws ConfigError
 *
 * @example
 * ```ts
 * import { createClient } from "@breakwater/core";
 * import { deepseekUpstream, recommended } from "@breakwater/deepseek";
 *
 * const policies = recommended({ retry: { attempts: 2 }, circuitBreaker: false });
 * policies.map((policy) => policy.kind); // => ["timeout", "retry", "adaptive", "timeout"]
 * const ask = createClient(deepseekUpstream({ apiKey: "sk-your-key" }), ...policies);
 * ```
 */
export function recommended(options: RecommendedOptions = {}): readonly Policy<ChatRequest, ChatAnswer>[] {
  const reader = readOptions("recommended", options);
  const profile = reader.oneOf("profile", ["interactive", "batch"], "interactive");
  const to = reader.raw<Target<ChatRequest, ChatAnswer>>("fallback");
  const host = profileOf(reader.raw("host"));
  const { earlyHeaders, name = "deepseek" } = host;
  const store = reader.raw<SharedStore>("store");
  // Named after the host, which is what they know something of: refusals say it, and a shared store keeps hosts apart.
  const kept = store === undefined ? {} : { name, store };
  const shared = { name, ...kept };
  const keptAnswers = store?.get === undefined ? {} : { name, store: store as CacheStore };
  const batch = profile === "batch";
  const several = to !== undefined;
  const part = <O>(
    option: keyof RecommendedOptions,
    defaults: O,
    make: (options: O) => Policy,
  ): readonly Policy[] => resolve(option, reader.raw<Part<O>>(option), defaults, make);

  /** A part that is there only when it is asked for. */
  const only = <O>(
    option: keyof RecommendedOptions,
    defaults: Partial<O>,
    make: (options: O) => Policy,
  ): readonly Policy[] => {
    const given = reader.raw<O | Policy | false>(option);
    return given === undefined ? [] : resolve(option, given, defaults as O, make);
  };

  const policies = [
    ...part<TimeoutOptions>(
      "timeout",
      { name: "total", total: batch ? "30m" : "10m", overall: "1h" },
      timeout,
    ),
    ...(several ? [fallBackOn<ChatRequest, ChatAnswer>({ to })] : []),
    ...only<CacheOptions<ChatRequest, ChatAnswer>>("cache", keptAnswers, cache),
    ...only<RateLimitOptions<ChatRequest>>("rateLimit", kept, rateLimit),
    ...resumed(reader.raw("midStream"), host),
    ...part<RetryOptions<ChatRequest, ChatAnswer>>(
      "retry",
      { attempts: several ? 3 : 5, when: worthAnother },
      retry,
    ),
    ...part<CircuitBreakerOptions<ChatRequest>>(
      "circuitBreaker",
      { ...shared, ...breakerDefaults(several) },
      circuitBreaker,
    ),
    ...part<AdaptiveOptions<ChatRequest>>(
      "bulkhead",
      { ...shared, concurrency: 500, queue: 2_000, maxWait: "30s", key: accountAndModelOf },
      adaptive,
    ),
    ...part<TimeoutOptions>(
      "clocks",
      {
        name: "clocks",
        ...(earlyHeaders === true && { headers: "30s" }),
        liveness: "40s",
        firstToken: batch ? "10m" : several ? "60s" : "180s",
        idle: "60s",
        idleReasoning: "120s",
      },
      timeout,
    ),
  ];
  reader.done();
  return policies;
}

/** @internal For a host that nobody chose for this: its answers are continued if it can. */
export function midStreamOf(host: HostProfile, wanted: MidStream | undefined): MidStream | undefined {
  return host.prefix === undefined ? undefined : wanted;
}

/** Outside of the retries: a continuation has attempts of its own. */
function resumed(midStream: MidStream | undefined, host: Partial<HostProfile>): readonly Policy[] {
  if (midStream === undefined || midStream === "error") return [];
  if (midStream !== "resume" && (typeof midStream !== "object" || midStream === null)) {
    throw new ConfigError(
      'recommended: midStream must be "error", "resume", or options of resume() such as { resumes: 2 }.',
    );
  }
  if (host.prefix === undefined) {
    throw new ConfigError(
      `recommended: midStream: ${host.name ?? "this host"} is not known to continue texts. If it does, say where: { host: { …, prefix: "/beta" } }.`,
    );
  }
  return [resume(midStream === "resume" ? {} : midStream)];
}

/** @internal For requests of which only the status is looked at. */
export function statusPolicies(): readonly Policy[] {
  return [
    timeout({ total: "10m" }), // as long as SDKs wait; a transport that somebody gives may wait for ever
    retry({ attempts: 3 }),
    circuitBreaker({ failureRate: 0.9 }),
    bulkhead({ concurrency: 500, queue: 2_000, maxWait: "30s" }),
  ];
}

/** What DeepSeek counts calls in flight by: all keys of an account together, each model apart. */
function accountAndModelOf(request: ChatRequest, call: Call<ChatRequest>): string {
  const account = accountOf(call);
  return account === undefined ? modelOf(request, call) : `${account}/${modelOf(request, call)}`;
}

function breakerDefaults(several: boolean): CircuitBreakerOptions<ChatRequest> {
  return { failureRate: several ? 0.5 : 0.9, key: modelOf, when: hostFails };
}

/** As every breaker counts, but for an account without credit: that says nothing of the host, for others have some. */
function hostFails({ fault, scope, status }: Ending): boolean | undefined {
  if (status === "answered") return false;
  return fault === "upstream" && scope !== "account" ? true : undefined;
}

function worthAnother(
  outcome: Outcome<ChatAnswer>,
  call: { readonly meta: { readonly attempts: number } },
): boolean {
  if (outcome.status !== "failed" || !outcome.retryable) return false;
  const empty = UpstreamError.isInstance(outcome.error) && outcome.error.code === "EMPTY_RESPONSE";
  return !empty || call.meta.attempts < 2;
}

function resolve<O>(
  name: string,
  given: Part<O> | undefined,
  defaults: O,
  make: (options: O) => Policy,
): readonly Policy[] {
  if (given === false) return [];
  if (given === undefined) return [make(defaults)];
  if (typeof given !== "object" || given === null) {
    throw new ConfigError(
      `recommended: ${name} must be options that change its defaults, a policy to put in its place, or false to leave it out.`,
    );
  }
  return "apply" in given ? [given] : [make({ ...defaults, ...given })];
}

function profileOf(host: HostName | HostProfile | undefined = "deepseek"): Partial<HostProfile> {
  return typeof host === "object" ? host : (hosts[host] ?? {});
}
