import { checkFields, checkNumber, checkText, refuse } from "../checks.ts";
import type { Rng } from "../rng.ts";
import { checkAction, type CheckedAction, type FaultAction } from "./action.ts";

/** Which requests, counted from 1: the third, some, a range, or every so many. */
export type Nth = number | readonly number[] | { from: number; to: number } | { every: number };

/** Conditions, all of which must hold. */
export interface FaultMatch {
  /** `/chat/completions`, `/models` or `/user/balance`. @default "/chat/completions" */
  path?: string;
  method?: string;
  model?: string;
  /** The whole key that the request came with. */
  key?: string;
  account?: string;
  /** The name of the replica that it came to. */
  replica?: string;
  userId?: string;
  /** Only requests that want a stream, or only those that do not. */
  stream?: boolean;
  /** Header values, compared as a whole; `"*"` is any value. */
  header?: Readonly<Record<string, string>>;
  /** Which of the requests that meet all the conditions above. Counted by arrival. */
  nth?: Nth;
  /** Counts `nth`, and walks through a list of actions, for each scope on its own. @default false */
  perScope?: boolean;
  /** Chance of each request, drawn from the seed and its scope: independent of the order of arrival. */
  probability?: number;
  /** Simulated milliseconds since the start (in a scenario: since the start of the phase). `toMs` is excluded. */
  window?: { fromMs: number; toMs: number };
}

/** When to do what. The first rule that applies wins. JSON-able. */
export interface FaultRule {
  /** @default given by the simulator */
  id?: string;
  match?: FaultMatch;
  /** Applies at most so often. */
  times?: number;
  /** One fault, or a list: the first match gets the first, and after the last the rule is spent. */
  action: FaultAction | readonly FaultAction[];
}

/** What a rule looks at. */
export interface RuleFacts {
  readonly path: string;
  readonly method: string;
  readonly model: string | undefined;
  readonly key: string | undefined;
  readonly account: string | undefined;
  readonly replica: string;
  readonly userId: string | undefined;
  readonly stream: boolean;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly scope: string;
}

/** A rule with its counters. */
export interface ActiveRule {
  readonly id: string;
  readonly source: FaultRule;
  /** How often it struck. */
  readonly hits: number;
  /** @param now simulated milliseconds in the rule's own time. */
  apply(facts: RuleFacts, now: number, rngFor: (purpose: string) => Rng): CheckedAction | undefined;
}

const matchFields = [
  "path",
  "method",
  "model",
  "key",
  "account",
  "replica",
  "userId",
  "stream",
  "header",
  "nth",
  "perScope",
  "probability",
  "window",
] as const;

/** How many scopes a `perScope` rule remembers; the oldest is forgotten first. */
const maximumScopes = 100_000;

export function createRule(path: string, value: unknown, id: string): ActiveRule {
  const rule = checkFields(path, value, ["id", "match", "times", "action"]) as unknown as FaultRule;
  const match = checkMatch(`${path}.match`, rule.match ?? {});
  const list: readonly unknown[] = Array.isArray(rule.action) ? rule.action : [rule.action];
  if (list.length === 0) refuse(`${path}.action`, rule.action, "a fault or a list of faults", '"503"');
  const actions = list.map((action, index) =>
    checkAction(Array.isArray(rule.action) ? `${path}.action[${index}]` : `${path}.action`, action),
  );
  const isList = Array.isArray(rule.action);
  let timesLeft =
    rule.times === undefined
      ? Infinity
      : checkNumber(`${path}.times`, rule.times, { min: 1, integer: true, example: "3" });
  const name = rule.id === undefined ? id : checkText(`${path}.id`, rule.id, '"evening-503"');

  let hits = 0;
  const counters = new Map<string, { seen: number; applied: number }>();
  function counterOf(scope: string): { seen: number; applied: number } {
    const key = match.perScope === true ? scope : "";
    let counter = counters.get(key);
    if (counter === undefined) {
      counter = { seen: 0, applied: 0 };
      counters.set(key, counter);
      if (counters.size > maximumScopes) counters.delete(counters.keys().next().value as string);
    }
    return counter;
  }

  return {
    id: name,
    source: rule,
    get hits() {
      return hits;
    },
    apply(facts, now, rngFor) {
      if (timesLeft === 0 || !meets(match, facts, now)) return undefined;
      const counter = counterOf(facts.scope);
      counter.seen += 1;
      if (match.nth !== undefined && !isNth(match.nth, counter.seen)) return undefined;
      if (isList && counter.applied >= actions.length) return undefined;
      const action = actions[isList ? counter.applied : 0] as (typeof actions)[number];
      const probability = match.probability ?? action.probability ?? 1;
      if (probability < 1 && rngFor(`rule:${name}`).next() >= probability) return undefined;
      counter.applied += 1;
      timesLeft -= 1;
      hits += 1;
      return action;
    },
  };
}

function checkMatch(path: string, value: unknown): FaultMatch {
  const match = checkFields(path, value, matchFields) as FaultMatch;
  if (match.probability !== undefined) {
    checkNumber(`${path}.probability`, match.probability, { min: 0, max: 1, example: "0.3" });
  }
  if (match.stream !== undefined && typeof match.stream !== "boolean") {
    refuse(`${path}.stream`, match.stream, "true or false", "true");
  }
  if (match.header !== undefined) checkFields(`${path}.header`, match.header, Object.keys(match.header));
  if (match.window !== undefined) {
    const { fromMs, toMs } = checkFields(`${path}.window`, match.window, ["fromMs", "toMs"]);
    checkNumber(`${path}.window.fromMs`, fromMs, { min: 0, example: "0" });
    checkNumber(`${path}.window.toMs`, toMs, { min: fromMs as number, above: true, example: "10000" });
  }
  if (match.nth !== undefined) checkNth(`${path}.nth`, match.nth);
  return match;
}

function checkNth(path: string, nth: Nth): void {
  const whole = { min: 1, integer: true, example: "3, [1, 2], { from: 1, to: 5 } or { every: 10 }" };
  if (Array.isArray(nth)) for (const [at, n] of nth.entries()) checkNumber(`${path}[${at}]`, n, whole);
  else if (typeof nth === "object" && nth !== null) {
    const fields = checkFields(path, nth, "every" in nth ? ["every"] : ["from", "to"]);
    for (const [name, n] of Object.entries(fields)) checkNumber(`${path}.${name}`, n, whole);
  } else checkNumber(path, nth, whole);
}

function meets(match: FaultMatch, facts: RuleFacts, now: number): boolean {
  if ((match.path ?? "/chat/completions") !== facts.path) return false;
  if (match.method !== undefined && match.method.toUpperCase() !== facts.method) return false;
  if (match.model !== undefined && match.model !== facts.model) return false;
  if (match.account !== undefined && match.account !== facts.account) return false;
  if (match.key !== undefined && match.key !== facts.key) return false;
  if (match.replica !== undefined && match.replica !== facts.replica) return false;
  if (match.userId !== undefined && match.userId !== facts.userId) return false;
  if (match.stream !== undefined && match.stream !== facts.stream) return false;
  if (match.window !== undefined && (now < match.window.fromMs || now >= match.window.toMs)) return false;
  for (const [name, wanted] of Object.entries(match.header ?? {})) {
    const sent = facts.headers[name.toLowerCase()];
    if (sent === undefined || (wanted !== "*" && sent !== wanted)) return false;
  }
  return true;
}

const isList = (nth: Exclude<Nth, number>): nth is readonly number[] => Array.isArray(nth);

function isNth(nth: Nth, count: number): boolean {
  if (typeof nth === "number") return count === nth;
  // Lists first: they too have something called `every`.
  if (isList(nth)) return nth.includes(count);
  return "every" in nth ? count % nth.every === 0 : count >= nth.from && count <= nth.to;
}
