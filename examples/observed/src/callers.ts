import { setTimeout as pause } from "node:timers/promises";

import type { ScenarioLoad } from "@breakwater/simulator";

export interface Callers {
  /** What became of their questions, so far. */
  readonly seen: { answered: number; failed: number };
  /** Nobody asks any more, and who waits leaves. */
  leave(): Promise<void>;
}

/** People who ask, independently of one another, as often as the evening is made for. `scale`: real seconds in one of it. */
export function sendCallers(url: string, { perSecond, streamed }: ScenarioLoad, scale: number): Callers {
  const seen = { answered: 0, failed: 0 };
  const gone = new AbortController();
  const waiting = new Map<AbortController, Promise<void>>();

  async function ask(question: string, stream: boolean, signal: AbortSignal): Promise<void> {
    try {
      const response = await fetch(`${url}/chat`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ question, stream }),
        signal,
      });
      await response.text();
      seen[response.ok ? "answered" : "failed"]++;
    } catch {
      if (!gone.signal.aborted) seen.failed++;
    }
  }

  async function arrive(): Promise<void> {
    let due = performance.now();
    for (let n = 0; !gone.signal.aborted; n++) {
      // A signal each: fetch would keep a listener on a common one for every question of the evening.
      const caller = new AbortController();
      const asked = ask(`Question ${n}`, Math.random() < streamed, caller.signal);
      waiting.set(caller, asked);
      void asked.then(() => waiting.delete(caller));
      // By the clock: on a machine that is busy with other things they would else come less often.
      due += (-Math.log(1 - Math.random()) / perSecond) * 1_000 * scale;
      await pause(Math.max(0, due - performance.now()), undefined, { signal: gone.signal }).catch(
        () => undefined,
      );
    }
  }

  const arriving = arrive();
  return {
    seen,
    async leave() {
      gone.abort();
      await arriving;
      const asked = [...waiting.values()];
      for (const caller of waiting.keys()) caller.abort();
      await Promise.all(asked);
    },
  };
}
