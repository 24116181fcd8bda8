import { around } from "../around.ts";
import { attempt } from "../attempt.ts";
import type { Call } from "../call.ts";
import { type Target, upstreamOf } from "../client.ts";
import { type Any, chain, type MaybePromise, type Updatable } from "../handler.ts";
import { configure, readOptions } from "../options.ts";
import { answered, type Outcome } from "../outcome.ts";

export interface FallbackOptions<Req = Any, Res = Any> {
  /** @default "fallback" */
  readonly name?: string;
  /** @default "enforce" */
  readonly mode?: "enforce" | "off";
  /** Another upstream or client: a second host, with policies of its own. */
  readonly to?: Target<Req, Res>;
  /** The same upstream with another request: a smaller model, less thinking. Combines with `to`. */
  readonly request?: (request: Req, outcome: Outcome<Res>) => Req;
  /** An answer made here. */
  readonly value?: (request: Req, outcome: Outcome<Res>) => MaybePromise<Res>;
  /** Whether this outcome calls for it. @default failed or refused, unless the caller is at fault or out of time */
  readonly when?: (outcome: Outcome<Res>, call: Call<Req>) => boolean;
}

/**
 * Something else when there is no answer: another host, another model, an answer made here. Marks it: `meta.degraded`.
 * Never covers the caller's own doing: not a cancellation, not a mistake in the request, not a deadline that is over.
 * When the fallback fails as well, its outcome counts, since it is the later one; the first failure was told as an event.
 *
 * @example
 * ```ts
 * import { createClient, fallback, upstream } from "@breakwater/core";
 *
 * const down = upstream((question: string): Promise<string> => Promise.reject(new Error(`no idea: ${question}`)));
 * const ask = createClient(down, fallback({ value: () => "Please ask again in a minute." }));
 * const { value, meta } = await ask.full("why?");
 * value; // => "Please ask again in a minute."
 * meta.degraded; // => true
 * ```
 */
export function fallback<Req = Any, Res = Any>(
  options: FallbackOptions<Req, Res>,
): Updatable<FallbackOptions<Req, Res>, Req, Res> {
  const settings = configure(options, read<Req, Res>);

  const policy = around<Req, Res>("fallback", {
    ...settings.face,
    run(call, next) {
      const config = settings.now;
      return chain(next(call.fork()), (outcome) => {
        if (!config.when(outcome, call) || call.aborted) return outcome;
        const { events } = call.host;
        const to = config.to?.traits?.name ?? (config.value === undefined ? "request" : "value");
        if (events.listening) events.emit({ type: "fallback-use", policy: config.name, to }, call);

        const { value, request, to: target } = config;
        if (value !== undefined) {
          return chain(value(call.request, outcome), (made) => degrade(answered(made, call.meta)));
        }
        const child = call.fork(request === undefined ? {} : { request: request(call.request, outcome) });
        return chain(target === undefined ? next(child) : attempt(child, target), degrade);
      });
    },
  });
  return Object.assign(policy, { update: settings.update });
}

function degrade<Res>(outcome: Outcome<Res>): Outcome<Res> {
  if (outcome.status === "answered") outcome.meta.degraded = true;
  return outcome;
}

function needed(outcome: Outcome<unknown>): boolean {
  if (outcome.status === "refused") return true;
  // A wrong key or an unknown model is a mistake only over there: another target may know both.
  return outcome.status === "failed" && (outcome.fault !== "caller" || outcome.scope !== undefined);
}

function read<Req, Res>(options: FallbackOptions<Req, Res>) {
  const reader = readOptions("fallback", options);
  const to = reader.raw<Target<Req, Res>>("to");
  const config = {
    name: reader.text("name", "fallback"),
    mode: reader.oneOf("mode", ["enforce", "off"], "enforce"),
    to: to === undefined ? undefined : upstreamOf(to, "fallback: to"),
    request: reader.callback<NonNullable<FallbackOptions<Req, Res>["request"]>>("request"),
    value: reader.callback<NonNullable<FallbackOptions<Req, Res>["value"]>>("value"),
    when: reader.callback<NonNullable<FallbackOptions<Req, Res>["when"]>>("when") ?? needed,
  };
  const effective = reader.done();
  if (config.to === undefined && config.request === undefined && config.value === undefined) {
    reader.fail(
      "say what to fall back on: to (another upstream or client), request (another request) or value.",
    );
  }
  if (config.value !== undefined && (config.to !== undefined || config.request !== undefined)) {
    reader.fail("value stands alone: it makes the answer itself, so to and request would be ignored.");
  }
  return { ...config, effective };
}
