import { attempt } from "./attempt.ts";
import { type CallOptions, GUEST, PLAIN, type Trip } from "./call-options.ts";
import { Call } from "./call.ts";
import { changePolicy, type ChangeOptions, type PolicyChange } from "./change.ts";
import { flatten } from "./compose.ts";
import { currentContext } from "./context.ts";
import { type Description, describePolicies } from "./describe.ts";
import { milliseconds, show } from "./duration.ts";
import { ConfigError, RefusedError, TimedOutError } from "./errors.ts";
import { createEventHub } from "./events.ts";
import type { Any, Handler, Host, MaybePromise, Policy, UpstreamTraits } from "./handler.ts";
import { type Meta, type Outcome, refused } from "./outcome.ts";
import {
  createClientBudget,
  type RetryBudgetOptions,
  type RetryBudgetSnapshot,
} from "./policies/retry/client-budget.ts";
import { type Runtime, systemRuntime } from "./runtime.ts";
import { createScope, type DrainOptions } from "./scope.ts";
import { callOfSignal } from "./signals.ts";
import type { StoreSource } from "./store.ts";
import type { Watchable } from "./watchable.ts";

/** Settings of a client or a pipeline that belong to none of its policies. */
export interface Settings {
  /** What events and `describe()` call it. @default the upstream's name */
  readonly name?: string;
  /** Time and chance. @default the real ones */
  readonly runtime?: Runtime;
  /** The budget that retries and hedges share; in a store it is one budget for all clients that name it. */
  readonly budget?: RetryBudgetOptions;
}

/** What clients and pipelines can do beside calling. */
export interface Managed extends Watchable {
  /** Order and effective options of the policies, and what is probably not meant. */
  describe(): Description;
  /** What every policy holds at this moment: plain data, a copy. */
  snapshot(): Snapshot;
  /** Its policies, outermost first; those of pipelines in it among them. In the order of `describe()` and `snapshot()`. */
  readonly policies: readonly Policy[];
  /**
   * Changes a policy while calls run, as an operator does: holds a circuit open, puts a limit in shadow, gives it another
   * number. What succeeds is told as a `policy-change`. It holds until the next change or restart; over a shared store a
   * forced circuit is forced for all processes, anything else is changed in this one. Of a breaker with a circuit for
   * each key, as that of `recommended()` has for each model, one is forced: `{ force: "open", key: "deepseek-chat" }`.
   *
   * @param policy its name, its kind (`"circuit-breaker"`) where there is one of that, or its position in `policies`
   * @throws ConfigError that says what is wrong; nothing has changed then.
   *
   * @example
   * ```ts
   * import { circuitBreaker, createPipeline } from "@breakwater/core";
   *
   * const search = createPipeline(circuitBreaker({ name: "search" }));
   * await search.change("search", { force: "open" }, { by: "ada" });
   * (await search.outcome(() => "found")).status; // => "refused"
   * await search.change("search", { force: "auto" }, { by: "ada" });
   * await search.change("search", { update: { mode: "shadow" } });
   * ```
   */
  change(policy: string | number, change: PolicyChange, options?: ChangeOptions): Promise<void>;
  /** Refuses new calls, waits for those in flight, and aborts what is left after `withinMs`. */
  drain(options?: DrainOptions): Promise<void>;
  /** A drain with little patience: what is in flight has one second. */
  close(): Promise<void>;
}

export interface Snapshot {
  readonly name: string;
  readonly inFlight: number;
  readonly draining: boolean;
  readonly retryBudget: RetryBudgetSnapshot;
  readonly policies: readonly PolicySnapshot[];
}

export interface PolicySnapshot {
  readonly kind: string;
  readonly name: string;
  readonly state: unknown;
  /** Over a shared store: where its last decision came from. */
  readonly source?: StoreSource;
}

/** What a client and a pipeline are made of: a host for their policies, and a way to run calls in it. */
export interface Engine {
  readonly host: Host;
  readonly policies: readonly Policy[];
  /** All but what a client and a pipeline are each to say of themselves. */
  readonly managed: Omit<Managed, "managed">;
  /** Runs a new call. `task` is the function of a pipeline's `execute`. */
  run<Req, Res>(
    request: Req,
    options: CallOptions,
    handler: Handler<Req, Res>,
    more?: { readonly parent?: Call<Any>; readonly task?: Trip["task"] },
  ): MaybePromise<Outcome<Res>>;
}

export function createEngine(
  given: readonly Policy[],
  traits: UpstreamTraits<Any, Any> | undefined,
  settings: Settings,
): Engine {
  const policies = flatten(given);
  for (const policy of policies) {
    // A function has an `apply` of its own.
    const uncalled = typeof policy === "function" ? (policy as { readonly name: string }).name : undefined;
    if (uncalled === undefined && typeof (policy as Policy | undefined)?.apply === "function") continue;
    throw new ConfigError(
      uncalled === undefined
        ? `a policy such as retry() or timeout({ total: "10s" }) is expected, got ${show(policy)}.`
        : `a policy is expected, got the function ${uncalled}, which was not called: write ${uncalled}().`,
    );
  }
  const name = settings.name ?? traits?.name ?? "client";
  const runtime = settings.runtime ?? systemRuntime();
  const events = createEventHub(name, runtime.now);
  const budget = createClientBudget(settings.budget);
  const host: Host = { name, runtime, events, traits, budget, track: (call) => scope.add(call) };
  const scope = createScope(runtime, () => new RefusedError({ by: name, code: "DRAINING" }));
  const drain = async (options?: DrainOptions): Promise<void> => scope.drain(options);
  // Then what the work around a call expects to use as a whole says nothing of the call.
  const knowsCost = traits?.cost !== undefined;

  const managed: Engine["managed"] = {
    policies,
    change: (policy, change, options) => changePolicy(host, policies, policy, change, options),
    describe: () => describePolicies(policies),
    snapshot: () => ({
      name,
      inFlight: scope.size,
      draining: scope.draining,
      retryBudget: budget.snapshot(runtime.now()),
      policies: policies.map(snapshotOf),
    }),
    on: (listener) => events.subscribe(listener),
    drain,
    close: () => drain({ withinMs: 1_000 }),
  };
  return {
    host,
    policies,
    managed,
    run(request, options, handler, more = NO_MORE) {
      let parent = more.parent ?? callOfSignal(options.signal);
      // Inside another call everything comes from it: a flight that outlives its leader must not follow the leader's browser.
      let context = parent === undefined ? currentContext() : undefined;
      // Deep inside, where nobody hands a signal on, or an SDK hands its own on, the context still knows the call.
      if (context !== undefined && (parent = callOfSignal(context.signal)) !== undefined) context = undefined;
      const meta: Meta = { callId: options.callId ?? parent?.id ?? context?.callId ?? nextId(), attempts: 0 };
      if (scope.draining) return refused({ by: name, code: "DRAINING" }, meta);

      const now = runtime.now();
      const call = new Call(
        request,
        {
          host,
          meta,
          serial: ++serial,
          tenant: options.tenant ?? parent?.tenant ?? context?.tenant,
          priority: options.priority ?? parent?.priority ?? context?.priority ?? "interactive",
          cost: options.cost ?? (knowsCost && more.parent === undefined ? undefined : parent?.trip.cost),
          // Of a client that is an upstream itself it is the same work; what work calls on its way is other work.
          idempotent: options.idempotent ?? more.parent?.trip.idempotent ?? true,
          startedAt: now,
          task: more.task,
        },
        parent,
        parent === undefined || more.parent !== undefined ? PLAIN : GUEST,
      );
      scope.add(call);
      budget.onCall(now);
      // Both may end the call: an SDK passes a signal of its own, and the browser may leave all the same.
      if (options.signal !== undefined && callOfSignal(options.signal) === undefined)
        call.follow(options.signal);
      if (context?.signal !== undefined && context.signal !== options.signal) call.follow(context.signal);
      const deadline = deadlineOf(options, context, runtime);
      if (deadline !== undefined) boundByDeadline(call, deadline);
      if (events.listening) tellCall(call, parent);
      traits?.onCall?.(call);
      return attempt(call, handler);
    },
  };
}

function snapshotOf(policy: Policy): PolicySnapshot {
  const source = policy.source?.();
  const known = { kind: policy.kind, name: policy.name, state: policy.snapshot?.() };
  return source === undefined ? known : { ...known, source };
}

const NO_MORE: { readonly parent?: Call<Any>; readonly task?: Trip["task"] } = {};

function deadlineOf(
  options: CallOptions,
  context: ReturnType<typeof currentContext>,
  runtime: Runtime,
): number | undefined {
  const own = options.deadline === undefined ? Infinity : milliseconds(options.deadline, "deadline");
  const around = context?.deadlineAt === undefined ? Infinity : context.deadlineAt - runtime.wallNow();
  const ms = Math.max(0, Math.min(own, around));
  return ms === Infinity ? undefined : ms;
}

/** The caller's own deadline: nobody's fault but his, and neutral to everything inside. */
function boundByDeadline(call: Call<Any>, ms: number): void {
  call.limitDeadline(call.runtime.now() + ms);
  const expire = (): void => {
    const error = new TimedOutError("deadline", ms, { retryable: false, meta: call.meta });
    call.abort(error, { status: "failed", error, fault: "caller", retryable: false });
  };
  if (ms === 0) expire();
  else call.timer(ms, expire);
}

function tellCall(call: Call<Any>, parent: Call<Any> | undefined): void {
  const { events } = call.host;
  const { meta, priority, tenant, trip } = call;
  const whose = tenant === undefined ? { priority } : { priority, tenant };
  const inside = parent === undefined ? {} : { parent: parent.serial };
  events.emit({ type: "call-start", ...whose, ...inside }, call);
  call.defer((ending) => {
    const { startedAt } = trip;
    events.emit({ type: "call-end", ending, attempts: meta.attempts, meta, startedAt, ...whose }, call);
  });
}

let serial = 0;

let counter = 0;
let prefix: string | undefined;
let head = "";

/** Short and unique enough to find a call in a log; not a secret. */
function nextId(): string {
  prefix ??= systemRuntime().random().toString(36).slice(2, 8).padEnd(6, "0");
  // Engines remember the text of small numbers only, so that of a large one is made once in a thousand calls.
  const low = counter % 1_000;
  if (low === 0) head = `bw-${prefix}-${counter / 1_000}-`;
  counter++;
  return head + low;
}
