import type { AdminState } from "./state.ts";

/** What the feed tells the page. */
export interface FeedListener {
  onState(state: AdminState): void;
  /**
   * Told each second.
   * @param silentMs since the last state; `undefined` before the first
   * @param problem why there is none newer; `undefined` while all is well
   */
  onSilence(silentMs: number | undefined, problem: string | undefined): void;
}

const EVERY_MS = 1_000;

/** A state that takes longer is given up; the next may be quicker. */
const PATIENCE_MS = 10_000;

/** Asks for the state each second, as long as somebody looks at the page. */
export function startFeed(urlOf: () => string, listener: FeedListener): { refresh(): void } {
  let lastAt: number | undefined;
  let problem: string | undefined;
  /** Raised when the question changes: what was asked before is of no interest. */
  let turn = 0;
  let asking: AbortController | undefined;
  let next: number | undefined;

  async function ask(): Promise<void> {
    window.clearTimeout(next);
    asking?.abort();
    if (document.hidden) return;
    const own = ++turn;
    const stop = new AbortController();
    asking = stop;
    const patience = window.setTimeout(() => stop.abort(), PATIENCE_MS);
    try {
      const state = await read(urlOf(), stop.signal);
      if (own !== turn) return;
      problem = undefined;
      lastAt = performance.now();
      listener.onState(state);
    } catch (error) {
      if (own !== turn) return;
      problem = error instanceof Refused ? error.message : "no answer";
    } finally {
      window.clearTimeout(patience);
      if (own === turn) {
        tell();
        next = window.setTimeout(() => void ask(), EVERY_MS);
      }
    }
  }

  function tell(): void {
    listener.onSilence(lastAt === undefined ? undefined : performance.now() - lastAt, problem);
  }

  document.addEventListener("visibilitychange", () => void ask());
  window.setInterval(tell, EVERY_MS);
  void ask();
  return { refresh: () => void ask() };
}

/** The server answered, but not with a state. */
class Refused extends Error {}

async function read(url: string, signal: AbortSignal): Promise<AdminState> {
  const response = await fetch(url, { signal, headers: { accept: "application/json" } });
  if (response.ok) return (await response.json()) as AdminState;
  if (response.status === 401 || response.status === 403)
    throw new Refused("you are not let in any more: load the page again");
  throw new Refused(`the server answers ${response.status}`);
}
