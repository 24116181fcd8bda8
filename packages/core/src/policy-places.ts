import type { Policy } from "./handler.ts";

/**
 * The positions of the policies that an operator means: by position, by name, or by kind where none is called so. A name
 * comes first, because somebody chose it; a kind is what is known of policies that were never named, or were named alike.
 *
 * @returns none where nothing is called so, several where it is not clear which one is meant
 *
 * @example
 * ```ts
 * import { bulkhead, policyPlaces, retry } from "@breakwater/core";
 *
 * const policies = [retry(), bulkhead({ name: "places", concurrency: 2 })];
 * policyPlaces(policies, "bulkhead"); // => [1]
 * ```
 */
export function policyPlaces(policies: readonly Policy[], which: string | number): readonly number[] {
  const places = [...policies.keys()];
  if (typeof which === "number") return places.filter((place) => place === which);
  const named = places.filter((place) => policies[place]?.name === which);
  return named.length > 0 ? named : places.filter((place) => policies[place]?.kind === which);
}

/**
 * What an operator may say, for a message.
 *
 * @example
 * ```ts
 * import { bulkhead, retry, showPolicies } from "@breakwater/core";
 *
 * showPolicies([retry(), bulkhead({ name: "places", concurrency: 2 })]); // => 'there is 0 retry, 1 bulkhead "places"'
 * ```
 */
export function showPolicies(policies: readonly Policy[]): string {
  const known = policies.map(
    ({ kind, name }, place) => `${place} ${kind}${name === kind ? "" : ` "${name}"`}`,
  );
  return known.length === 0 ? "it has none" : `there is ${known.join(", ")}`;
}
