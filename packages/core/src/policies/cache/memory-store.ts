import { show } from "../../duration.ts";
import { ConfigError } from "../../errors.ts";
import type { CacheEntry, CacheFound, CacheStore, CacheUsage } from "./store.ts";

export interface MemoryCacheStoreOptions {
  /** Bytes kept at most, keys included; those that were not used for longest go first. @default 64 MiB */
  readonly maxBytes?: number;
}

/** Answers at once, and its promises are none. */
export interface MemoryCacheStore extends CacheStore {
  get(ask: Parameters<CacheStore["get"]>[0]): CacheFound | undefined;
  set(...args: Parameters<CacheStore["set"]>): void;
  delete(ask: Parameters<CacheStore["delete"]>[0]): void;
  clear(name: string): void;
  usage(): CacheUsage;
  /** Changes the bound; what is too much goes now. */
  resize(maxBytes: number): void;
}

interface Kept {
  readonly shelf: Shelf;
  readonly key: string;
  readonly entry: CacheEntry;
  readonly bytes: number;
  readonly storedAt: number;
  readonly keepMs: number;
  older: Kept | undefined;
  newer: Kept | undefined;
}

/** The entries of one name. */
type Shelf = Map<string, Kept>;

/** What an entry costs beside its key and its value. */
const OVERHEAD = 200;

export const DEFAULT_MAX_BYTES: number = 64 * 1024 * 1024;

/**
 * Answers in this process, bounded in bytes: the least recently used go first. Keys are kept as they are, in the clear,
 * since looking them up must not cost a digest; they are shown to nobody.
 *
 * @throws ConfigError when the bound is not a number of bytes.
 *
 * @example
 * ```ts
 * import { createMemoryCacheStore } from "@breakwater/core";
 *
 * const store = createMemoryCacheStore({ maxBytes: 1024 * 1024 });
 * const entry = { value: 42, stream: false, bytes: 8, freshMs: 1_000 };
 * store.set({ name: "answers", key: "everything", now: 0 }, entry, 1_000);
 * store.get({ name: "answers", key: "everything", now: 10 })?.entry.value; // => 42
 * ```
 */
export function createMemoryCacheStore(options: MemoryCacheStoreOptions = {}): MemoryCacheStore {
  const shelves = new Map<string, Shelf>();
  // The order of use is a list of its own: keys are long, and looked up no more often than they must be.
  let oldest: Kept | undefined;
  let newest: Kept | undefined;
  let max = checked(options.maxBytes ?? DEFAULT_MAX_BYTES);
  let bytes = 0;
  let entries = 0;

  function link(kept: Kept): void {
    kept.older = newest;
    kept.newer = undefined;
    if (newest === undefined) oldest = kept;
    else newest.newer = kept;
    newest = kept;
  }

  function unlink({ older, newer }: Kept): void {
    if (older === undefined) oldest = newer;
    else older.newer = newer;
    if (newer === undefined) newest = older;
    else newer.older = older;
  }

  function remove(kept: Kept | undefined): void {
    if (kept === undefined) return;
    unlink(kept);
    kept.shelf.delete(kept.key);
    bytes -= kept.bytes;
    entries--;
  }

  function evict(): void {
    while (bytes > max) remove(oldest);
  }

  return {
    get({ name, key, now }) {
      const kept = shelves.get(name)?.get(key);
      if (kept === undefined) return undefined;
      const ageMs = now - kept.storedAt;
      if (ageMs >= kept.keepMs) {
        remove(kept);
        return undefined;
      }
      if (kept !== newest) {
        unlink(kept);
        link(kept);
      }
      return { entry: kept.entry, ageMs };
    },
    set({ name, key, now }, entry, keepMs) {
      let shelf = shelves.get(name);
      if (shelf === undefined) shelves.set(name, (shelf = new Map()));
      remove(shelf.get(key));
      const cost = OVERHEAD + 2 * key.length + entry.bytes;
      if (cost > max || keepMs <= 0) return;
      const order = { older: undefined, newer: undefined };
      const kept: Kept = { shelf, key, entry, bytes: cost, storedAt: now, keepMs, ...order };
      shelf.set(key, kept);
      link(kept);
      bytes += cost;
      entries++;
      evict();
    },
    delete: ({ name, key }) => remove(shelves.get(name)?.get(key)),
    clear(name) {
      for (const kept of shelves.get(name)?.values() ?? []) remove(kept);
      shelves.delete(name);
    },
    usage: () => ({ entries, bytes }),
    resize(maxBytes) {
      max = checked(maxBytes);
      evict();
    },
  };
}

function checked(maxBytes: number): number {
  if (Number.isFinite(maxBytes) && maxBytes >= 1) return maxBytes;
  throw new ConfigError(
    `createMemoryCacheStore: maxBytes must be a number of at least 1, got ${show(maxBytes)}.`,
  );
}
