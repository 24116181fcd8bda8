/** State per key, bounded: a map that forgets the key that was used longest ago, preferring those that are idle. */
export interface Keyed<T> {
  readonly size: number;
  get(key: string): T;
  peek(key: string): T | undefined;
  entries(): IterableIterator<[string, T]>;
  delete(key: string): void;
}

/** How many of the oldest keys are looked at for an idle one. */
const LOOK = 16;

export function createKeyed<T>(
  max: number,
  create: (key: string) => T,
  idle: (state: T) => boolean,
): Keyed<T> {
  const states = new Map<string, T>();

  function evict(): void {
    let seen = 0;
    let oldest: string | undefined;
    for (const [key, state] of states) {
      oldest ??= key;
      if (idle(state)) {
        states.delete(key);
        return;
      }
      if (++seen >= LOOK) break;
    }
    // Nobody idle near the end: the oldest goes all the same, else the map would grow with whoever sends keys.
    if (oldest !== undefined) states.delete(oldest);
  }

  return {
    get size() {
      return states.size;
    },
    get(key) {
      let state = states.get(key);
      if (state === undefined) {
        if (states.size >= max) evict();
        state = create(key);
        states.set(key, state);
      } else if (states.size > 1) {
        states.delete(key);
        states.set(key, state);
      }
      return state;
    },
    peek: (key) => states.get(key),
    entries: () => states.entries(),
    delete: (key) => void states.delete(key),
  };
}
