import type { Call } from "../../call.ts";
import { type Duration, show } from "../../duration.ts";
import type { Any, Complete, MaybePromise, Updatable } from "../../handler.ts";
import { readOptions } from "../../options.ts";
import { checkStore } from "../../store.ts";
import { DEFAULT_MAX_BYTES } from "./memory-store.ts";
import type { CacheStore } from "./store.ts";

export interface CacheOptions<Req = Any, Res = Any> {
  /** Two caches of one name on one store share their answers. Required where processes share the store. @default "cache" */
  readonly name?: string;
  /** @default "enforce" */
  readonly mode?: "enforce" | "off";
  /** How long an answer is fresh, at most. Required: only you know. `0` keeps nothing, and shares what is in flight. */
  readonly ttl: Duration;
  /** Each answer is fresh for up to this share of `ttl` less, so that what came together does not go together. @default 0.1 */
  readonly ttlJitter?: number;
  /**
   * For so long after `ttl` a stale answer is given at once, while a new one is fetched in the background. A refresh has
   * ten minutes; one that comes to nothing is tried again after ten seconds. @default 0
   */
  readonly staleWhileRevalidate?: Duration;
  /**
   * For so long after `ttl` a stale answer is given where there would be none: failed, or refused. A clock that stands
   * outside of the cache has decided for itself; put it inside to have the stale answer instead. @default 0
   */
  readonly staleIfError?: Duration;
  /**
   * A hit past this share of its time fetches a new answer in the background, so that a popular answer never goes stale.
   * Costs a call per `ttl` and request. @default 1: off
   */
  readonly refreshAhead?: number;
  /** Identity of a request: equal keys share one answer. `undefined`: not this one. @default the upstream's own */
  readonly key?: (request: Req, call: Call<Req>) => string | undefined;
  /** One cache for everybody. @default false: each tenant has his own, and calls without a tenant have none */
  readonly shared?: boolean;
  /** Whose answer it is. @default the call's tenant */
  readonly tenant?: (request: Req, call: Call<Req>) => string | undefined;
  /**
   * Whether a complete answer may be kept, beside what the upstream says of it. Of a stream it sees the list of items,
   * or the whole answer if the upstream's codec puts streams together.
   */
  readonly storable?: (value: Complete<Res>) => boolean;
  /** Whether calls with one key that run at the same time share one attempt. @default true */
  readonly singleFlight?: boolean;
  /**
   * How a kept answer is streamed: at once, or so many items a second, as if it were being made (an item is about a
   * token). @default "instant"
   */
  readonly pacing?: "instant" | { readonly tokensPerSecond: number };
  /** Where answers are kept. @default this process */
  readonly store?: CacheStore;
  /**
   * How long calls wait for another process that fetches the same answer; then they ask by themselves. A stream made
   * elsewhere is not read along: it is given out when it is complete, so this is how long its first token may be late.
   * Only with a store that several processes share. @default "30s"
   */
  readonly maxWait?: Duration;
  /** Bytes kept in this process; not with `store`, which has a bound of its own. @default 64 MiB */
  readonly maxBytes?: number;
  /** A larger answer is not kept. @default 1 MiB */
  readonly maxEntryBytes?: number;
}

/** Which entry is meant, where there is no call that says it. */
export interface CacheWhose {
  /** Required unless the cache is `shared`, or has a `tenant` of its own. */
  readonly tenant?: string;
}

export interface CacheWarming extends CacheWhose {
  /** The value is the list of items that a stream is to bring. @default false */
  readonly stream?: boolean;
}

export interface CacheSnapshot {
  /** Of the whole store; absent where it cannot tell at once. */
  readonly entries?: number;
  readonly bytes?: number;
  readonly hits: number;
  readonly misses: number;
  readonly joins: number;
  readonly stale: number;
  /** Attempts that are shared, or run in the background, at this moment. */
  readonly flights: number;
}

export interface Cache<Req = Any, Res = Any> extends Updatable<CacheOptions<Req, Res>, Req, Res> {
  /** Puts an answer in, as if it had just come. @returns whether it was kept. */
  warm(request: Req, value: Complete<Res>, options?: CacheWarming): MaybePromise<boolean>;
  /** Forgets the answer to a request. What is being fetched at this moment will not be kept. */
  delete(request: Req, options?: CacheWhose): MaybePromise<void>;
  /** Forgets all answers under this cache's name. */
  clear(): MaybePromise<void>;
  snapshot(): CacheSnapshot;
}

/** @internal */
export interface CacheConfig<Req, Res> {
  readonly name: string;
  readonly mode: "enforce" | "off";
  readonly ttlMs: number;
  readonly ttlJitter: number;
  readonly staleMs: number;
  readonly errorMs: number;
  readonly refreshAhead: number;
  readonly key: CacheOptions<Req, Res>["key"];
  readonly shared: boolean;
  readonly tenant: CacheOptions<Req, Res>["tenant"];
  readonly storable: CacheOptions<Req, Res>["storable"];
  readonly singleFlight: boolean;
  readonly tokensPerSecond: number;
  readonly store: CacheStore | undefined;
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly maxEntryBytes: number;
  readonly effective: Readonly<Record<string, unknown>>;
}

/** Most answers are there by then; whoever wants a longer one sooner may well pay for it twice. */
const MAX_WAIT_MS = 30_000;

/** @internal */
export function readCacheOptions<Req, Res>(options: CacheOptions<Req, Res>): CacheConfig<Req, Res> {
  type Options = CacheOptions<Req, Res>;
  const reader = readOptions("cache", options);
  const store = reader.raw<CacheStore>("store");
  checkStore(reader, store, "get", "a cache store, such as createMemoryCacheStore()");
  if (store !== undefined && options.maxBytes !== undefined)
    reader.fail("maxBytes is the bound of the cache's own store; give it to the store that you made.");
  if (store?.shared === true && options.name === undefined)
    reader.fail(
      'name is required with a shared store: processes find the same answers by it, for example { name: "answers" }.',
    );
  if (store?.claim === undefined && options.maxWait !== undefined)
    reader.fail(
      "maxWait is about other processes that fetch the same, and this store knows of none; leave it out.",
    );
  if (options.singleFlight === false && options.maxWait !== undefined)
    reader.fail("without singleFlight nobody waits for somebody else's answer; leave out maxWait.");
  const shared = reader.flag("shared", false);
  const tenant = reader.callback<NonNullable<Options["tenant"]>>("tenant");
  if (shared && tenant !== undefined)
    reader.fail("a cache that is shared by all tenants does not ask whose an answer is; leave out tenant.");
  const pacing = reader.raw<NonNullable<Options["pacing"]>>("pacing") ?? "instant";
  const tokensPerSecond = pacing === "instant" ? Infinity : pacing.tokensPerSecond;
  if (typeof tokensPerSecond !== "number" || !(tokensPerSecond > 0))
    reader.fail(`pacing must be "instant" or { tokensPerSecond: 50 }, got ${show(pacing)}.`);
  return {
    name: reader.text("name", "cache"),
    mode: reader.oneOf("mode", ["enforce", "off"], "enforce"),
    ttlMs: reader.duration("ttl"),
    ttlJitter: reader.number("ttlJitter", 0.1, { max: 1 }),
    staleMs: reader.duration("staleWhileRevalidate", 0),
    errorMs: reader.duration("staleIfError", 0),
    refreshAhead: reader.number("refreshAhead", 1, { max: 1 }),
    key: reader.callback<NonNullable<Options["key"]>>("key"),
    shared,
    tenant,
    storable: reader.callback<NonNullable<Options["storable"]>>("storable"),
    singleFlight: reader.flag("singleFlight", true),
    tokensPerSecond,
    store,
    maxWaitMs: store?.claim === undefined ? 0 : reader.duration("maxWait", MAX_WAIT_MS),
    maxBytes: store === undefined ? reader.count("maxBytes", DEFAULT_MAX_BYTES) : DEFAULT_MAX_BYTES,
    maxEntryBytes: reader.count("maxEntryBytes", 1024 * 1024),
    effective: reader.done(),
  };
}
