import type { Any, Codec } from "../../handler.ts";
import { copyPlain, estimateBytes } from "./plain.ts";

/** How answers and single items of a stream are copied and measured; throws for what cannot be. */
export interface Copier {
  value(value: unknown): unknown;
  item(item: unknown): unknown;
  size(value: unknown): number;
  sizeOfItem(item: unknown): number;
}

export function createCopier(codec: Codec<Any> = {}): Copier {
  const copy = codec.copy?.bind(codec);
  const size = codec.size?.bind(codec);
  return {
    value: copy ?? ((value) => copyPlain(value)),
    item: copy === undefined ? (item) => copyPlain(item) : (item) => (copy([item]) as readonly unknown[])[0],
    size: size ?? ((value) => estimateBytes(value)),
    sizeOfItem: size === undefined ? (item) => estimateBytes(item) : (item) => size([item]),
  };
}

/** A stored stream, from its list of items. */
export function replay(items: readonly unknown[], copier: Copier): AsyncIterator<unknown> {
  let at = 0;
  return {
    next: async () =>
      at < items.length ? { done: false, value: copier.item(items[at++]) } : { done: true, value: undefined },
  };
}
