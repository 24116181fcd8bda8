import type { ConfigMismatch, MaybePromise } from "@breakwater/core";

import type { Agreed, Agreement, Terms } from "./agreement.ts";

export interface AgreementOptions {
  /** Whether asking the others makes sense at this moment. */
  readonly up: () => boolean;
  /** Beats, and so tells the others and hears them. */
  readonly declare: () => Promise<void>;
  /** What a policy is called towards the others. */
  readonly idOf: (kind: string, name: string) => string;
}

export interface OwnedAgreement {
  readonly agreement: Agreement;
  /** What this process says at a beat. */
  declared(): readonly string[];
  /** What others say. */
  heard(declarations: readonly string[]): void;
}

/** Names that are compared: their number should be known, but a name may be made of anything. */
const MOST_NAMES = 256;
/** Numbers that one process gives one name: a second policy of that name has some, and each `update()` brings others. */
const MOST_OWN = 8;

/** Numbers as one of the processes gives them. */
interface Declaration {
  /** The same for everybody who says the same. */
  readonly text: string;
  readonly version: number;
  readonly config: unknown;
}

/** Numbers that this process gives. */
interface Own extends Declaration {
  /** Has been told to the others. */
  declared: boolean;
  agreed: Agreed<unknown>;
  /** From what it was agreed. */
  from: string;
  untold: ConfigMismatch | undefined;
}

interface Policy {
  readonly id: string;
  readonly terms: Terms<unknown>;
  readonly own: Own[];
  others: readonly Declaration[];
  /** While the others are asked for the first time. */
  asking: Promise<void> | undefined;
}

export function createAgreement({ up, declare, idOf }: AgreementOptions): OwnedAgreement {
  const byTerms = new Map<object, Map<string, Policy>>();
  const byId = new Map<string, Policy>();

  function policyOf<C>(terms: Terms<C>, name: string): Policy | undefined {
    let names = byTerms.get(terms);
    if (names === undefined) byTerms.set(terms, (names = new Map()));
    let policy = names.get(name);
    if (policy === undefined && byId.size < MOST_NAMES) {
      const id = idOf(terms.kind, name);
      policy = { id, terms, own: [], others: [], asking: undefined };
      names.set(name, policy);
      byId.set(id, policy);
    }
    return policy;
  }

  function ownOf(policy: Policy, config: unknown, version: number): Own {
    const text = `["${policy.id}",${version},${textOf(config)}]`;
    let own = policy.own.find((one) => one.text === text);
    if (own === undefined) {
      own = { text, version, config, declared: false, agreed: { config }, from: "", untold: undefined };
      if (policy.own.length >= MOST_OWN) policy.own.shift();
      policy.own.push(own);
      settle(policy);
    }
    return own;
  }

  async function ask(own: Own): Promise<void> {
    try {
      // A beat may be on its way that does not tell of it yet.
      for (let i = 0; i < 2 && !own.declared; i++) await declare();
    } catch {
      // Redis is away: what is known holds, and the next beat asks again.
    }
  }

  return {
    agreement: {
      on<C>(terms: Terms<C>, name: string, config: C, version: number | undefined): MaybePromise<Agreed<C>> {
        if (version === undefined) return { config };
        const policy = policyOf(terms, name);
        if (policy === undefined) return { config };
        const first = policy.own.length === 0;
        const same = policy.own.find((one) => one.config === config && one.version === version);
        const own = same ?? ownOf(policy, config, version);
        if (same === undefined && !own.declared && up()) {
          const asked = ask(own);
          if (first) policy.asking = asked.then(() => void (policy.asking = undefined));
        }
        return policy.asking === undefined
          ? (tell(own) as Agreed<C>)
          : policy.asking.then(() => tell(own) as Agreed<C>);
      },
    },
    declared() {
      const texts: string[] = [];
      for (const { own } of byId.values()) {
        for (const one of own) {
          one.declared = true;
          texts.push(one.text);
        }
      }
      return texts;
    },
    heard(declarations) {
      const others = new Map<string, Declaration[]>();
      for (const text of declarations) {
        const read = parse(text);
        if (read === undefined || byId.get(read.id)?.terms.fits(read.config) !== true) continue;
        const known = others.get(read.id);
        if (known === undefined) others.set(read.id, [read]);
        else known.push(read);
      }
      for (const policy of byId.values()) {
        policy.others = others.get(policy.id) ?? [];
        settle(policy);
      }
    },
  };
}

/** Works out what holds: of those of the highest version the lowest. */
function settle({ terms, own, others }: Policy): void {
  const all = [...own, ...others];
  const version = all.reduce((most, one) => Math.max(most, one.version), 0);
  const newest = all
    .filter((one) => one.version === version)
    .toSorted((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
  const from = newest.map(({ text }) => text).join();
  const holds = newest.map(({ config }) => config).reduce((a, b) => terms.lower(a, b));
  const held = textOf(holds);
  for (const one of own) {
    if (one.from === from) continue;
    one.from = from;
    const ours = textOf(one.config);
    one.agreed = { config: ours === held ? one.config : holds };
    const differs = newest.some(({ config }) => textOf(config) !== ours);
    one.untold = differs ? { ours: terms.show(one.config), holds: terms.show(holds) } : undefined;
  }
}

/** One decision after each change is told of it. */
function tell(own: Own): Agreed<unknown> {
  if (own.untold === undefined) return own.agreed;
  const told = { config: own.agreed.config, mismatch: own.untold };
  own.untold = undefined;
  return told;
}

function parse(text: string): (Declaration & { readonly id: string }) | undefined {
  try {
    const [id, version, config] = JSON.parse(text) as [string, number, unknown];
    if (Number.isSafeInteger(version)) return { text, id, version, config };
  } catch {
    // Of a release that says it in another way.
  }
  return undefined;
}

const texts = new WeakMap<object, string>();

/** The same text for the same numbers, in whatever order they were written down. */
function textOf(config: unknown): string {
  if (typeof config !== "object" || config === null) return JSON.stringify(config);
  let text = texts.get(config);
  if (text === undefined) texts.set(config, (text = JSON.stringify(sorted(config))));
  return text;
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const given = value as Record<string, unknown>;
  const keys = Object.keys(given).toSorted();
  return Object.fromEntries(keys.map((key) => [key, sorted(given[key])]));
}
