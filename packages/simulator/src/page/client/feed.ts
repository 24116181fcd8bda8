import type { Attempt } from "../../attempt-log.ts";
import type { SimulatorState } from "../../engine.ts";
import type { Browser } from "./browser.ts";

/** What the feed tells the page. */
export interface FeedListener {
  /** @param again the simulator began again, or it is the first state at all. */
  onState(state: SimulatorState, again: boolean): void;
  /** Perhaps more than once. */
  onAttempt(attempt: Attempt): void;
  onConnection(connected: boolean): void;
  /** The `seq` of the last attempt that was shown. */
  last(): number;
}

/**
 * Keeps the page up to date: state and attempts come over the event stream. Where it is not there, or has been silent for
 * a while (a clock that is advanced by hand sends nothing), they are asked for.
 *
 * Runs in the browser: its source text is sent there, so it uses nothing from outside.
 */
export function startFeed(browser: Browser, listener: FeedListener): { refresh(): void } {
  const everyMs = 500;
  /** So many turns without an event are silence. */
  const patience = 4;
  let streaming = false;
  let silentTurns = 0;
  let lastMs = Infinity;
  /** Time may have begun again: there was a reset, or a while without the stream. */
  let mayBeNew = true;
  let asking = false;

  function tell(state: SimulatorState): void {
    const wentBack = state.nowMs < lastMs;
    // Answers and events come over different connections: what overtook is newer.
    if (wentBack && !mayBeNew) return;
    lastMs = state.nowMs;
    mayBeNew = !streaming;
    listener.onState(state, wentBack);
  }

  async function read(path: string): Promise<unknown> {
    const response = await browser.fetch(path);
    if (!response.ok) throw new Error(path);
    return response.json();
  }

  async function ask(): Promise<void> {
    if (asking) return;
    asking = true;
    try {
      tell((await read("/__sim/state")) as SimulatorState);
      if (!streaming) {
        const attempts = (await read(`/__sim/requests?since=${listener.last()}`)) as readonly Attempt[];
        for (const attempt of attempts) listener.onAttempt(attempt);
      }
      silentTurns = 0;
      listener.onConnection(true);
    } catch {
      listener.onConnection(false);
    } finally {
      asking = false;
    }
  }

  function listen(): void {
    const events = new browser.EventSource(`/__sim/events?since=${listener.last()}`);
    events.addEventListener("open", () => {
      streaming = true;
      listener.onConnection(true);
    });
    // The browser connects again by itself; until then everything is asked for.
    events.addEventListener("error", () => {
      streaming = false;
      mayBeNew = true;
    });
    events.addEventListener("state", ({ data }) => {
      silentTurns = 0;
      tell(JSON.parse(data) as SimulatorState);
    });
    events.addEventListener("attempt", ({ data }) => listener.onAttempt(JSON.parse(data) as Attempt));
    events.addEventListener("reset", () => {
      mayBeNew = true;
      void ask();
    });
  }

  async function turn(): Promise<void> {
    silentTurns += 1;
    // A page that nobody sees asks for nothing.
    if (!browser.document.hidden && (!streaming || silentTurns > patience)) await ask();
    browser.setTimeout(() => void turn(), everyMs);
  }

  // The state comes first: it says which attempts are the last ones.
  void turn().then(listen);
  return { refresh: () => void ask() };
}
