import type { Call } from "../../call.ts";
import { type Any, chain, isPromise, type MaybePromise } from "../../handler.ts";
import type { Ending, Outcome } from "../../outcome.ts";
import { failureOf, noteOf } from "./failures.ts";
import { type Before, ELSEWHERE } from "./single-flight.ts";
import type {
  CacheAsk,
  CacheClaim,
  CacheEntry,
  CacheFound,
  CacheHeld,
  CacheNews,
  CacheStore,
  CacheWaiting,
} from "./store.ts";

export interface TurnOptions {
  readonly store: CacheStore;
  readonly ask: CacheAsk;
  /** What there is, and is not good enough. */
  readonly instead: CacheFound | undefined;
  /** Nobody waits for the answer: then nothing is done where somebody else does it. */
  readonly refreshes: boolean;
  /** After so long with somebody else the attempt is made all the same. */
  readonly maxWaitMs: number;
  /** It is decided whether this process fetches or waits. Once. */
  onDecided(waits: boolean): void;
  onStoreFail(error: unknown): void;
}

/**
 * Whose turn it is to fetch an answer that several processes want. In front of it stands the process's own table of
 * flights, so a process asks once however many of its calls want the answer.
 */
export interface Turn {
  /** What others have come to, if it was theirs. */
  readonly found: CacheFound | undefined;
  /** Whether the attempt is being made here, or was: before that it is not too late for what is deleted now. */
  readonly fetches: boolean;
  /** Whether others do, or have just tried, what this one was to do for nobody. */
  readonly idle: "busy" | "failed" | undefined;
  /** Resolves to `undefined` when the attempt is to be made here, also when the call was aborted meanwhile. Never rejects. */
  readonly come: Before;
  /** Keeps the answer for all; `undefined` if this process holds no claim. */
  fill(entry: CacheEntry, keepMs: number): MaybePromise<boolean> | undefined;
  /** Tells the others what came of it, if that is not an answer that was kept. */
  end(landed: Outcome<unknown> | undefined, ending: Ending | undefined): void;
}

export function createTurn(options: TurnOptions): Turn {
  const { store, ask, instead, refreshes, maxWaitMs, onDecided, onStoreFail } = options;
  let held: CacheHeld | undefined;
  let found: CacheFound | undefined;
  let idle: Turn["idle"];
  let fetches = false;

  function claim(): MaybePromise<CacheClaim | undefined> {
    try {
      const claimed = store.claim?.({ ...ask, instead, refreshes });
      if (!isPromise(claimed)) return claimed;
      return claimed.catch((error: unknown) => {
        onStoreFail(error);
        return undefined;
      });
    } catch (error) {
      onStoreFail(error);
      return undefined;
    }
  }

  function decided(call: Call<Any>, claimed: CacheClaim | undefined): ReturnType<Before> {
    onDecided(claimed !== undefined && claimed.status !== "held" && claimed.status !== "alone");
    if (call.aborted) {
      letGo(claimed);
      return undefined;
    }
    if (claimed?.status !== "waiting") return come(call, claimed);
    if (refreshes) {
      claimed.leave();
      idle = "busy";
      return ELSEWHERE;
    }
    return wait(call, claimed).then((news) => come(call, news));
  }

  function wait(call: Call<Any>, waiting: CacheWaiting): Promise<CacheHeld | CacheNews | undefined> {
    return new Promise((resolve) => {
      let over = false;
      const settle = (news: CacheHeld | CacheNews | undefined): void => {
        if (over) return letGo(news);
        over = true;
        cancel();
        forget();
        if (news === undefined) waiting.leave();
        resolve(news);
      };
      let forget = (): void => {};
      const cancel = call.runtime.setTimer(maxWaitMs, () => settle(undefined));
      forget = call.onAbort(() => settle(undefined));
      void waiting.end.then(settle);
    });
  }

  function come(call: Call<Any>, news: CacheHeld | CacheNews | undefined): ReturnType<Before> {
    switch (news?.status) {
      case "held":
        held = news;
        fetches = true;
        return undefined;
      case "found":
        found = news.found;
        return ELSEWHERE;
      case "failed":
        if (!refreshes) return failureOf(news.failure, call);
        idle = "failed";
        return ELSEWHERE;
      default:
        fetches = true;
        return undefined;
    }
  }

  return {
    get found() {
      return found;
    },
    get fetches() {
      return fetches;
    },
    get idle() {
      return idle;
    },
    come: (call) => chain(claim(), (claimed) => decided(call, claimed)),
    fill(entry, keepMs) {
      const mine = held;
      held = undefined;
      return mine?.fill(entry, keepMs);
    },
    end(landed, ending) {
      const mine = held;
      held = undefined;
      if (mine === undefined) return;
      const what = landed?.status === "answered" ? streamed(landed, ending) : landed;
      if (what?.status === "answered") return mine.decline();
      const note = what?.status === "failed" ? noteOf(what) : undefined;
      if (note === undefined) mine.release();
      else mine.fail(note);
    },
  };
}

/** What an answer came to in the end. A stream that has no ending yet was left by its readers. */
function streamed(
  landed: Outcome<unknown> & { status: "answered" },
  ending: Ending | undefined,
): Ending | Outcome<unknown> | undefined {
  const shareable =
    typeof landed.value === "object" && landed.value !== null && Symbol.asyncIterator in landed.value;
  return landed.end !== undefined && shareable ? ending : landed;
}

function letGo(claim: CacheClaim | undefined): void {
  if (claim?.status === "held") claim.release();
  else if (claim?.status === "waiting") claim.leave();
}
