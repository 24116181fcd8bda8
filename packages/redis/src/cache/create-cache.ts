import {
  type CacheFound,
  type CacheStore,
  chain,
  isPromise,
  type MaybePromise,
  StoreError,
} from "@breakwater/core";

import type { Link } from "../connection/link.ts";
import type { Scope } from "../keys.ts";
import { type Answer, createClaims } from "./claims.ts";
import { createComplaints } from "./complaints.ts";
import { type EntryKeys, entryKeys, shelfOf } from "./entry-keys.ts";
import { HEAD, open, seal } from "./envelope.ts";
import { createGenerations } from "./generations.ts";
import { createMemoryTier } from "./memory-tier.ts";
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
  const claims = createClaims({ link, scripts, instance, leaseMs, write, watch: memory.watch });
  let writing = 0;
  let stopHearing: (() => void) | undefined;

  // --- Where ---

  /** `f` is told what is kept of a name at this time. All go the same way, so that order is kept. */
  function on<T>(name: string, f: (shelf: string) => MaybePromise<T>): MaybePromise<T> {
    stopHearing ??= link.subscribe(channel, hear, () => {
      memory.dropAll();
      generations.suspect();
    });
    return chain(generations.of(name), (generation) => f(shelfOf(name, generation)));
  }

  function hear(message: string): void {
    const rest = message.slice(1);
    if (message.startsWith("e")) memory.drop(rest);
    else generations.outdated(rest);
  }

  // --- What ---

  async function read(keys: EntryKeys): Promise<CacheFound | undefined> {
    const near = memory.watch(keys);
    const reply = (await link.run(scripts.read, [keys.entry], [], undefined, true)) as
      | readonly [Buffer, number]
      | null;
    if (reply === null) return undefined;
    const opened = open(reply[0], reply[1]);
    if (opened !== undefined) near(opened);
    return opened;
  }

  async function write(keys: EntryKeys, token: string, { entry, keepMs, near }: Answer): Promise<boolean> {
    const sealed = seal(entry, keepMs);
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

  function forget({ digest, entry, lock, note, channel: own }: EntryKeys): Promise<unknown> {
    memory.drop(digest);
    return link.run(scripts.forget, [entry, lock, note], [own, channel, `e${digest}`]);
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
    get: ({ name, key }) =>
      orNothing(() => on(name, (shelf) => memory.get(shelf, key) ?? read(entryKeys(scope, shelf, key)))),
    set: ({ name, key }, entry, keepMs) =>
      chain(
        orNothing(() =>
          on(name, (shelf) => {
            const keys = entryKeys(scope, shelf, key);
            return write(keys, "", { entry, keepMs, near: memory.watch(keys) });
          }),
        ),
        (kept) => kept ?? false,
      ),
    delete: ({ name, key }) =>
      orFail(
        () => on(name, (shelf) => forget(entryKeys(scope, shelf, key))),
        "an answer could not be deleted",
      ),
    clear: (name) => {
      memory.dropAll();
      return orFail(() => generations.next(name), `the answers of "${name}" could not be cleared`);
    },
    claim({ name, key, instead, refreshes }) {
      if (!link.up) return undefined;
      return orNothing(() =>
        on(name, (shelf) => claims.claim(entryKeys(scope, shelf, key), memory.stampOf(instead), refreshes)),
      );
    },
    close() {
      stopHearing?.();
      claims.close();
      memory.dropAll();
    },
  };
}
