import { groups, storeOf } from "./compose.ts";
import type { Policy } from "./handler.ts";

export interface PolicyDescription {
  readonly kind: string;
  readonly name: string;
  /** Effective options, valid as configuration again. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Guards that are decided together with this one, in one round trip. */
  readonly together?: readonly string[];
}

/** Something that is allowed and hardly meant, why, and what to write instead. */
export interface Lint {
  readonly code: string;
  readonly policies: readonly string[];
  readonly message: string;
}

export interface Description {
  /** Outermost first. */
  readonly policies: readonly PolicyDescription[];
  readonly lints: readonly Lint[];
}

export function describePolicies(policies: readonly Policy[]): Description {
  const together = new Map<Policy, readonly string[]>();
  for (const group of groups(policies)) {
    if (group.length > 1)
      for (const policy of group)
        together.set(
          policy,
          group.map((one) => one.name),
        );
  }
  const described = policies.map((policy): PolicyDescription => {
    const group = together.get(policy);
    const plain = { kind: policy.kind, name: policy.name, options: { ...policy.describe?.() } };
    return group === undefined ? plain : { ...plain, together: group };
  });
  return {
    policies: described,
    lints: [...ORDER.flatMap((rule) => misordered(rule, described)), ...others(policies, described)],
  };
}

interface OrderRule {
  readonly code: string;
  /** This one should not stand outside of … */
  readonly outer: string;
  /** … that one. */
  readonly inner: string;
  readonly when?: (outer: PolicyDescription, inner: PolicyDescription) => boolean;
  readonly message: string;
}

const ORDER: readonly OrderRule[] = [
  {
    code: "retry-outside-cache",
    outer: "retry",
    inner: "cache",
    message: "cache inside retry: every attempt looks the answer up again. Put cache() before retry().",
  },
  {
    code: "breaker-outside-retry",
    outer: "circuit-breaker",
    inner: "retry",
    message:
      "circuitBreaker outside retry sees one call where the upstream saw several attempts, and learns late. Put it after retry().",
  },
  {
    code: "bulkhead-outside-retry",
    outer: "bulkhead",
    inner: "retry",
    message: "bulkhead outside retry holds its permit while the retry only waits. Put it after retry().",
  },
  {
    code: "fallback-inside-retry",
    outer: "retry",
    inner: "fallback",
    message: "fallback inside retry answers before anything is retried. Put fallback() before retry().",
  },
  {
    code: "resume-inside-retry",
    outer: "retry",
    inner: "resume",
    message:
      "resume inside retry asks for the rest of a stream once only: a retry outside of it has done its work at the first token. Put resume() before retry().",
  },
  {
    code: "cache-inside-resume",
    outer: "resume",
    inner: "cache",
    message: "cache inside resume never keeps an answer that was continued. Put cache() before resume().",
  },
  {
    code: "total-inside-retry",
    outer: "retry",
    inner: "timeout",
    when: (_, inner) => inner.options["total"] !== undefined,
    message:
      "timeout({ total }) inside retry bounds one attempt, not the call. Put it before retry(), as the first policy.",
  },
  {
    code: "attempt-clock-outside-retry",
    outer: "timeout",
    inner: "retry",
    when: (outer) => outer.options["firstToken"] !== undefined || outer.options["headers"] !== undefined,
    message:
      "timeout({ firstToken }) outside retry ends the whole call when one attempt is slow. Put a timeout with it after retry().",
  },
  {
    code: "limit-outside-cache",
    outer: "rate-limit",
    inner: "cache",
    message:
      "rateLimit outside cache spends the limit on answers that cost nothing. Put cache() before rateLimit().",
  },
];

function misordered(rule: OrderRule, policies: readonly PolicyDescription[]): readonly Lint[] {
  const found: Lint[] = [];
  for (const [i, outer] of policies.entries()) {
    if (outer.kind !== rule.outer) continue;
    for (const inner of policies.slice(i + 1)) {
      if (inner.kind !== rule.inner || rule.when?.(outer, inner) === false) continue;
      found.push({ code: rule.code, policies: [outer.name, inner.name], message: rule.message });
    }
  }
  return found;
}

function others(policies: readonly Policy[], described: readonly PolicyDescription[]): readonly Lint[] {
  const lints: Lint[] = [];
  const retries = described.filter((policy) => policy.kind === "retry");
  if (retries.length > 1) {
    lints.push({
      code: "retry-in-retry",
      policies: retries.map((policy) => policy.name),
      message: "a retry inside a retry makes one attempt only; keep one of them.",
    });
  }
  if (policies.length > 0 && !described.some((policy) => policy.kind === "timeout")) {
    lints.push({
      code: "no-timeout",
      policies: [],
      message:
        'nothing bounds how long a call may take. Begin with timeout({ total: "10m" }), or pass a deadline.',
    });
  }
  return [...lints, ...splitGroups(policies)];
}

/** Guards of one store that something in between keeps from being decided in one round trip. */
function splitGroups(policies: readonly Policy[]): readonly Lint[] {
  const lints: Lint[] = [];
  for (const [i, policy] of policies.entries()) {
    const store = storeOf(policy);
    const between = policies[i + 1];
    const after = policies[i + 2];
    if (store?.decideAll === undefined || between === undefined || after === undefined) continue;
    if (storeOf(after) !== store || storeOf(between) === store) continue;
    lints.push({
      code: "split-round-trip",
      policies: [policy.name, between.name, after.name],
      message: `${between.name} stands between two guards of one store: they cost two round trips instead of one.`,
    });
  }
  return lints;
}
