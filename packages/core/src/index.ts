export { attempt, discard } from "./attempt.ts";
export { type AbortVerdict, Call, DISCARDED } from "./call.ts";
export type { CallOptions, ForkOptions, Priority } from "./call-options.ts";
export { type Client, createClient, type Full, type Target, type TargetWithSettings } from "./client.ts";
export type { ChangeOptions, PolicyChange } from "./change.ts";
export { type CallContext, currentContext, provideContext } from "./context.ts";
export type { Description, Lint, PolicyDescription } from "./describe.ts";
export { type Duration, milliseconds } from "./duration.ts";
export * from "./errors.ts";
export type { BreakwaterEvent, EventOf, EventSink, EventType, Listener } from "./events.ts";
export {
  type Assembly,
  chain,
  type Codec,
  type Complete,
  type Handler,
  type Host,
  isPromise,
  type MaybePromise,
  type Policy,
  type Shapes,
  type Updatable,
  type Upstream,
  type UpstreamTraits,
} from "./handler.ts";
export { lazyStream } from "./lazy-stream.ts";
export { plainData } from "./plain-data.ts";
export {
  plainError,
  type PlainError,
  plainEvent,
  type PlainEvent,
  type PlainEventOptions,
} from "./plain-event.ts";
export { type Watchable, watchables, type Watched } from "./watchable.ts";
export type { Managed, PolicySnapshot, Settings, Snapshot } from "./host.ts";
export {
  checkInstanceAsk,
  INSTANCE_LIMITS,
  type InstanceAsk,
  type InstanceNews,
  type InstanceReport,
  type InstanceStore,
} from "./instances.ts";
export {
  createMemoryInstanceStore,
  type MemoryInstanceStore,
  type MemoryInstanceStoreOptions,
} from "./instances-memory.ts";
export type { Mark, Watcher } from "./marks.ts";
export { policyPlaces, showPolicies } from "./policy-places.ts";
export { type OptionReader, readOptions } from "./options.ts";
export * from "./outcome.ts";
export { createPipeline, type ExecuteOptions, type Pipeline } from "./pipeline.ts";
export { around, type AroundSpec, type Next } from "./around.ts";
export { guard, type Judgement, type LocalGuard, type Mode, type StoreGuard, type Wait } from "./guard.ts";
export { type Relay, relay, type RelayOptions, StalledReaderError } from "./relay.ts";
export { type CancelTimer, type Runtime, systemRuntime } from "./runtime.ts";
export type { DrainOptions } from "./scope.ts";
export type {
  ConfigMismatch,
  DecisionStore,
  OutageMode,
  StoreAsk,
  StoreReply,
  StoreSource,
} from "./store.ts";
export { unwrap, verdictOfStatus } from "./thrown.ts";
export { type FunctionContext, upstream } from "./upstream.ts";
export { adaptive, type AdaptiveOptions } from "./policies/adaptive/index.ts";
export { bulkhead, type BulkheadOptions } from "./policies/bulkhead/index.ts";
export type { PermitOptions } from "./permits/guard.ts";
export {
  createMemoryPermitStore,
  type PermitAsk,
  type PermitReply,
  type PermitStore,
} from "./permits/store.ts";
export { cache } from "./policies/cache/index.ts";
export type {
  Cache,
  CacheOptions,
  CacheSnapshot,
  CacheWarming,
  CacheWhose,
} from "./policies/cache/options.ts";
export {
  createMemoryCacheStore,
  type MemoryCacheStore,
  type MemoryCacheStoreOptions,
} from "./policies/cache/memory-store.ts";
export { LaggingReaderError } from "./policies/cache/shared-log.ts";
export type {
  CacheAsk,
  CacheClaim,
  CacheClaimAsk,
  CacheEntry,
  CacheError,
  CacheFailure,
  CacheFound,
  CacheHeld,
  CacheNews,
  CacheStore,
  CacheUsage,
  CacheWaiting,
} from "./policies/cache/store.ts";
export {
  type CircuitBreaker,
  circuitBreaker,
  type CircuitBreakerOptions,
} from "./policies/circuit-breaker/index.ts";
export {
  type Admission,
  type BreakerConfig,
  type BreakerSnapshot,
  type BreakerState,
  type BreakerStatus,
  createBreakerState,
  type Result,
  type Ticket,
  type Transition,
} from "./policies/circuit-breaker/states.ts";
export {
  type BreakerAsk,
  type BreakerReport,
  type BreakerStore,
  createMemoryBreakerStore,
  type MemoryBreakerStoreOptions,
} from "./policies/circuit-breaker/store.ts";
export { fallback, type FallbackOptions } from "./policies/fallback.ts";
export { rateLimit, type RateLimitOptions } from "./policies/rate-limit/index.ts";
export type { RateLimits, RateOptions } from "./policies/rate-limit/limits.ts";
export {
  createMemoryRateLimitStore,
  type MemoryRateLimitStoreOptions,
  type RateAdjustment,
  type RateAmounts,
  type RateLimitAsk,
  type RateLimitReply,
  type RateLimitStore,
  type RateRule,
  type RateRules,
  type RateStanding,
} from "./policies/rate-limit/store.ts";
export {
  createRetryBudget,
  type RetryBudget,
  type RetryBudgetRules,
  type RetryBudgetStart,
} from "./policies/retry/budget.ts";
export {
  type BudgetReply,
  type BudgetStore,
  createMemoryBudgetStore,
  type StoredBudget,
} from "./policies/retry/budget-store.ts";
export type {
  ClientBudget,
  RetryBudgetOptions,
  RetryBudgetSnapshot,
} from "./policies/retry/client-budget.ts";
export { retry, type RetryOptions } from "./policies/retry/index.ts";
export { timeout, type TimeoutOptions } from "./policies/timeout/index.ts";
