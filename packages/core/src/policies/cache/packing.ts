import type { Call } from "../../call.ts";
import type { Any, Complete } from "../../handler.ts";
import type { Copier } from "./copier.ts";
import type { CacheConfig } from "./options.ts";
import { estimateBytes } from "./plain.ts";
import type { Cargo } from "./single-flight.ts";
import type { CacheEntry } from "./store.ts";

/** An entry, and for how long it is of use. */
export interface Packed {
  readonly entry: CacheEntry;
  readonly keepMs: number;
}

export interface PackingHints {
  uncopyable(error: unknown): void;
  tooLarge(): void;
}

/** Makes an entry of a complete answer; `undefined` if it is not to be kept. */
export function pack<Req, Res>(
  { value, stream, bytes, cuts }: Cargo,
  call: Call<Any>,
  settings: CacheConfig<Req, Res>,
  copier: Copier,
  hints: PackingHints,
): Packed | undefined {
  const { ttlMs, ttlJitter, staleMs, errorMs, maxEntryBytes } = settings;
  const freshMs = ttlMs * (1 - ttlJitter * call.runtime.random());
  const keepMs = freshMs + Math.max(staleMs, errorMs);
  if (keepMs <= 0 || !storable(call, value as Complete<Res>, settings)) return undefined;
  let copy: unknown;
  let size: number;
  try {
    copy = stream ? value : copier.value(value); // items have been copied as they came
    size = bytes ?? copier.size(copy) + (cuts === undefined ? 0 : estimateBytes(cuts));
  } catch (error) {
    hints.uncopyable(error);
    return undefined;
  }
  if (size > maxEntryBytes) {
    hints.tooLarge();
    return undefined;
  }
  const { model, usage } = call.meta;
  const entry: CacheEntry = {
    value: copy,
    stream,
    bytes: size,
    freshMs,
    ...(cuts !== undefined && { cuts }),
    ...(model !== undefined && { model }),
    ...(usage !== undefined && { usage }),
  };
  return { entry, keepMs };
}

function storable<Req, Res>(
  call: Call<Any>,
  value: Complete<Res>,
  { name, storable: wanted }: CacheConfig<Req, Res>,
): boolean {
  try {
    return call.host.traits?.codec?.storable?.(value) !== false && wanted?.(value) !== false;
  } catch (error) {
    call.host.events.emit({ type: "callback-throw", where: `${name}: storable`, error }, call);
    return false;
  }
}
