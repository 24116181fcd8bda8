import type { Any, Codec, Shapes } from "../../handler.ts";
import type { Runtime } from "../../runtime.ts";
import { copyPlain, estimateBytes } from "./plain.ts";

/** How answers and single items of a stream are copied and measured; throws for what cannot be. */
export interface Copier {
  value(value: unknown): unknown;
  item(item: unknown): unknown;
  size(value: unknown): number;
  sizeOfItem(item: unknown): number;
  /** Where answers may be had whole or as a stream. */
  readonly shapes: Shapes<Any, Any> | undefined;
}

export function createCopier(codec: Codec<Any> = {}): Copier {
  const copy = codec.copy?.bind(codec);
  const size = codec.size?.bind(codec);
  return {
    value: copy ?? ((value) => copyPlain(value)),
    item: copy === undefined ? (item) => copyPlain(item) : (item) => (copy([item]) as readonly unknown[])[0],
    size: size ?? ((value) => estimateBytes(value)),
    sizeOfItem: size === undefined ? (item) => estimateBytes(item) : (item) => size([item]),
    shapes: codec.shapes,
  };
}

/** What a kept stream brings to its next reader. */
export function* copiesOf(items: Iterable<unknown>, copier: Copier): Iterable<unknown> {
  for (const item of items) yield copier.item(item);
}

/** Gives a complete stream out, all at once or so many items a second. */
export function replay(
  items: Iterable<unknown>,
  runtime: Runtime,
  perSecond: number = Infinity,
): AsyncIterator<unknown> {
  const iterator = items[Symbol.iterator]();
  const startedAt = runtime.now();
  let given = 0;
  let cancel: (() => void) | undefined;
  return {
    async next() {
      const step = iterator.next();
      if (step.done === true) return { done: true, value: undefined };
      const ms = startedAt + (1_000 * given++) / perSecond - runtime.now();
      if (ms > 0) await new Promise<void>((resolve) => (cancel = runtime.setTimer(ms, resolve)));
      return { done: false, value: step.value };
    },
    async return() {
      cancel?.();
      return { done: true, value: undefined };
    },
  };
}
