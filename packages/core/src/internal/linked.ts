/** A place in a `Linked`. */
export interface Link<T> {
  readonly value: T;
  older: Link<T> | undefined;
  newer: Link<T> | undefined;
}

/**
 * What is there at the moment, in the order in which it came. Coming and leaving from the middle cost a few
 * assignments; a Set or a Map that every call fills and empties is copied again and again.
 */
export interface Linked<T> {
  readonly size: number;
  readonly newest: Link<T> | undefined;
  add(value: T): Link<T>;
  /** Takes out what `add` returned: once, and not after a `clear`. */
  remove(link: Link<T>): void;
  clear(): void;
}

export function createLinked<T>(): Linked<T> {
  let newest: Link<T> | undefined;
  let size = 0;

  return {
    get size() {
      return size;
    },
    get newest() {
      return newest;
    },
    add(value) {
      const link: Link<T> = { value, older: newest, newer: undefined };
      if (newest !== undefined) newest.newer = link;
      newest = link;
      size++;
      return link;
    },
    remove(link) {
      if (link.newer === undefined) newest = link.older;
      else link.newer.older = link.older;
      if (link.older !== undefined) link.older.newer = link.newer;
      size--;
    },
    clear() {
      newest = undefined;
      size = 0;
    },
  };
}
