import type { Attempt } from "../../attempt-log.ts";
import type { SimulatorState } from "../../engine.ts";
import type { Browser } from "./browser.ts";

/** What the feed tells the page. */
export interface FeedListener {
  onState(state: SimulatorState): void;
  /** Perhaps more than once. */
  onAttempt(attempt: Attempt): void;
  onConnection(connected: boolean): void;
  /** The `seq` of the last attempt that was shown. */
  last(): number;
}

/**
 * Keeps the page up to date: attempts come over the event stream as they end, and while that is not there they are
 * asked for; the state is asked for twice a second, since every figure in it may change without an event.
 *
 * Runs in the browser: its source text is sent there, so it uses nothing from outside.
 */
export function startFeed(browser: Browser, listener: FeedListener): { refresh(): void } {
  const everyMs = 500;
  let streaming = false;
  let asking = false;

  async function read(path: string): Promise<unknown> {
    const response = await browser.fetch(path);
    if (!response.ok) throw new Error(path);
    return response.json();
  }

  async function ask(): Promise<void> {
    if (asking) return;
    asking = true;
    try {
      listener.onState((await read("/__sim/state")) as SimulatorState);
      if (!streaming) {
        const attempts = (await read(`/__sim/requests?since=${listener.last()}`)) as readonly Attempt[];
        for (const attempt of attempts) listener.onAttempt(attempt);
      }
      listener.onConnection(true);
    } catch {
      listener.onConnection(false);
    } finally {
      asking = false;
    }
  }

  async function loop(): Promise<void> {
    // A page that nobody sees asks for nothing; the browser stops its timers anyway.
    if (!browser.document.hidden) await ask();
    browser.setTimeout(() => void loop(), everyMs);
  }

  const events = new browser.EventSource("/__sim/events");
  events.addEventListener("open", () => {
    streaming = true;
  });
  // The browser connects again by itself; until then the attempts are asked for.
  events.addEventListener("error", () => {
    streaming = false;
  });
  events.addEventListener("attempt", ({ data }) => listener.onAttempt(JSON.parse(data) as Attempt));
  void loop();
  return { refresh: () => void ask() };
}
