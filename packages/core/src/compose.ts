import { fuse } from "./fuse.ts";
import { GUARD, type GuardPolicy, isGuard } from "./guard.ts";
import type { Any, Handler, Host, Policy } from "./handler.ts";
import type { AnyStore } from "./store.ts";

/** The policies of pipelines within pipelines, outermost first. */
export function flatten(policies: readonly Policy[]): readonly Policy[] {
  // What is no policy is told by who is given it.
  return policies.flatMap((policy) => {
    const parts = (policy as Policy | null | undefined)?.parts;
    return parts === undefined ? [policy] : flatten(parts);
  });
}

/** Written order is the real order: the first policy is the outermost. Done once, when a client is made. */
export function compose<Req, Res>(
  policies: readonly Policy[],
  upstream: Handler<Req, Res>,
  host: Host,
): Handler<Req, Res> {
  let handler: Handler<Any, Any> = upstream;
  for (const group of groups(policies).toReversed()) {
    const [first] = group as [Policy];
    handler =
      group.length > 1
        ? fuse(group as GuardPolicy<Any>[], storeOf(first) as AnyStore, handler, host)
        : first.apply(handler, host);
  }
  return handler;
}

/**
 * Strictly adjacent guards on one store that can decide together; everything else stands alone. Two of one kind and name
 * go by the same state, and each would look at it as if the other took nothing: the second begins a group of its own.
 */
export function groups(policies: readonly Policy[]): readonly (readonly Policy[])[] {
  const result: Policy[][] = [];
  for (const policy of policies) {
    const store = storeOf(policy);
    const last = result.at(-1);
    const fits = store?.decideAll !== undefined && last !== undefined && storeOf(last[0] as Policy) === store;
    if (fits && !last.some((one) => one.kind === policy.kind && one.name === policy.name)) last.push(policy);
    else result.push([policy]);
  }
  return result;
}

/** @internal */
export function storeOf(policy: Policy): AnyStore | undefined {
  if (!isGuard(policy)) return undefined;
  const spec = policy[GUARD];
  return "store" in spec ? spec.store : undefined;
}
