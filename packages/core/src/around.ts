import { attempt } from "./attempt.ts";
import type { Call } from "./call.ts";
import type { Any, Host, MaybePromise, Policy } from "./handler.ts";
import type { Outcome } from "./outcome.ts";
import { base, type PolicyBase } from "./policy-base.ts";

export type Next<Req, Res> = (call: Call<Req>) => MaybePromise<Outcome<Res>>;

export interface AroundSpec<Req, Res> extends PolicyBase {
  /** An around changes outcomes, so there is nothing that it could do in shadow. */
  mode?(): "enforce" | "off";
  check?(host: Host): void;
  /** Decides what the call comes to. `next(call.fork())` makes an attempt; never, once or many times. */
  run(call: Call<Req>, next: Next<Req, Res>, policy: Policy): MaybePromise<Outcome<Res>>;
  /**
   * Instead of `run`, for a call whose work may be done once only. The policy does not act on it then, so that one of
   * its kind further inside may. @default `run`
   */
  once?(call: Call<Req>, next: Next<Req, Res>, policy: Policy): MaybePromise<Outcome<Res>>;
}

/**
 * A policy that decides what a call comes to: it may make no attempt, one or many. Each is a fork of the call with
 * an ending of its own, and those whose answer is not the one returned are ended.
 */
export function around<Req = Any, Res = Any>(kind: string, spec: AroundSpec<Req, Res>): Policy<Req, Res> {
  const policy: Policy<Req, Res> = {
    ...base(kind, spec),
    apply(inner, host) {
      spec.check?.(host);
      const next: Next<Req, Res> = (call) => attempt(call, inner);
      return (call) => {
        if (spec.mode !== undefined && spec.mode() === "off") return inner(call);
        if (spec.once !== undefined && !call.trip.idempotent) return spec.once(call, next, policy);
        if (!call.enter(policy)) return inner(call);
        return spec.run(call, next, policy);
      };
    },
  };
  return policy;
}
