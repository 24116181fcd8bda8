/** What the heap keeps inside its items, so that removal needs no search. */
export interface HeapItem {
  readonly due: number;
  /** Tie-breaker: items due at the same moment leave in the order they came. */
  readonly seq: number;
  /** Position inside the heap; -1 when the item is not in it. */
  index: number;
}

/** A binary min-heap by `due`, then `seq`, with removal from the middle in O(log n). */
export interface Heap<T extends HeapItem> {
  readonly size: number;
  peek(): T | undefined;
  push(item: T): void;
  remove(item: T): void;
  clear(): void;
}

export function createHeap<T extends HeapItem>(): Heap<T> {
  const items: T[] = [];

  const before = (a: T, b: T): boolean => a.due < b.due || (a.due === b.due && a.seq < b.seq);

  function place(item: T, index: number): void {
    items[index] = item;
    item.index = index;
  }

  function rise(item: T, from: number): void {
    let index = from;
    while (index > 0) {
      const up = (index - 1) >> 1;
      const parent = items[up] as T;
      if (!before(item, parent)) break;
      place(parent, index);
      index = up;
    }
    place(item, index);
  }

  function sink(item: T, from: number): void {
    let index = from;
    for (;;) {
      let down = 2 * index + 1;
      if (down >= items.length) break;
      const right = down + 1;
      if (right < items.length && before(items[right] as T, items[down] as T)) down = right;
      const child = items[down] as T;
      if (!before(child, item)) break;
      place(child, index);
      index = down;
    }
    place(item, index);
  }

  return {
    get size() {
      return items.length;
    },
    peek: () => items[0],
    push(item) {
      items.push(item);
      rise(item, items.length - 1);
    },
    remove(item) {
      const index = item.index;
      if (index < 0) return;
      item.index = -1;
      const last = items.pop() as T;
      if (last === item) return;
      // The item from the end may belong above or below the hole.
      sink(last, index);
      rise(last, last.index);
    },
    clear() {
      for (const item of items) item.index = -1;
      items.length = 0;
    },
  };
}
