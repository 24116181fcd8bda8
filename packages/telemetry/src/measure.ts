import type { Ending, EventOf, Listener, PolicyChange } from "@breakwater/core";

import { type Instrument, type InstrumentKey, INSTRUMENTS } from "./instruments.ts";
import { httpStatusOf, kindOf } from "./kinds.ts";
import { byTenant, type MetricConfig } from "./metric-options.ts";
import { createSeries, type MakeSeries } from "./series.ts";

/** Tells how much of something there was. @param values of the labels, in their order */
type Tell = (amount: number, values: readonly string[]) => void;

/** Makes what instruments count in. Gauges are none: they are read when somebody asks. */
export type MakeInstrument = (instrument: Instrument) => MakeSeries;

export interface Measure {
  /** Counts and measures what an event tells. */
  readonly listen: Listener;
  /** There is a client of this name. How its calls may end is told from zero: what begins at one is never seen to rise. */
  begin(client: string): void;
}

/** Makes all instruments that events tell of. */
export function measure(make: MakeInstrument, config: MetricConfig): Measure {
  const { tenants } = config;
  const tellers = new Map<InstrumentKey, Tell>();
  for (const instrument of INSTRUMENTS) {
    if (instrument.type === "gauge") continue;
    const series = createSeries(instrument, byTenant(instrument, config), config.sets, make(instrument));
    tellers.set(instrument.key, (amount, values) => series.find(values)(amount));
  }
  const tell = (key: InstrumentKey): Tell => tellers.get(key) as Tell;
  const tellCall = callTeller(tell, tenants);
  const tellAttempt = attemptTeller(tell);
  const tellPolicy = policyTeller(tell);
  const tenantOf = tenants ? createTenants() : undefined;
  const whose = (values: string[], tenant: string): readonly string[] => {
    if (tenants) values.push(tenant);
    return values;
  };

  const tellTokens = tell("tokens");

  function countTokens({ client, ending, model = "" }: EventOf<"attempt-end">, tenant: string): void {
    const { promptTokens, cachedPromptTokens, completionTokens, reasoningTokens } = (ending.usage ??
      NO_TOKENS) as Tokens;
    const count = (amount: number | undefined, type: string): void => {
      if (isAmount(amount) && amount > 0) tellTokens(amount, whose([client, model, type], tenant));
    };
    count(promptTokens, "prompt");
    count(cachedPromptTokens, "cached_prompt");
    count(completionTokens, "completion");
    count(reasoningTokens, "reasoning");
  }

  const tellCost = tell("costUsd");
  const tellSaved = tell("costSavedUsd");
  const tellUnknown = tell("costUnknown");
  function countCost(event: EventOf<"attempt-cost">, tenant: string): void {
    const { category, client, model, savedUsd, usd } = event;
    if (category === "cached") {
      if (isAmount(savedUsd)) tellSaved(savedUsd, whose([client, model], tenant));
    } else if (!isAmount(usd)) tellUnknown(1, [client, model]);
    // What costs nothing is as a rule a model that there is not: callers may name thousands, in the place of those that there are.
    else if (usd > 0) tellCost(usd, whose([client, model, category], tenant));
  }

  const tellCalls = tell("calls");
  const begun = new Set<string>();
  function begin(client: string): void {
    const name = config.sets.client.of(client);
    if (begun.has(name)) return;
    begun.add(name);
    for (const [outcome, kind] of USUAL) tellCalls(0, whose([name, outcome, kind], ""));
  }

  const listen: Listener = (event) => {
    switch (event.type) {
      case "call-start":
        begin(event.client);
        tenantOf?.begin(event);
        return;
      case "call-end":
        tellCall(event);
        return;
      case "attempt-start":
        return;
      case "attempt-end":
        tellAttempt(event);
        countTokens(event, tenantOf?.of(event) ?? "");
        return;
      case "attempt-cost":
        countCost(event, tenantOf?.of(event) ?? "");
        return;
      default:
        tellPolicy(event);
    }
  };
  return { begin, listen };
}

/** How calls of every client may end. Codes of refusals are not among them: which there are its policies decide. */
const USUAL: readonly (readonly [Ending["status"], string])[] = [
  ["answered", "fresh"],
  ["failed", "upstream"],
  ["failed", "overload"],
  ["failed", "timeout"],
  ["cancelled", "caller"],
];

type Teller = (key: InstrumentKey) => Tell;

function callTeller(tell: Teller, tenants: boolean): (event: EventOf<"call-end">) => void {
  const calls = tell("calls");
  const duration = tell("callDuration");
  const firstToken = tell("firstToken");
  return ({ client, ending, meta, startedAt, tenant = "" }) => {
    const { endedAt, firstTokenAt, status } = ending;
    const kind = kindOf(ending, meta);
    calls(1, tenants ? [client, status, kind, tenant] : [client, status, kind]);
    duration(seconds(startedAt, endedAt), [client, status]);
    if (firstTokenAt !== undefined && !IN_CACHE.has(meta.cache))
      firstToken(seconds(startedAt, firstTokenAt), [client]);
  };
}

/** What a cache has takes no time, and there is no first token of what comes whole: it would hide how long others wait. */
const IN_CACHE: ReadonlySet<string | undefined> = new Set(["hit", "stale"]);

function attemptTeller(tell: Teller): (event: EventOf<"attempt-end">) => void {
  const attempts = tell("attempts");
  const duration = tell("attemptDuration");
  const firstToken = tell("attemptFirstToken");
  return ({ client, ending, startedAt, target = "" }) => {
    const { endedAt, firstTokenAt, status } = ending;
    attempts(1, [client, target, status, kindOf(ending), httpStatusOf(ending)]);
    duration(seconds(startedAt, endedAt), [client, target, status]);
    if (firstTokenAt !== undefined) firstToken(seconds(startedAt, firstTokenAt), [client, target]);
  };
}

/** What single policies tell. Rarer than calls, so that it may look its instruments up. */
function policyTeller(tell: Teller): Listener {
  return (event) => {
    const { client } = event;
    switch (event.type) {
      case "call-refused":
        return tell("refusals")(1, [client, event.refusal.by, event.refusal.code]);
      case "would-refuse":
        return tell("wouldRefusals")(1, [client, event.refusal.by, event.refusal.code]);
      case "retry-wait":
        return tell("retries")(1, [client, event.policy]);
      case "retry-stop":
        return tell("retryStops")(1, [client, event.policy, event.because]);
      case "breaker-open":
        return tell("breakerTransitions")(1, [client, event.policy, "open"]);
      case "breaker-half-open":
        return tell("breakerTransitions")(1, [client, event.policy, "half-open"]);
      case "breaker-close":
        return tell("breakerTransitions")(1, [client, event.policy, "closed"]);
      case "clock-ran-out":
        return tell("clockExpirations")(1, [client, event.policy, event.clock]);
      case "limit-change":
        return tell("limitChanges")(1, [client, event.policy, event.to > event.from ? "up" : "down"]);
      case "cache-read":
        return tell("cacheReads")(1, [client, event.policy, event.result]);
      case "cache-refresh":
        return tell("cacheRefreshes")(1, [client, event.policy, event.ok ? "kept" : "failed"]);
      case "fallback-use":
        return tell("fallbacks")(1, [client, event.policy, event.to]);
      case "stream-resume":
        return tell("streamResumes")(1, [client, event.policy]);
      case "resume-stop":
        return tell("streamBreaks")(1, [client, event.policy, event.because]);
      case "queue-wait":
        return tell("queueWait")(seconds(0, event.ms), [client, event.policy]);
      case "store-decide":
        tell("storeDecisions")(1, [client, event.policy, event.kind, event.source]);
        return tell("storeDecision")(seconds(0, event.ms), [client, event.policy]);
      case "store-fail":
        return tell("storeFailures")(1, [client, event.policy]);
      case "config-mismatch":
        return tell("configMismatches")(1, [client, event.policy]);
      case "policy-change":
        return tell("policyChanges")(1, [client, event.policy, event.kind, changeOf(event.change)]);
      case "callback-throw":
        return tell("callbackErrors")(1, [client]);
      case "hint":
        return tell("hints")(1, [client]);
      default:
        return undefined;
    }
  };
}

const MODES: readonly unknown[] = ["enforce", "shadow", "off"];

function changeOf(change: PolicyChange): string {
  if ("force" in change) return `force-${change.force}`;
  const { mode } = change.update;
  return MODES.includes(mode) ? `mode-${String(mode)}` : "update";
}

interface Tokens {
  readonly promptTokens?: number;
  readonly cachedPromptTokens?: number;
  readonly completionTokens?: number;
  readonly reasoningTokens?: number;
}

const NO_TOKENS: NonNullable<Ending["usage"]> = {};

/** A number that can be added: what an upstream told may be anything. */
function isAmount(amount: number | null | undefined): amount is number {
  return typeof amount === "number" && Number.isFinite(amount) && amount >= 0;
}

function seconds(from: number, to: number): number {
  return Math.max(0, to - from) / 1_000;
}

/** Calls of which the tenant is known. More than are in flight, for what they share may go on when they are over. */
const KNOWN_CALLS = 10_000;

interface Tenants {
  begin(call: EventOf<"call-start">): void;
  of(event: { readonly serial?: number }): string;
}

/** Whose call it is only the call itself tells, and not its attempts. */
function createTenants(): Tenants {
  const known = new Map<number, string>();
  return {
    begin({ serial, tenant }) {
      if (serial === undefined || tenant === undefined) return;
      if (known.size >= KNOWN_CALLS) known.delete(known.keys().next().value as number);
      known.set(serial, tenant);
    },
    of: ({ serial }) => (serial === undefined ? undefined : known.get(serial)) ?? "",
  };
}
