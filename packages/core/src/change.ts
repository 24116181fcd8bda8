import { show } from "./duration.ts";
import { ConfigError } from "./errors.ts";
import type { Host, Policy } from "./handler.ts";
import type { CircuitBreaker } from "./policies/circuit-breaker/index.ts";
import { policyPlaces, showPolicies } from "./policy-places.ts";

/** What an operator changes of a policy while calls run. */
export type PolicyChange =
  /** Of a circuit breaker: held open or closed by hand, until `"auto"` gives it back. */
  | { readonly force: "open" | "closed" | "auto"; readonly key?: string }
  /** Options, `{ mode: "shadow" }` among them: those that are named change, the others stay. */
  | { readonly update: Readonly<Record<string, unknown>> };

export interface ChangeOptions {
  /** Who does it; for the event. */
  readonly by?: string | undefined;
}

/** @internal */
export async function changePolicy(
  host: Host,
  policies: readonly Policy[],
  which: string | number,
  change: PolicyChange,
  { by }: ChangeOptions = {},
): Promise<void> {
  const policy = find(host.name, policies, which);
  const told = readChange(policy, change);
  if ("force" in told) {
    const { force, key } = told;
    await (policy as CircuitBreaker).force(force === "auto" ? undefined : force, key);
  } else policy.update?.(told.update);
  const { kind, name } = policy;
  host.events.emit({
    type: "policy-change",
    policy: name,
    kind,
    change: told,
    ...(by !== undefined && { by }),
  });
}

function find(client: string, policies: readonly Policy[], which: string | number): Policy {
  const [place, ...others] = policyPlaces(policies, which);
  if (place !== undefined && others.length === 0) return policies[place] as Policy;
  throw new ConfigError(
    place === undefined
      ? `${client}: there is no policy ${show(which)}; ${showPolicies(policies)}.`
      : `${client}: ${others.length + 1} policies are called ${show(which)}; say which one by its kind or position: ${showPolicies(policies)}.`,
  );
}

function readChange(policy: Policy, change: PolicyChange): PolicyChange {
  const { name, kind } = policy;
  const fail = (problem: string): never => {
    throw new ConfigError(`${name}: ${problem}`);
  };
  if (typeof change !== "object" || change === null)
    return fail(`a change is { force: "open" } or { update: { … } }, got ${show(change)}.`);
  const { force, key, update, ...unknown } = change as Readonly<Record<string, unknown>>;
  const [odd] = Object.keys(unknown);
  if (odd !== undefined) return fail(`unknown member "${odd}" of a change; known are force, key and update.`);
  if ((force === undefined) === (update === undefined))
    return fail('a change is either { force: "open" } or { update: { … } }.');
  if (force !== undefined) {
    if (!("force" in policy)) return fail(`only a circuit breaker can be forced, and this is a ${kind}.`);
    if (force !== "open" && force !== "closed" && force !== "auto")
      return fail(`force must be "open", "closed" or "auto", got ${show(force)}.`);
    if (key !== undefined && typeof key !== "string") return fail(`key must be a string, got ${show(key)}.`);
    // Of a circuit that no call goes through nothing would come.
    const keyed = (policy.describe?.() as { readonly key?: unknown } | undefined)?.key !== undefined;
    if (keyed && key === undefined)
      return fail(
        `it has a circuit for each key; say which one: { force: ${show(force)}, key: "…" }. snapshot() shows them.`,
      );
    if (!keyed && key !== undefined && key !== "")
      return fail(`it has one circuit for all calls; leave key out, got ${show(key)}.`);
    return key === undefined ? { force } : { force, key };
  }
  if (key !== undefined) return fail("key belongs to force; options hold for all keys.");
  if (policy.update === undefined) return fail(`a ${kind} has no options that can be changed.`);
  if (typeof update !== "object" || update === null || Array.isArray(update))
    return fail(`update must be an object of options, such as { mode: "shadow" }, got ${show(update)}.`);
  if (Object.keys(update).length === 0)
    return fail('update is empty; name an option, such as { mode: "shadow" }.');
  return { update: update as Readonly<Record<string, unknown>> };
}
