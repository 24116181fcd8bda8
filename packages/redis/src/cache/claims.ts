import type {
  CacheClaim,
  CacheEntry,
  CacheFailure,
  CacheHeld,
  CacheNews,
  CacheWaiting,
} from "@breakwater/core";

import { type Link, LinkError } from "../connection/link.ts";
import type { EntryKeys } from "./entry-keys.ts";
import { HEAD, open, type Opened } from "./envelope.ts";
import { type CacheScripts, FOUND, HELD, NEWS } from "./scripts.ts";

/** Who of all processes fetches an answer. */
export interface Claims {
  /** @param seen stamp of what was found, and is not good enough; 0: nothing. Rejects when Redis does not say. */
  claim(keys: EntryKeys, seen: number, refreshes: boolean): Promise<CacheClaim>;
  /** Gives back what is held, and lets go those who wait. */
  close(): void;
}

export interface ClaimsOptions {
  readonly link: Link;
  readonly scripts: CacheScripts;
  /** Of this process, in no other. */
  readonly instance: string;
  /** After so long without a word from who fetches another does. */
  readonly leaseMs: number;
  /** Keeps an answer if the claim `token` still holds. */
  readonly write: (keys: EntryKeys, token: string, answer: Answer) => Promise<boolean>;
  /** Told before Redis is asked; what it returns is told of an answer that is found. */
  readonly watch: (keys: EntryKeys) => (opened: Opened) => void;
}

/** To be kept. */
export interface Answer {
  readonly entry: CacheEntry;
  readonly keepMs: number;
  /** Keeps it in this process, unless it was invalidated after it was asked for. */
  readonly near: (opened: Opened) => void;
}

/** A failure is news for those who waited, and keeps refreshes away for as long as one of their own would. */
const NOTE_MS = 10_000;
const ALONE = "alone";
/** No note is so young. */
const NEVER = Number.MAX_SAFE_INTEGER - 1024;

/** Messages may be lost: those who wait look by themselves, soon at first. */
const LOOK_FIRST_MS = 50;
const LOOK_MS = 500;
/** Redis may stumble; whoever waits longer than this for it does without. */
const PATIENCE_MS = 1_000;

export function createClaims(options: ClaimsOptions): Claims {
  const { link, scripts, instance, write, watch } = options;
  const { runtime } = link;
  const leaseMs = Math.ceil(options.leaseMs); // Redis knows whole ones
  /** What ends each claim that is held or waited for. */
  const unfinished = new Set<() => void>();
  let count = 0;

  async function ask(keys: EntryKeys, token: string, seen: number, since: number): Promise<Said> {
    const near = watch(keys);
    const reply = await link.run(
      scripts.claim,
      [keys.entry, keys.lock, keys.note],
      [token, leaseMs, HEAD, seen, since],
      undefined,
      true,
    );
    const [what, now, told] = reply as readonly [number, number, Buffer | undefined];
    if (what === HELD) return hold(keys, token, near);
    if (what === NEWS) return newsOf(String(told));
    if (what !== FOUND) return { status: "busy", now };
    const opened = open(told, now);
    if (opened === undefined) return { status: "alone" };
    near(opened);
    return { status: "found", found: opened };
  }

  // --- Who fetches ---

  function hold(keys: EntryKeys, token: string, near: Answer["near"]): CacheHeld {
    let over = false;
    let cancel = (): void => {};

    function renewLater(): void {
      if (over) return;
      cancel = runtime.setTimer(leaseMs / 3, () => {
        link.run(scripts.renew, [keys.lock], [token, leaseMs]).then(
          (held) => {
            if (held === 1) renewLater();
            else end(); // lost: what is fetched is for those who wait here
          },
          renewLater, // it may be reached before the lease is over
        );
      });
    }

    function end(): void {
      over = true;
      cancel();
      unfinished.delete(giveBack);
    }

    function giveBack(): void {
      end();
      release(keys, token, "");
    }

    unfinished.add(giveBack);
    renewLater();
    return {
      status: "held",
      async fill(entry, keepMs) {
        end();
        let kept = false;
        try {
          kept = await write(keys, token, { entry, keepMs, near });
          return kept;
        } finally {
          // It cannot be kept: those who wait for it need not wait until the lease is over as well.
          if (!kept) release(keys, token, ALONE);
        }
      },
      fail(failure) {
        end();
        release(keys, token, JSON.stringify(failure));
      },
      decline() {
        end();
        release(keys, token, ALONE);
      },
      release: giveBack,
    };
  }

  /** Nothing is lost if it does not arrive, but time: the lease ends. */
  function release(keys: EntryKeys, token: string, note: string): void {
    link
      .run(scripts.release, [keys.lock, keys.note], [token, note, NOTE_MS, keys.channel])
      .catch(() => undefined);
  }

  // --- Who waits ---

  function wait(keys: EntryKeys, token: string, seen: number, since: number): CacheWaiting {
    let over = false;
    let looking = false;
    let again = false;
    let looks = 0;
    let failingSince: number | undefined;
    /** A look that failed may have got the claim. */
    let unsure = false;
    let cancel = (): void => {};
    let settle: (news: CacheHeld | CacheNews) => void = () => {};
    const end = new Promise<CacheHeld | CacheNews>((resolve) => (settle = resolve));

    function stop(): void {
      over = true;
      cancel();
      forget();
      unfinished.delete(alone);
      if (unsure) release(keys, token, "");
    }

    function alone(): void {
      stop();
      settle({ status: "alone" });
    }

    function lookLater(): void {
      const ms = Math.min(LOOK_MS, LOOK_FIRST_MS * 2 ** looks++);
      cancel = runtime.setTimer(ms * (0.5 + runtime.random()), look);
    }

    function look(): void {
      if (over) return;
      if (looking) {
        again = true;
        return;
      }
      looking = true;
      again = false;
      cancel();
      ask(keys, token, seen, since).then(heard, failed);
    }

    function heard(said: Said): void {
      looking = false;
      failingSince = undefined;
      if (over) {
        if (said.status === "held") said.release();
      } else if (said.status !== "busy") {
        unsure = false;
        stop();
        settle(said);
      } else if (again) look();
      else lookLater();
    }

    function failed(error: unknown): void {
      looking = false;
      if (!(error instanceof LinkError) || error.unknown) {
        if (over) release(keys, token, "");
        unsure = true;
      }
      if (over) return;
      failingSince ??= runtime.now();
      if (runtime.now() - failingSince >= PATIENCE_MS) alone();
      else lookLater();
    }

    unfinished.add(alone);
    lookLater();
    // What is said before it is heard is missed.
    const forget = link.subscribe(keys.channel, look, look);
    return { status: "waiting", end, leave: stop };
  }

  return {
    async claim(keys, seen, refreshes) {
      const token = `${instance}.${++count}`;
      let said: Said;
      try {
        said = await ask(keys, token, seen, refreshes ? 0 : NEVER);
      } catch (error) {
        if (!(error instanceof LinkError) || error.unknown) release(keys, token, "");
        throw error;
      }
      return said.status === "busy" ? wait(keys, token, seen, said.now) : said;
    },
    close() {
      for (const end of unfinished) end();
    },
  };
}

type Said = CacheHeld | CacheNews | { readonly status: "busy"; readonly now: number };

function newsOf(note: string): CacheNews {
  if (note === ALONE) return { status: "alone" };
  try {
    return { status: "failed", failure: JSON.parse(note) as CacheFailure };
  } catch {
    return { status: "alone" };
  }
}
