/** Where a reader stands. Each reads on its own, from the first item on. */
export interface Cursor<T> {
  next(): Promise<IteratorResult<T, undefined>>;
  /** Reads no more; harmless after the end. */
  close(): void;
}

/** What a stream has brought so far, for any number of readers, none of whom can slow the others. */
export interface SharedLog<T> {
  /** Everything that was appended, also what is no longer kept. */
  readonly bytes: number;
  /** Whether it still begins with the first item, so that somebody may join. */
  readonly whole: boolean;
  append(item: T, bytes: number): void;
  /** Nothing comes after this; with `failure`, readers who have read everything are told it. */
  close(failure?: { readonly error: unknown }): void;
  open(): Cursor<T>;
  /** All items in order; `undefined` when it is no longer whole. */
  items(): T[] | undefined;
  /** Resolves when the fastest reader is near enough for one more item; `undefined` if he is. */
  room(): Promise<void> | undefined;
  /** Somebody waits for the end: until he is gone no reader, however slow, holds it up. @returns what tells that he is gone */
  rush(): () => void;
}

export interface SharedLogLimits {
  /** So much is kept for those who join later, and read ahead of the fastest reader. */
  readonly keepBytes: number;
  /** A reader who is further behind is given up: what only he waits for cannot be kept for ever. */
  readonly lagBytes: number;
}

interface Node<T> {
  readonly item: T;
  readonly bytes: number;
  next: Node<T> | undefined;
}

interface Reader<T> {
  /** The last node that was read; what lies before it is garbage once nobody stands there. */
  at: Node<T>;
  read: number;
  wake: (() => void) | undefined;
  cut: boolean;
}

/** An append-only list: readers hold nodes of it, so what all have passed is free without anybody counting. */
export function createSharedLog<T>({ keepBytes, lagBytes }: SharedLogLimits): SharedLog<T> {
  let tail: Node<T> = { item: undefined as T, bytes: 0, next: undefined };
  let head: Node<T> | undefined = tail;
  let bytes = 0;
  let closed = false;
  let failure: { readonly error: unknown } | undefined;
  const readers = new Set<Reader<T>>();
  let onRoom: (() => void) | undefined;
  let rushing = 0;

  function full(): boolean {
    if (bytes <= keepBytes || readers.size === 0 || rushing > 0) return false;
    let fastest = 0;
    for (const { read } of readers) fastest = Math.max(fastest, read);
    return bytes - fastest > keepBytes;
  }

  function makeRoom(): void {
    if (onRoom === undefined || full()) return;
    const told = onRoom;
    onRoom = undefined;
    told();
  }

  function wake(reader: Reader<T>): void {
    const { wake: resume } = reader;
    reader.wake = undefined;
    resume?.();
  }

  return {
    get bytes() {
      return bytes;
    },
    get whole() {
      return head !== undefined;
    },
    append(item, size) {
      const node: Node<T> = { item, bytes: size, next: undefined };
      tail.next = node;
      tail = node;
      bytes += size;
      if (bytes > keepBytes) head = undefined;
      for (const reader of readers) {
        if (bytes > lagBytes && bytes - reader.read > lagBytes) {
          reader.cut = true;
          reader.at = tail;
          readers.delete(reader);
        }
        wake(reader);
      }
    },
    close(because) {
      closed = true;
      failure = because;
      for (const reader of readers) wake(reader);
      onRoom?.();
    },
    open() {
      const reader: Reader<T> = { at: head ?? tail, read: 0, wake: undefined, cut: false };
      let left = false;
      readers.add(reader);
      return {
        async next() {
          for (;;) {
            if (reader.cut) throw new LaggingReaderError(lagBytes);
            if (left) return DONE;
            const { next } = reader.at;
            if (next !== undefined) {
              reader.at = next;
              reader.read += next.bytes;
              makeRoom();
              return { done: false, value: next.item };
            }
            if (closed) {
              readers.delete(reader);
              if (failure !== undefined) throw failure.error;
              return DONE;
            }
            await new Promise<void>((resolve) => (reader.wake = resolve));
          }
        },
        close() {
          left = true;
          readers.delete(reader);
          reader.at = tail;
          wake(reader);
          makeRoom();
        },
      };
    },
    items() {
      if (head === undefined) return undefined;
      const items: T[] = [];
      for (let node = head.next; node !== undefined; node = node.next) items.push(node.item);
      return items;
    },
    rush() {
      rushing++;
      makeRoom();
      return () => void rushing--;
    },
    room() {
      return closed || !full() ? undefined : new Promise((resolve) => (onRoom = resolve));
    },
  };
}

const DONE = { done: true, value: undefined } as const;

/** One of several readers of a shared stream was so far behind the others that its items could no longer be kept. */
export class LaggingReaderError extends Error {
  override readonly name = "LaggingReaderError";
  constructor(bytes: number) {
    super(
      `the stream was given up for this reader: it is more than ${bytes} bytes behind the others who read the same answer. Read faster, or without singleFlight.`,
    );
  }
}
