import {
  type CacheAsk,
  type CacheEntry,
  type CacheFound,
  type CacheStore,
  chain,
  isPromise,
  type MaybePromise,
  StoreError,
} from "@breakwater/core";

import type { Link } from "../connection/link.ts";
import type { Scope } from "../keys.ts";
import { createClaims } from "./claims.ts";
import { createComplaints } from "./complaints.ts";
import { type EntryKeys, entryKeys } from "./entry-keys.ts";
import { HEAD, open, type Opened, seal } from "./envelope.ts";
import { createGenerations } from "./generations.ts";
import { createMemoryTier, createStamps } from "./memory-tier.ts";
import { cacheScripts } from "./scripts.ts";

export interface RedisCacheOptions {
  readonly link: Link;
  readonly scope: Scope;
  /** Of this process, in no other. */
  readonly instance: string;
  /** After so long without a word from a process that fetches an answer, another does. */
  readonly leaseMs: number;
  /** Bytes that are kept in this process, in front of Redis; 0: none. */
  readonly memoryBytes: number;
  /** How long one is kept there; 0: not at all. */
  readonly memoryMs: number;
}

export interface RedisCache extends CacheStore {
  readonly claim: NonNullable<CacheStore["claim"]>;
  close(): void;
}

/** Nobody waits for a write, and an answer may be long. */
const WRITE_MS = 1_000;
/** Bytes on their way to Redis; more are not kept, as if Redis were away. */
const WRITING = 32 * 1024 * 1024;

/**
 * Answers in Redis, with those of the last moments in this process. Each lives on a node of its own, so a cluster shares
 * the load of one account. What fails is a miss.
 */
export function createRedisCache(options: RedisCacheOptions): RedisCache {
  const { link, scope, instance, leaseMs, memoryBytes, memoryMs } = options;
  const { runtime } = link;
  const scripts = cacheScripts();
  const channel = scope.channel("cache");
  const memory = createMemoryTier({ runtime, maxBytes: memoryBytes, keepMs: memoryMs });
  const generations = createGenerations({ link, scope, scripts, channel, trustMs: memoryMs });
  const complaints = createComplaints(link);
  const stamps = createStamps();
  const claims = createClaims({ link, scripts, instance, leaseMs, write, watch });
  let writing = 0;
  let stopHearing: (() => void) | undefined;

  // --- Where ---

  function locate({ name, key }: CacheAsk): MaybePromise<EntryKeys> {
    stopHearing ??= link.subscribe(channel, hear, () => {
      memory.dropAll();
      generations.suspect();
    });
    return chain(generations.of(name), (generation) => entryKeys(scope, name, generation, key));
  }

  function hear(message: string): void {
    const rest = message.slice(1);
    if (message.startsWith("e")) memory.drop(rest);
    else generations.outdated(rest);
  }

  // --- What ---

  /** @returns what keeps an answer in this process, unless it is invalidated meanwhile */
  function watch({ digest }: EntryKeys): (opened: Opened) => void {
    const { epoch } = memory;
    return (opened) => {
      stamps.keep(opened.entry, opened.stamp);
      memory.put(digest, opened, epoch);
    };
  }

  async function read(keys: EntryKeys): Promise<CacheFound | undefined> {
    const near = watch(keys);
    const reply = (await link.run(scripts.read, [keys.entry], [], undefined, true)) as
      | readonly [Buffer, number]
      | null;
    if (reply === null) return undefined;
    const opened = open(reply[0], reply[1]);
    if (opened !== undefined) near(opened);
    return opened;
  }

  async function write(keys: EntryKeys, token: string, entry: CacheEntry, keepMs: number): Promise<boolean> {
    const sealed = seal(entry, keepMs);
    const near = watch(keys);
    try {
      if (writing + sealed.length > WRITING) throw new StoreError("too much waits to be written to Redis");
      writing += sealed.length;
      const reply = link
        .run(
          scripts.fill,
          [keys.entry, keys.lock, keys.note],
          [token, HEAD, sealed, Math.ceil(keepMs), keys.channel, channel, `e${keys.digest}`],
          WRITE_MS,
        )
        .finally(() => (writing -= sealed.length));
      const [kept, now] = (await reply) as readonly [number, number];
      if (kept !== 1) return false;
      near({ entry, ageMs: 0, keepMs, stamp: now });
      return true;
    } catch (error) {
      near({ entry, ageMs: 0, keepMs, stamp: 0 }); // this process has it for a moment all the same
      complaints.about(error);
      return false;
    }
  }

  /** What cannot be found out is as if it were not there, and now and then an event. */
  function orNothing<T>(f: () => MaybePromise<T>): MaybePromise<T | undefined> {
    try {
      const result = f();
      return isPromise(result) ? result.catch((error: unknown) => complaints.about(error)) : result;
    } catch (error) {
      return complaints.about(error);
    }
  }

  async function orFail(f: () => MaybePromise<unknown>, what: string): Promise<void> {
    try {
      await f();
    } catch (error) {
      throw new StoreError(`${what} in Redis: it may still be given out`, { cause: error });
    }
  }

  return {
    shared: true,
    get: (ask) => orNothing(() => chain(locate(ask), (keys) => memory.get(keys.digest) ?? read(keys))),
    set: (ask, entry, keepMs) =>
      chain(
        orNothing(() => chain(locate(ask), (keys) => write(keys, "", entry, keepMs))),
        (kept) => kept ?? false,
      ),
    delete: (ask) =>
      orFail(
        () =>
          chain(locate(ask), ({ digest, entry, lock, note, channel: own }) => {
            memory.drop(digest);
            return link.run(scripts.forget, [entry, lock, note], [own, channel, `e${digest}`]);
          }),
        "an answer could not be deleted",
      ),
    clear: (name) => {
      memory.dropAll();
      return orFail(() => generations.next(name), `the answers of "${name}" could not be cleared`);
    },
    claim(ask) {
      if (!link.up) return undefined;
      return orNothing(() =>
        chain(locate(ask), (keys) => claims.claim(keys, stamps.of(ask.instead), ask.refreshes)),
      );
    },
    close() {
      stopHearing?.();
      claims.close();
      memory.dropAll();
    },
  };
}
