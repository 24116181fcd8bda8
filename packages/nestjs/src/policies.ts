import { ConfigError, type Policy } from "@breakwater/core";

/** Policies; of a function each application makes its own. */
export type PolicySource = readonly Policy[] | (() => readonly Policy[]);

/** @throws ConfigError for what is none, such as `retry` that was not called. */
export function policiesOf(source: PolicySource): readonly Policy[] {
  const policies: unknown = typeof source === "function" ? source() : source;
  if (!Array.isArray(policies)) {
    throw new ConfigError(
      `createPipeline(…) or a list of policies is expected, such as [retry(), circuitBreaker()], got ${kindOf(policies)}.`,
    );
  }
  for (const policy of policies as readonly unknown[]) {
    if (isPolicy(policy)) continue;
    const hint = typeof policy === "function" ? ` that was not called: write ${policy.name}()` : "";
    throw new ConfigError(`a policy such as retry() is expected, got ${kindOf(policy)}${hint}.`);
  }
  return policies as readonly Policy[];
}

export function isPolicy(value: unknown): value is Policy {
  return typeof value === "object" && typeof (value as Partial<Policy> | null)?.apply === "function";
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
