import { around, type Next } from "../../around.ts";
import { discard } from "../../attempt.ts";
import type { Call } from "../../call.ts";
import { type Duration, milliseconds, show } from "../../duration.ts";
import { ConfigError } from "../../errors.ts";
import type { EventOf } from "../../events.ts";
import { type Any, chain, isPromise, type Updatable } from "../../handler.ts";
import { configure, readOptions } from "../../options.ts";
import type { Failed, Outcome } from "../../outcome.ts";
import { fullJitter } from "./backoff.ts";

export interface RetryOptions<Req = Any, Res = Any> {
  /** @default "retry" */
  readonly name?: string;
  /** @default "enforce" */
  readonly mode?: "enforce" | "off";
  /** How often the upstream is asked at most, the first time included. @default 3 */
  readonly attempts?: number;
  /** Longest wait before the first retry; the wait is uniform between 0 and it (full jitter). @default "250ms" */
  readonly baseDelay?: Duration;
  /** No wait of ours is longer. A Retry-After may be. @default "8s" */
  readonly maxDelay?: Duration;
  /** Growth of the longest wait from one retry to the next. @default 2 */
  readonly factor?: number;
  /** The wait before attempt `attempt` (2 is the first retry), instead of all of the above. */
  readonly delay?: (attempt: number, outcome: Outcome<Res>) => Duration;
  /** A longer Retry-After is not waited for: the call fails now and tells it. @default "60s" */
  readonly maxRetryAfter?: Duration;
  /** Whether this outcome is worth another attempt. @default failed, and `retryable` */
  readonly when?: (outcome: Outcome<Res>, call: Call<Req>) => boolean;
  /** The request of the next attempt: another model, fewer tokens. @default the same */
  readonly request?: (request: Req, outcome: Outcome<Res>, attempt: number) => Req;
}

/**
 * Makes further attempts when one failed and may succeed next time.
 *
 * It stops early when the wait does not fit into the deadline, when the client's retry budget is empty, and inside
 * another retry (else they would multiply). It makes no further attempt at a call whose options say `idempotent: false`.
 * A Retry-After is never undercut. Exhausted, it returns the last outcome as it was. An answer that has begun to stream
 * is never retried: its reader has seen it.
 *
 * @example
 * ```ts
 * import { createClient, retry, upstream } from "@breakwater/core";
 *
 * let calls = 0;
 * const ask = createClient(
 *   upstream(async () => {
 *     if (++calls === 1) throw Object.assign(new Error("busy"), { status: 503 });
 *     return calls;
 *   }),
 *   retry({ attempts: 2, baseDelay: 1 }),
 * );
 * await ask("anybody?"); // => 2
 * ```
 */
export function retry<Req = Any, Res = Any>(
  options: RetryOptions<Req, Res> = {},
): Updatable<RetryOptions<Req, Res>, Req, Res> {
  const settings = configure(options, read<Req, Res>);

  const policy = around<Req, Res>("retry", {
    ...settings.face,
    run(call, next, self) {
      const config = settings.now;
      const first = call.fork();
      return chain(next(first), (outcome) => {
        const { budget, runtime } = call.host;
        if (!config.when(outcome, call)) {
          // Its ending knows the time already, unless it is a stream that goes on.
          if (outcome.status === "answered") budget.onAttempt(false, first.ending?.endedAt ?? runtime.now());
          return outcome;
        }
        if (call.nested(self)) {
          tellStop(call, config.name, 1, "nested");
          return outcome;
        }
        return again(call, next, outcome, config);
      });
    },
    once(call, next, self) {
      const config = settings.now;
      return chain(next(call.fork()), (outcome) => {
        const { budget, runtime } = call.host;
        const wanted = config.when(outcome, call);
        if (wanted || outcome.status === "answered") budget.onAttempt(wanted, runtime.now());
        if (!wanted) return outcome;
        const because = config.attempts === 1 ? "attempts" : "not-idempotent";
        tellStop(call, config.name, 1, call.nested(self) ? "nested" : because);
        return outcome;
      });
    },
  });
  return Object.assign(policy, { update: settings.update });
}

type Config<Req, Res> = ReturnType<typeof read<Req, Res>>;

async function again<Req, Res>(
  call: Call<Req>,
  next: Next<Req, Res>,
  outcome: Outcome<Res>,
  config: Config<Req, Res>,
): Promise<Outcome<Res>> {
  const { budget, events, runtime } = call.host;
  let request = call.request;
  for (let attempt = 2; ; attempt++) {
    budget.onAttempt(true, runtime.now());
    const stop = (because: "attempts" | "deadline" | "budget"): Outcome<Res> => {
      tellStop(call, config.name, attempt - 1, because);
      return outcome;
    };
    if (attempt > config.attempts) return stop("attempts");
    const ms = waitBefore(attempt, outcome, config, runtime.random());
    if (ms === undefined || ms >= call.remainingMs) return stop("deadline");
    const taken = budget.take(runtime.now(), call);
    const granted = isPromise(taken) ? await taken : taken;
    if (call.aborted) return call.abortOutcome();
    if (!granted) return stop("budget");
    if (ms >= call.remainingMs) return stop("deadline"); // a shared budget took its time

    if (events.listening) events.emit({ type: "retry-wait", policy: config.name, attempt, ms }, call);
    if (ms > 0) await call.sleep(ms);
    if (call.aborted) return call.abortOutcome();
    discard(outcome); // an answer that `when` did not like still holds its connection
    if (config.request !== undefined) request = config.request(request, outcome, attempt);
    outcome = await next(call.fork({ request, attempt }));
    if (!config.when(outcome, call)) {
      budget.onAttempt(false, runtime.now());
      return outcome;
    }
  }
}

/** Milliseconds to wait, or undefined when what the upstream asks for is longer than anybody would wait. */
function waitBefore<Req, Res>(
  attempt: number,
  outcome: Outcome<Res>,
  config: Config<Req, Res>,
  random: number,
): number | undefined {
  const own =
    config.delay === undefined
      ? fullJitter(config, attempt, random)
      : milliseconds(config.delay(attempt, outcome), `${config.name}: delay()`);
  const asked = (outcome as Partial<Failed>).retryAfterMs;
  if (asked === undefined) return own;
  if (asked > config.maxRetryAfterMs) return undefined;
  // Our jitter comes on top: everybody else was told the same moment.
  return asked + Math.min(own, config.baseDelayMs);
}

function tellStop(
  call: Call<Any>,
  policy: string,
  attempt: number,
  because: EventOf<"retry-stop">["because"],
): void {
  const { events } = call.host;
  if (events.listening) events.emit({ type: "retry-stop", policy, attempt, because }, call);
}

function read<Req, Res>(options: RetryOptions<Req, Res>) {
  const reader = readOptions("retry", options);
  const config = {
    name: reader.text("name", "retry"),
    mode: reader.oneOf("mode", ["enforce", "off"], "enforce"),
    attempts: reader.count("attempts", 3, { min: 1, max: 100 }),
    baseDelayMs: reader.duration("baseDelay", 250),
    maxDelayMs: reader.duration("maxDelay", 8_000),
    factor: reader.number("factor", 2, { min: 1, max: 100 }),
    delay: reader.callback<NonNullable<RetryOptions<Req, Res>["delay"]>>("delay"),
    maxRetryAfterMs: reader.duration("maxRetryAfter", 60_000),
    when: reader.callback<NonNullable<RetryOptions<Req, Res>["when"]>>("when") ?? mayPass,
    request: reader.callback<NonNullable<RetryOptions<Req, Res>["request"]>>("request"),
  };
  const effective = reader.done();
  if (config.maxDelayMs < config.baseDelayMs) {
    throw new ConfigError(
      `retry: maxDelay must not be shorter than baseDelay, got ${show(options.maxDelay)} and ${show(options.baseDelay)}.`,
    );
  }
  return { ...config, effective };
}

function mayPass(outcome: Outcome<unknown>): boolean {
  return outcome.status === "failed" && outcome.retryable;
}
