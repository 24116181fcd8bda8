import { around, type Next } from "../../around.ts";
import type { Call } from "../../call.ts";
import { show } from "../../duration.ts";
import { ConfigError } from "../../errors.ts";
import {
  type Any,
  chain,
  type Codec,
  type Complete,
  type Host,
  isPromise,
  type MaybePromise,
} from "../../handler.ts";
import { createKeyed } from "../../internal/keyed.ts";
import { configure } from "../../options.ts";
import { answered, type Outcome } from "../../outcome.ts";
import { relay } from "../../relay.ts";
import { createTurn, type Turn } from "./claims.ts";
import { type Copier, copiesOf, createCopier, replay } from "./copier.ts";
import { createMemoryCacheStore } from "./memory-store.ts";
import {
  type Cache,
  type CacheOptions,
  type CacheSnapshot,
  type CacheWarming,
  type CacheWhose,
  readCacheOptions,
} from "./options.ts";
import { pack } from "./packing.ts";
import { ALONE, type Cargo, createFlight, ELSEWHERE, type Flight, type Landing } from "./single-flight.ts";
import type { CacheAsk, CacheEntry, CacheFound, CacheStore } from "./store.ts";
import { imagine, keyOf } from "./whose.ts";

/**
 * Gives an answer that was given before, to the same request of the same tenant, and lets calls that want the same at
 * the same time share one attempt.
 *
 * Only what was answered to its end is kept: not what failed, was refused, cancelled, covered by a fallback or continued
 * after it broke off, and not a stream whose reader left. `undefined` and other falsy answers are kept. Streams are given out as streams again; where
 * the upstream's codec knows both shapes of an answer (`Codec.shapes`), each caller is given the one that he asked for.
 * Answers are copied on their way in and out, since whoever reads one may change it: that costs time in proportion to
 * their size, so give large ones a `codec.copy`. What is not plain data (a Response, an instance of a class) is neither
 * kept nor shared.
 *
 * A shared attempt belongs to nobody: each call leaves when it likes and is answered in its own time, and the last one
 * that leaves ends it. All get the same answer, or the same error. Only the first counts an attempt; it alone holds
 * permits inside. A function that calls its own client again must hand on its `signal`, or it waits for itself.
 *
 * A call without a tenant is not cached unless the cache is `shared`: it would show one customer's answer to another.
 *
 * @throws ConfigError when there is no way to tell whether two requests are the same.
 *
 * @example
 * ```ts
 * import { cache, createClient, upstream } from "@breakwater/core";
 *
 * let asked = 0;
 * const ask = createClient(
 *   upstream(async (question: string) => `${question} (asked ${++asked} times)`),
 *   cache({ ttl: "10m", key: (question) => question, shared: true }),
 * );
 * await ask("why?"); // => "why? (asked 1 times)"
 * await ask("why?"); // => "why? (asked 1 times)"
 * ```
 */
export function cache<Req = Any, Res = Any>(options: CacheOptions<Req, Res>): Cache<Req, Res> {
  const settings = configure(options, readCacheOptions<Req, Res>, (now) => own.resize(now.maxBytes));
  const { name, maxBytes, store: given } = settings.now;
  const own = createMemoryCacheStore({ maxBytes });
  const store: CacheStore = given ?? own;

  /** Those that are found by their key; another may have taken the place of one that is too long to be joined. */
  const flights = new Map<string, Journey<Res>>();
  const aloft = new Set<Journey<Res>>();
  /** When a refresh that came to nothing is tried again. */
  const cooling = createKeyed(
    MAX_COOLING,
    () => ({ until: 0 }),
    () => true,
  );
  const counts = { hits: 0, misses: 0, joins: 0, stale: 0 };
  const hinted = new Set<string>();
  let host: Host | undefined;
  let copier = createCopier();
  let copierOf: Codec<Any> | undefined;

  // --- Whose answer, and to what ---

  function identify(call: Call<Req>): string | undefined {
    return keyOf(call, settings.now, () =>
      hint(call, "calls without a tenant are not cached: give them one, or make the cache `shared`."),
    );
  }

  function askFor(key: string, call: Call<Any>): CacheAsk {
    return { name, key, now: call.runtime.now() };
  }

  function copierFor(call: Call<Any>): Copier {
    const codec = call.host.traits?.codec;
    if (codec !== copierOf) {
      copierOf = codec;
      copier = createCopier(codec);
    }
    return copier;
  }

  // --- Looking up ---

  function begin(call: Call<Req>, next: Next<Req, Res>, key: string): MaybePromise<Outcome<Res>> {
    return chain(look(call, key), (found) => decide(call, next, key, found));
  }

  function look(call: Call<Req>, key: string): MaybePromise<CacheFound | undefined> {
    try {
      const found = store.get(askFor(key, call));
      return isPromise(found) ? found.catch((error: unknown) => storeFailed(call, error)) : found;
    } catch (error) {
      return storeFailed(call, error);
    }
  }

  function decide(
    call: Call<Req>,
    next: Next<Req, Res>,
    key: string,
    found: CacheFound | undefined,
  ): MaybePromise<Outcome<Res>> {
    if (call.aborted) return call.abortOutcome();
    if (found === undefined) return ask(call, next, key, undefined, undefined);
    const { entry, ageMs } = found;
    const { staleMs, errorMs, refreshAhead } = settings.now;
    if (ageMs >= entry.freshMs + staleMs)
      return ask(call, next, key, found, ageMs < entry.freshMs + errorMs ? entry : undefined);
    if (ageMs >= entry.freshMs * refreshAhead) refresh(call, next, key, found);
    const result = ageMs < entry.freshMs ? "hit" : "stale";
    tell(call, result);
    return give(call, entry, result);
  }

  function give(call: Call<Any>, entry: CacheEntry, result: "hit" | "stale" | "join"): Outcome<Res> {
    const { meta } = call;
    const copies = copierFor(call);
    meta.cache = result;
    if (result === "stale") meta.degraded = true;
    if (entry.model !== undefined) meta.model = entry.model;
    if (entry.usage !== undefined) meta.saved = entry.usage;
    const items = itemsOf(entry, copies, call);
    if (items === undefined) return answered(copies.value(entry.value) as Res, meta);
    const { stream, end } = relay(replay(items, call.runtime, settings.now.tokensPerSecond), call);
    return answered(stream as Res, meta, end);
  }

  // --- Asking ---

  /** @param instead what was found, and is not good enough. @param spare that, where it covers a failure */
  function ask(
    call: Call<Req>,
    next: Next<Req, Res>,
    key: string,
    instead: CacheFound | undefined,
    spare: CacheEntry | undefined,
  ): MaybePromise<Outcome<Res>> {
    const { singleFlight } = settings.now;
    const current = singleFlight ? flights.get(key) : undefined;
    if (current?.flight.joinable(call) === true) return join(call, next, current, spare);
    // While an attempt starts, only what it calls itself can ask for the same: that must not wait for it.
    const shared = singleFlight && current?.flight.starting !== true;
    const journey = launch(call, key, { spare, instead, shared });
    if (shared) flights.set(key, journey);
    if (journey.turn === undefined) tell(call, "miss");
    return chain(
      journey.flight.depart(next, call, journey.turn?.come) as MaybePromise<Landing<Res>>,
      (landing) => arrive(call, next, landing, journey, "miss"),
    );
  }

  function join(
    call: Call<Req>,
    next: Next<Req, Res>,
    journey: Journey<Res>,
    spare: CacheEntry | undefined,
  ): MaybePromise<Outcome<Res>> {
    tell(call, "join");
    if (journey.keeps) journey.spare ??= spare;
    return chain(journey.flight.join(call), (landing) => arrive(call, next, landing, journey, "join"));
  }

  function arrive(
    call: Call<Req>,
    next: Next<Req, Res>,
    landing: Landing<Res>,
    journey: Journey<Res>,
    how: "miss" | "join",
  ): MaybePromise<Outcome<Res>> {
    if (landing === ALONE)
      return chain(next(call.fork()), (outcome) => cover(call, outcome, journey, "miss"));
    if (landing !== ELSEWHERE) return cover(call, landing, journey, how);
    if (call.aborted) return call.abortOutcome();
    const found = journey.turn?.found;
    if (found !== undefined) return give(call, found.entry, "join");
    return begin(call, next, journey.key); // a refresh that another process makes: whoever joined it waits for that
  }

  /** What is not answered is covered by a stale answer, if there is one. */
  function cover(
    call: Call<Req>,
    outcome: Outcome<Res>,
    { spare }: Journey<Res>,
    how: "miss" | "join",
  ): Outcome<Res> {
    const failed =
      outcome.status === "refused" || (outcome.status === "failed" && outcome.fault !== "caller");
    if (failed && spare !== undefined && !call.aborted) {
      tell(call, "stale");
      return give(call, spare, "stale");
    }
    call.meta.cache ??= how;
    return outcome;
  }

  /** Fetches a new answer that nobody waits for, once at a time. */
  function refresh(call: Call<Req>, next: Next<Req, Res>, key: string, instead: CacheFound): void {
    const now = call.runtime.now();
    if (flights.has(key) || now < (cooling.peek(key)?.until ?? 0)) return;
    const journey = launch(call, key, { refreshes: true, instead, shared: settings.now.singleFlight });
    flights.set(key, journey);
    journey.flight.call.extendDeadline(now + REFRESH_MS);
    journey.flight.call.timer(REFRESH_MS, journey.flight.attend);
    void journey.flight.depart(next, undefined, journey.turn?.come);
  }

  function launch(
    call: Call<Req>,
    key: string,
    { spare, instead, refreshes = false, shared }: Launch,
  ): Journey<Res> {
    const detached = call.fork({ detached: true });
    const { ttlMs, staleMs, errorMs, maxEntryBytes, maxWaitMs } = settings.now;
    // What is not kept cannot be waited for in another process.
    const claims = shared && store.claim !== undefined && ttlMs + staleMs + errorMs > 0;
    const turn = claims
      ? createTurn({
          store,
          ask: askFor(key, call),
          instead,
          refreshes,
          maxWaitMs,
          onDecided: (waits) => refreshes || tell(call, waits ? "join" : "miss"),
          onStoreFail: (error) => storeFailed(detached, error),
        })
      : undefined;
    const journey: Journey<Res> = {
      key,
      refreshes,
      turn,
      keeps: true,
      kept: false,
      spare,
      flight: createFlight<Res>(detached, {
        copier: copierFor(call),
        keepBytes: Math.max(KEEP_BYTES, maxEntryBytes),
        unattended: refreshes,
        onComplete(cargo) {
          // What a fallback inside made up, or what was put together of two answers, is none to the next one.
          const { degraded, resumed } = detached.meta;
          if (journey.keeps && degraded !== true && resumed === undefined)
            journey.kept = keep(detached, key, cargo, turn) !== false;
        },
        onUncopyable: (error) => hintUncopyable(detached, error),
        onOver(landed) {
          turn?.end(landed, detached.ending);
          over(journey);
        },
      }),
    };
    aloft.add(journey);
    call.host.track(detached);
    return journey;
  }

  function over(journey: Journey<Res>): void {
    const { key, kept, flight, refreshes, turn } = journey;
    aloft.delete(journey);
    if (flights.get(key) === journey) flights.delete(key);
    if (!refreshes || turn?.found !== undefined) return;
    const { events, runtime } = flight.call.host;
    const busy = turn?.idle === "busy";
    if (!kept) cooling.get(key).until = runtime.now() + (busy ? BUSY_MS : COOLING_MS);
    if (events.listening && turn?.idle === undefined)
      events.emit({ type: "cache-refresh", policy: name, ok: kept }, flight.call);
  }

  // --- Keeping ---

  /** @returns whether it is kept; a turn keeps it for those in other processes who wait for it */
  function keep(call: Call<Any>, key: string, cargo: Cargo, turn?: Turn): MaybePromise<boolean> {
    const packed = pack(cargo, call, settings.now, copierFor(call), {
      uncopyable: (error) => hintUncopyable(call, error),
      tooLarge: () =>
        hint(
          call,
          `an answer was larger than maxEntryBytes (${settings.now.maxEntryBytes}), and so was not kept.`,
        ),
    });
    if (packed === undefined) return false;
    const { entry, keepMs } = packed;
    try {
      const set = turn?.fill(entry, keepMs) ?? store.set(askFor(key, call), entry, keepMs);
      if (!isPromise<boolean | void>(set)) return set !== false;
      return set.then(
        (kept) => kept !== false,
        (error: unknown) => storeFailed(call, error) ?? false,
      );
    } catch (error) {
      return storeFailed(call, error) ?? false;
    }
  }

  /** What is in the air was asked for before, and says nothing of now. */
  function invalidate(concerns: (journey: Journey<Res>) => boolean): void {
    for (const journey of aloft) {
      if (!concerns(journey)) continue;
      journey.keeps = journey.turn?.fetches === false; // which asks later, if at all
      journey.spare = undefined;
      if (flights.get(journey.key) === journey) flights.delete(journey.key);
    }
  }

  // --- Telling ---

  function tell(call: Call<Any>, result: "hit" | "stale" | "miss" | "join"): void {
    counts[COUNTED[result]]++;
    const { events } = call.host;
    if (events.listening) events.emit({ type: "cache-read", policy: name, result }, call);
  }

  function hint(call: Call<Any>, message: string): void {
    const { events } = call.host;
    if (hinted.has(message) || !events.listening) return;
    hinted.add(message);
    events.emit({ type: "hint", message: `${name}: ${message}` }, call);
  }

  function hintUncopyable(call: Call<Any>, error: unknown): void {
    const why = error instanceof Error ? `: ${error.message}` : "";
    hint(
      call,
      `an answer was neither kept nor shared, because it is not plain data${why}. Give a codec.copy.`,
    );
  }

  function storeFailed(call: Call<Any>, error: unknown): undefined {
    call.host.events.emit({ type: "store-fail", policy: name, error }, call);
  }

  const policy = around<Req, Res>("cache", {
    ...settings.face,
    check(inside) {
      if (settings.now.key === undefined && inside.traits?.key === undefined) {
        throw new ConfigError(
          `${name}: nothing says when two requests are the same, so nothing would be cached. Give key: (request) => …, which returns a string.`,
        );
      }
      host = inside;
    },
    run(call, next) {
      const key = identify(call);
      if (key === undefined) return next(call.fork());
      const current = settings.now.singleFlight ? flights.get(key) : undefined;
      // Somebody has looked already, and found nothing that is fresh.
      if (current?.refreshes === false && current.flight.joinable(call))
        return join(call, next, current, undefined);
      return begin(call, next, key);
    },
  });

  return Object.assign(policy, {
    update: settings.update,
    snapshot: (): CacheSnapshot => ({ ...store.usage?.(), ...counts, flights: aloft.size }),
    warm(request: Req, value: Complete<Res>, { stream = false, ...whose }: CacheWarming = {}) {
      const call = imagine(request, whose, "warm", settings.now, host);
      const key = identify(call);
      if (key === undefined) return false;
      if (stream && !Array.isArray(value))
        throw new ConfigError(`${name}: warm() of a stream takes the list of its items, got ${show(value)}.`);
      invalidate((journey) => journey.key === key);
      let cargo: Cargo = { value, stream };
      if (stream) {
        const { shapes, ...copies } = copierFor(call);
        try {
          if (shapes === undefined) {
            const items = copies.value(value);
            cargo = { value: items, stream, bytes: copies.size(items) };
          } else {
            const assembly = shapes.assemble();
            for (const item of value as readonly unknown[]) assembly.add(copies.item(item));
            const { whole, cuts } = assembly.finish();
            cargo = { value: whole, stream: false, cuts };
          }
        } catch (error) {
          hintUncopyable(call, error);
          return false;
        }
      }
      return keep(call, key, cargo);
    },
    delete(request: Req, whose: CacheWhose = {}) {
      const call = imagine(request, whose, "delete", settings.now, host);
      const key = identify(call);
      if (key === undefined) return;
      invalidate((journey) => journey.key === key);
      return store.delete(askFor(key, call));
    },
    clear() {
      invalidate(() => true);
      return store.clear(name);
    },
  });
}

/** The items of an answer for somebody who is to have it as a stream. */
function itemsOf(
  { value, stream, cuts }: CacheEntry,
  copier: Copier,
  { request }: Call<Any>,
): Iterable<unknown> | undefined {
  if (stream) return copiesOf(value as readonly unknown[], copier);
  const { shapes } = copier;
  return shapes?.streams(request) === true ? shapes.pieces(value, cuts, request) : undefined;
}

/** A flight, and what becomes of its answer. */
interface Journey<Res> {
  readonly flight: Flight<Res>;
  readonly key: string;
  /** Whether it fetches a newer answer than there is, for nobody. */
  readonly refreshes: boolean;
  /** Whose turn it is, where several processes share the store. */
  readonly turn: Turn | undefined;
  /** False once the entry was deleted or replaced meanwhile. */
  keeps: boolean;
  kept: boolean;
  /** Stale, and given out if there is nothing better. */
  spare: CacheEntry | undefined;
}

interface Launch {
  readonly instead: CacheFound | undefined;
  /** Whether others may join it, in other processes as well. */
  readonly shared: boolean;
  readonly spare?: CacheEntry | undefined;
  readonly refreshes?: boolean;
}

/** So much of a stream is kept for calls that join later. */
const KEEP_BYTES = 4 * 1024 * 1024;

/** Time for an answer that nobody waits for; reasoning alone may take minutes. */
const REFRESH_MS = 600_000;

/** How long a stale answer is given without asking again, after a refresh came to nothing. */
const COOLING_MS = 10_000;
/** The same while another process refreshes: it may be there in a moment. */
const BUSY_MS = 1_000;
const MAX_COOLING = 1_000;

const COUNTED = { hit: "hits", stale: "stale", miss: "misses", join: "joins" } as const;
