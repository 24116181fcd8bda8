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

interface Record {
  readonly name: string;
  readonly entry: CacheEntry;
  readonly bytes: number;
  readonly storedAt: number;
  readonly keepMs: number;
}

/** What a record costs beside its key and its value. */
const OVERHEAD = 200;

export const DEFAULT_MAX_BYTES: number = 64 * 1024 * 1024;

/**
 * Answers in this process, bounded in bytes: the least recently used go first. Keys are kept as they are, in the clear,
 * since looking them up must not cost a digest; they are shown to nobody.
 *
 * @throws ConfigError when the bound is not a number of bytes.
 *
 * @example
 * import { createMemoryCacheStore } from "@breakwater/core";
 *
 * const store = createMemoryCacheStore({ maxBytes: 1024 * 1024 });
 * const entry = { value: 42, stream: false, bytes: 8, freshMs: 1_000 };
 * store.set({ name: "answers", key: "everything", now: 0 }, entry, 1_000);
 * store.get({ name: "answers", key: "everything", now: 10 })?.entry.value // => 42
 */
export function createMemoryCacheStore(options: MemoryCacheStoreOptions = {}): MemoryCacheStore {
  // A Map keeps the order of insertion: the first is the least recently used.
  const records = new Map<string, Record>();
  let max = checked(options.maxBytes ?? DEFAULT_MAX_BYTES);
  let bytes = 0;

  function remove(id: string): void {
    const record = records.get(id);
    if (record === undefined) return;
    records.delete(id);
    bytes -= record.bytes;
  }

  function evict(): void {
    for (const id of records.keys()) {
      if (bytes <= max) return;
      remove(id);
    }
  }

  return {
    get({ name, key, now }) {
      const id = idOf(name, key);
      const record = records.get(id);
      if (record === undefined) return undefined;
      const ageMs = now - record.storedAt;
      if (ageMs >= record.keepMs) {
        remove(id);
        return undefined;
      }
      records.delete(id);
      records.set(id, record);
      return { entry: record.entry, ageMs };
    },
    set({ name, key, now }, entry, keepMs) {
      const id = idOf(name, key);
      remove(id);
      const cost = OVERHEAD + 2 * id.length + entry.bytes;
      if (cost > max || keepMs <= 0) return;
      records.set(id, { name, entry, bytes: cost, storedAt: now, keepMs });
      bytes += cost;
      evict();
    },
    delete: ({ name, key }) => remove(idOf(name, key)),
    clear(name) {
      for (const [id, record] of records) if (record.name === name) remove(id);
    },
    usage: () => ({ entries: records.size, bytes }),
    resize(maxBytes) {
      max = checked(maxBytes);
      evict();
    },
  };
}

/** The length in front: no other name and key make the same string. */
function idOf(name: string, key: string): string {
  return `${name.length}:${name}${key}`;
}

function checked(maxBytes: number): number {
  if (Number.isFinite(maxBytes) && maxBytes >= 1) return maxBytes;
  throw new ConfigError(
    `createMemoryCacheStore: maxBytes must be a number of at least 1, got ${show(maxBytes)}.`,
  );
}
