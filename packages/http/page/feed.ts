import type { AdminState } from "./state.ts";

/** How old what is shown is. */
interface Age {
  /** Since the last state; `undefined` before the first. */
  readonly silentMs: number | undefined;
  /** Whether one should have come by now. */
  readonly stale: boolean;
  /** Why none has; `undefined` while all is well. */
  readonly problem: string | undefined;
}

/** What the feed tells the page. */
export interface FeedListener {
  onState(state: AdminState): void;
  /** Each second, and when it changes. */
  onAge(age: Age): void;
}

const EVERY_MS = 1_000;

/** A service of many instances has much to say: what takes long is asked for less often. */
const LONGEST_PAUSE_MS = 5_000;

/** A state that takes longer is given up; the next may be quicker. */
const PATIENCE_MS = 10_000;

/** A state that is so much too late is missed. */
const LATE_MS = 2_500;

/** Asks for the state each second, as long as somebody looks at the page. */
export function startFeed(url: string, listener: FeedListener): { refresh(): void } {
  let lastAt: number | undefined;
  let problem: string | undefined;
  let pauseMs = EVERY_MS;
  /** Raised with each question: an answer to an older one is of no interest. */
  let turn = 0;
  let asking: AbortController | undefined;
  let next: number | undefined;

  async function ask(): Promise<void> {
    const own = ++turn;
    window.clearTimeout(next);
    asking?.abort();
    if (document.hidden) return;
    const stop = new AbortController();
    asking = stop;
    const patience = window.setTimeout(() => stop.abort(), PATIENCE_MS);
    const startedAt = performance.now();
    const answer = await read(url, stop.signal);
    window.clearTimeout(patience);
    if (own !== turn) return;
    if ("problem" in answer) problem = answer.problem;
    else problem = shown(answer.state);
    const now = performance.now();
    if (problem === undefined) lastAt = now;
    pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(EVERY_MS, 5 * (now - startedAt)));
    tell();
    next = window.setTimeout(() => void ask(), pauseMs);
  }

  /** One that cannot be shown, as another version may tell it, must not look like one that is. */
  function shown(state: AdminState): string | undefined {
    try {
      listener.onState(state);
      return undefined;
    } catch (error) {
      console.error(error);
      return "what came cannot be shown";
    }
  }

  function tell(): void {
    const silentMs = lastAt === undefined ? undefined : performance.now() - lastAt;
    listener.onAge({ silentMs, problem, stale: silentMs !== undefined && silentMs > pauseMs + LATE_MS });
  }

  document.addEventListener("visibilitychange", () => void ask());
  window.setInterval(tell, EVERY_MS);
  void ask();
  return { refresh: () => void ask() };
}

type Answer = { readonly state: AdminState } | { readonly problem: string };

async function read(url: string, signal: AbortSignal): Promise<Answer> {
  try {
    const response = await fetch(url, { signal, headers: { accept: "application/json" } });
    if (response.ok) return { state: (await response.json()) as AdminState };
    const known = response.status === 401 || response.status === 403;
    return {
      problem: known
        ? "you are not let in any more: load the page again"
        : `the server answers ${response.status}`,
    };
  } catch {
    return { problem: "no answer" };
  }
}
