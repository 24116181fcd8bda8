import { createMemoryCacheStore, type MaybePromise, type Runtime } from "../../index.ts";
import type {
  CacheClaim,
  CacheClaimAsk,
  CacheFailure,
  CacheFound,
  CacheHeld,
  CacheNews,
  CacheStore,
} from "./store.ts";

type News = CacheHeld | CacheNews;

/** What all processes see of one answer. */
interface Line {
  holder: Holder | undefined;
  /** Those who wait, the one that came first first. */
  readonly waiting: Map<(news: News) => void, string>;
  failure: CacheFailure | undefined;
}

interface Holder {
  readonly process: string;
}

export interface SharedAnswers {
  /** The store as one process has it. */
  of(process: string): CacheStore;
  /** The process is not heard of any more: what it holds is lost after a lease, and what it says is not heard. */
  kill(process: string): void;
  /** Claims that are held or waited for. */
  readonly claims: number;
}

export const LEASE_MS = 1_000;

/** A store that several processes share, by the book. `delayMs`: how long each trip to it takes, one way. */
export function createSharedAnswers(clock: Runtime, delayMs = 0): SharedAnswers {
  const memory = createMemoryCacheStore();
  const lines = new Map<string, Line>();
  const dead = new Set<string>();

  function trip<T>(f: () => T): MaybePromise<T> {
    if (delayMs === 0) return f();
    return new Promise((resolve, reject) => {
      clock.setTimer(delayMs, () => {
        try {
          const result = f();
          clock.setTimer(delayMs, () => resolve(result));
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  function later(f: () => void): void {
    if (delayMs === 0) f();
    else clock.setTimer(delayMs, f);
  }

  function lineOf(key: string): Line {
    let line = lines.get(key);
    if (line === undefined)
      lines.set(key, (line = { holder: undefined, waiting: new Map(), failure: undefined }));
    return line;
  }

  function tell(line: Line, news: () => News): void {
    for (const hear of line.waiting.keys()) {
      line.waiting.delete(hear);
      later(() => hear(news()));
    }
  }

  function handOn(key: string, line: Line): void {
    line.holder = undefined;
    const [next] = line.waiting;
    if (next === undefined) return;
    const [first, process] = next;
    line.waiting.delete(first);
    const held = hold(key, line, process);
    later(() => first(held));
  }

  function hold(key: string, line: Line, process: string): CacheHeld {
    const holder: Holder = { process };
    line.holder = holder;
    line.failure = undefined;
    const mine = (f: () => void): void => {
      void trip(() => {
        if (line.holder === holder) f();
      });
    };
    return {
      status: "held",
      fill: (entry, keepMs) =>
        trip(() => {
          if (line.holder !== holder) return false;
          line.holder = undefined;
          memory.set({ name: "shared", key, now: clock.now() }, entry, keepMs);
          tell(line, () => ({ status: "found", found: { entry, ageMs: delayMs } }));
          return true;
        }),
      fail: (failure) =>
        mine(() => {
          line.holder = undefined;
          line.failure = failure;
          tell(line, () => ({ status: "failed", failure }));
        }),
      decline: () =>
        mine(() => {
          line.holder = undefined;
          tell(line, () => ({ status: "alone" }));
        }),
      release: () => mine(() => handOn(key, line)),
    };
  }

  function find(key: string): CacheFound | undefined {
    return memory.get({ name: "shared", key, now: clock.now() });
  }

  function claim(process: string, { key, instead, refreshes }: CacheClaimAsk): CacheClaim {
    const line = lineOf(key);
    const found = find(key);
    if (found !== undefined && found.entry !== instead?.entry) return { status: "found", found };
    if (line.holder === undefined) {
      if (refreshes && line.failure !== undefined) return { status: "failed", failure: line.failure };
      return hold(key, line, process);
    }
    let hear: (news: News) => void = () => {};
    const end = new Promise<News>((resolve) => (hear = resolve));
    line.waiting.set(hear, process);
    return { status: "waiting", end, leave: () => void line.waiting.delete(hear) };
  }

  return {
    of: (process) => {
      const reach = <T>(f: () => T): MaybePromise<T> => {
        if (dead.has(process)) throw new Error("this process is dead");
        return trip(f);
      };
      return {
        shared: true,
        get: ({ key }) => reach(() => find(key)),
        set: ({ key }, entry, keepMs) =>
          reach(() => memory.set({ name: "shared", key, now: clock.now() }, entry, keepMs)),
        delete: ({ key }) =>
          reach(() => {
            memory.delete({ name: "shared", key, now: clock.now() });
            const line = lineOf(key);
            if (line.holder !== undefined) handOn(key, line);
          }),
        clear: () => reach(() => memory.clear("shared")),
        claim: (ask) => reach(() => claim(process, ask)),
      };
    },
    kill(process) {
      dead.add(process);
      for (const [key, line] of lines) {
        const { holder, waiting } = line;
        for (const [hear, waiter] of waiting) if (waiter === process) waiting.delete(hear);
        if (holder?.process !== process) continue;
        clock.setTimer(LEASE_MS, () => {
          if (line.holder === holder) handOn(key, line);
        });
      }
    },
    get claims() {
      let claims = 0;
      for (const { holder, waiting } of lines.values())
        claims += waiting.size + (holder === undefined ? 0 : 1);
      return claims;
    },
  };
}
