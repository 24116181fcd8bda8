import { circuitsOf, isOpen } from "./circuits.ts";
import { count, duration, percent, plural } from "./format.ts";
import { type ClientView, isIn, type PolicyView } from "./merge.ts";
import type { RecentEvent } from "./state.ts";
import { sum } from "./unknown.ts";
import { codeWord, withKey } from "./words.ts";

/** How a client is, from well to worst. */
export type Condition = "calm" | "degraded" | "refusing" | "open";

const CONDITIONS: readonly Condition[] = ["calm", "degraded", "refusing", "open"];

export const CONDITION_WORDS: Readonly<Record<Condition, string>> = {
  calm: "Calm",
  degraded: "Degraded",
  refusing: "Refusing",
  open: "Open",
};

export interface Reason {
  readonly condition: Condition;
  readonly text: string;
}

export interface Judgement {
  readonly condition: Condition;
  /** The gravest first. */
  readonly reasons: readonly Reason[];
}

/** A share of failures from which somebody should look. */
const MANY_FAILURES = 0.05;

/** As long as a call is worth waiting for with somebody else to ask; the alert that wakes people says the same. */
const SLOW_FIRST_TOKEN_MS = 60_000;

/** Refusals are of now, not of a minute ago. */
const NOW_MS = 15_000;

/** Sentences that one client says at most. */
const MOST_REASONS = 6;

/** Says how a client is, and why: what somebody who was woken wants to know first. */
export function judge(client: ClientView, events: readonly RecentEvent[]): Judgement {
  const reasons = [
    ...client.policies.flatMap((policy) => ofPolicy(policy, client.instances)),
    ...ofRefusals(client),
    ...ofFailures(client),
    ...ofSlowness(client),
    ...ofAccounts(events),
    ...(client.draining
      ? [{ condition: "refusing", text: "It drains: no new call is taken." } as const]
      : []),
    ...(client.retryBudget.available < 1
      ? [{ condition: "degraded", text: "The retry budget is empty: nothing is retried." } as const]
      : []),
  ].toSorted((one, other) => CONDITIONS.indexOf(other.condition) - CONDITIONS.indexOf(one.condition));
  const rest = reasons.length - MOST_REASONS;
  return {
    condition: reasons[0]?.condition ?? "calm",
    reasons:
      rest <= 0
        ? reasons
        : [
            ...reasons.slice(0, MOST_REASONS),
            { condition: "calm", text: `And ${plural(rest, "more reason")}.` },
          ],
  };
}

/** The worst of several. */
export const worst = (conditions: readonly Condition[]): Condition =>
  CONDITIONS[Math.max(0, ...conditions.map((one) => CONDITIONS.indexOf(one)))] ?? "calm";

function ofPolicy(policy: PolicyView, instances: number): readonly Reason[] {
  const reasons: Reason[] = [];
  if (policy.degraded > 0) {
    const on = instances > 1 ? ` on ${policy.degraded} of ${instances} instances` : "";
    reasons.push({
      condition: "degraded",
      text: `${policy.name}: its shared store is away${on}; it is decided ${DECIDED[policy.source ?? ""] ?? "here"}.`,
    });
  }
  if (policy.kind === "circuit-breaker" && !isIn(policy, "off"))
    reasons.push(...ofCircuits(policy, instances));
  return reasons;
}

const DECIDED: Readonly<Record<string, string>> = {
  local: "by this process's share",
  open: "that all may pass",
  closed: "that none may pass",
};

function ofCircuits(policy: PolicyView, instances: number): readonly Reason[] {
  const shadow = isIn(policy, "shadow");
  return circuitsOf(policy.state).flatMap((circuit): readonly Reason[] => {
    const name = withKey(policy.name, circuit.key);
    const { calls, failures, status, on, openForMs } = circuit;
    const where = instances > 1 && on !== undefined ? ` on ${on} of ${instances} instances` : "";
    if (isOpen(circuit)) {
      const forced = status === "forced-open";
      if (shadow)
        return [{ condition: "degraded", text: `Circuit ${name} would be open${where}; it is in shadow.` }];
      const until = forced
        ? ", held by hand"
        : openForMs > 0
          ? `; tried again in ${duration(openForMs)}`
          : "; tried again with the next call";
      return [{ condition: "open", text: `Circuit ${name} is open${where}${until}.` }];
    }
    if (status === "half-open")
      return [
        {
          condition: "degraded",
          text: `Circuit ${name} is half-open${where}: a few calls try whether it is well.`,
        },
      ];
    if (status === "forced-closed")
      return [
        { condition: "degraded", text: `Circuit ${name} is held closed by hand${where}: it will not open.` },
      ];
    if (calls >= 20 && failures / calls >= 0.2)
      return [
        {
          condition: "degraded",
          text: `Circuit ${name} sees ${percent(failures, calls)} of its calls fail.`,
        },
      ];
    return [];
  });
}

function ofRefusals({ stats }: ClientView): readonly Reason[] {
  const { points, stepMs } = stats.series;
  const recent = sum(points.slice(-Math.ceil(NOW_MS / stepMs)).map(({ refused }) => refused));
  if (recent === 0) return [];
  const [most] = stats.refusalsBy;
  const by = most === undefined ? "" : `, most by ${most.policy} (${codeWord(most.code) ?? most.code})`;
  return [
    {
      condition: "refusing",
      text: `${plural(recent, "call")} refused in the last ${NOW_MS / 1_000} s${by}.`,
    },
  ];
}

function ofFailures({ stats: { answered, failed, windowMs } }: ClientView): readonly Reason[] {
  const all = answered + failed;
  if (failed === 0 || failed / all < MANY_FAILURES) return [];
  const text = `${count(failed)} of ${plural(all, "call")} failed (${percent(failed, all)}) in the last ${duration(windowMs)}.`;
  return [{ condition: "degraded", text }];
}

function ofSlowness({ stats: { firstToken } }: ClientView): readonly Reason[] {
  if (firstToken === null || firstToken.p99 < SLOW_FIRST_TOKEN_MS) return [];
  const text = `One call in a hundred waits ${duration(firstToken.p99)} or more for its first token.`;
  return [{ condition: "degraded", text }];
}

/** What was said last of each account, as far as it is remembered. */
function ofAccounts(events: readonly RecentEvent[]): readonly Reason[] {
  const last = new Map<string, RecentEvent>();
  for (const event of events.toSorted((one, other) => one.time - other.time)) {
    if (typeof event["account"] === "string" && event.type.startsWith("account-"))
      last.set(event["account"], event);
  }
  return [...last].flatMap(([account, { type }]): readonly Reason[] => {
    if (type === "account-close")
      return [{ condition: "degraded", text: `Account ${account} has no credit: none of its keys is used.` }];
    if (type === "account-low")
      return [{ condition: "degraded", text: `Account ${account} is running out of credit.` }];
    return [];
  });
}
