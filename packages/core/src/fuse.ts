import type { StoreError } from "./errors.ts";
import {
  callersOwn,
  type Enter,
  GUARD,
  type GuardPolicy,
  type Judgement,
  proceed,
  sourced,
  storeFailed,
  type StoreGuard,
} from "./guard.ts";
import { type Any, chain, type Handler, type Host, isPromise, type MaybePromise } from "./handler.ts";
import type { AnyStore, StoreReply } from "./store.ts";

/** @internal One round trip for adjacent guards on one store. */
export function fuse<Req, Res>(
  policies: readonly GuardPolicy<Req>[],
  store: AnyStore,
  next: Handler<Req, Res>,
  host: Host,
): Handler<Req, Res> {
  const members = policies.map((policy) => ({ policy, spec: policy[GUARD] as StoreGuard<Req, Any, Any> }));
  for (const { spec } of members) spec.check?.(host);
  // A guard in shadow or off cannot be asked all or nothing; with one of them the group goes one by one.
  const oneByOne = policies.reduceRight((inner, policy) => policy.apply(inner, host), next);
  const name = policies.map((policy) => policy.name).join("+");

  return (call) => {
    if (members.some(({ spec }) => spec.mode !== undefined && spec.mode() !== "enforce"))
      return oneByOne(call);
    const active = members.filter(({ policy }) => call.enter(policy));
    if (active.length === 0) return next(call);

    const enter: Enter<Req> = () => {
      let asks: readonly unknown[];
      try {
        for (const { spec } of active) {
          const early = spec.before?.(call);
          if (early !== undefined) return early;
        }
        asks = active.map(({ spec }) => spec.ask(call));
      } catch (error) {
        throw callersOwn(error, call);
      }
      const judgeAll = (replies: readonly unknown[]): Judgement => {
        for (const [i, { policy }] of active.entries())
          policy.sources?.replied(replies[i] as StoreReply, call, askedAt);
        // Written order decides which refusal is told.
        for (const [i, { policy, spec }] of active.entries()) {
          const judged = sourced(policy.sources, spec.judge(replies[i], call, asks[i]));
          if (judged !== undefined) return judged;
        }
        for (const [i, { spec }] of active.entries()) spec.settle?.(call, replies[i], asks[i]);
        return undefined;
      };
      const failed = (error: unknown): StoreError | undefined =>
        storeFailed(
          call,
          name,
          error,
          active.map(({ policy }) => policy),
          asks,
          askedAt,
        );
      const askedAt = call.runtime.now();
      let decided: MaybePromise<readonly unknown[]>;
      try {
        decided = (store as Required<AnyStore>).decideAll(asks);
      } catch (error) {
        return failed(error);
      }
      return isPromise(decided) ? decided.then(judgeAll, failed) : judgeAll(decided);
    };
    return chain(enter(call), (judged) => proceed(call, judged, "enforce", name, enter, next));
  };
}
