import { type Call, chain, type Ending, type Handler, type Meta } from "@breakwater/core";

import type { CostBook } from "./ledger.ts";
import { categoryOf, type CostRecord, priced, spentBy, type Tokens, tokensOf } from "./record.ts";
import { speakable } from "./sums.ts";

/** Where attempts go. */
export interface CostPlace<Req> {
  readonly host: string;
  /** The model that this host is asked for. */
  modelFor(request: Req): string;
  accountOf(call: Call<Req>): string | undefined;
}

/**
 * An upstream whose HTTP requests are written into the book. It stands innermost: policies around it make attempts of
 * their own, which are the same requests.
 */
export function accounted<Req, Res>(
  handle: Handler<Req, Res>,
  book: CostBook,
  place: CostPlace<Req>,
): Handler<Req, Res> {
  return (call) => {
    let given = false;
    call.defer((ending) => {
      // Else it was refused, or its caller left, before anything was sent.
      if (ending.dispatchedAt !== undefined) settle(call, ending, given, book, place);
    });
    return chain(handle(call), (outcome) => {
      given = outcome.status === "answered" && outcome.end !== undefined;
      return outcome;
    });
  };
}

/** The attempt is over. What it was good for is known when its call is. */
function settle<Req>(
  call: Call<Req>,
  ending: Ending,
  given: boolean,
  book: CostBook,
  place: CostPlace<Req>,
): void {
  const { meta, runtime } = call;
  const { host } = place;
  const at = runtime.wallNow();
  const arrivedAt = at - (runtime.now() - (ending.dispatchedAt ?? runtime.now()));
  const usage = ending.usage ?? call.usage;
  const tokens = spentBy(ending, usage);
  const requested = place.modelFor(call.request);
  const model = call.model ?? requested;
  const name = place.accountOf(call);
  const made = meta.attempts;
  whenOver(outermostOf(call), (ended) => {
    const record: CostRecord = speakable({
      ...whose(call, name),
      host,
      requested,
      model,
      ...countsOf(tokens),
      estimated: usage?.estimated === true,
      ...priced(book.list, { host, model, arrivedAt, completedAt: at, tokens }),
      category: categoryOf({ attempt: ending, call: ended, given, followed: meta.attempts > made }),
      at,
    });
    book.add(record, metasOf(call), call.host.events, call);
  });
}

/** What is done when a call is over, in the order in which it was asked for: `defer` does the last first. */
const endings = new WeakMap<Call<unknown>, ((ended: Ending) => void)[]>();

function whenOver(call: Call<unknown>, f: (ended: Ending) => void): void {
  const waiting = endings.get(call);
  if (waiting !== undefined) {
    waiting.push(f);
    return;
  }
  const all = [f];
  endings.set(call, all);
  call.defer((ended) => {
    endings.delete(call);
    for (const each of all) each(ended);
  });
}

const FROM_CACHE: ReadonlySet<string | undefined> = new Set(["hit", "stale", "join"]);

/** Calls around one whose answer from a cache is accounted for. */
const counted = new WeakSet<Call<unknown>>();

/** Writes down what a call saved if a cache answers it. Called for every call of a client. */
export function accountForCache(call: Call<unknown>, book: CostBook, host: string): void {
  call.defer((ending: Ending) => {
    const { meta, runtime } = call;
    if (ending.status !== "answered" || !FROM_CACHE.has(meta.cache) || counted.has(call)) return;
    // The client around this one is told the same.
    for (let around = call.parent; around !== undefined; around = around.parent) counted.add(around);
    const at = runtime.wallNow();
    const { model = "-", saved: usage } = meta;
    const tokens = tokensOf(usage);
    const { nanoUsd, priceFrom, tier } = priced(book.list, {
      host,
      model,
      arrivedAt: at,
      completedAt: at,
      tokens,
    });
    const record: CostRecord = speakable({
      ...whose(call, undefined),
      host,
      requested: model,
      model,
      ...countsOf(tokens),
      estimated: usage?.estimated === true,
      priceFrom,
      tier,
      nanoUsd: 0n,
      category: "cached",
      savedNanoUsd: nanoUsd,
      at,
    });
    book.add(record, metasOf(call), call.host.events, call);
  });
}

function countsOf(tokens: Tokens | undefined): Pick<CostRecord, "hit" | "miss" | "completion" | "reasoning"> {
  return tokens ?? { hit: null, miss: null, completion: null, reasoning: null };
}

function whose(
  call: Call<unknown>,
  account: string | undefined,
): Pick<CostRecord, "callId" | "tenant" | "account"> {
  return {
    callId: call.id,
    ...(call.tenant !== undefined && { tenant: call.tenant }),
    ...(account !== undefined && { account }),
  };
}

/** The call of the client, or the flight that several of them share: whose end tells what its attempts were good for. */
function outermostOf(call: Call<unknown>): Call<unknown> {
  let top = call;
  while (top.parent !== undefined && top.parent.trip === top.trip) top = top.parent;
  return top;
}

/** Of the call and of those around it. */
function metasOf(call: Call<unknown>): ReadonlySet<Meta> {
  const metas = new Set<Meta>();
  for (let each: Call<unknown> | undefined = call; each !== undefined; each = each.parent)
    metas.add(each.meta);
  return metas;
}
