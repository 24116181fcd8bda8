import { expect, test } from "vitest";

import { chat, headersOf, withSimulator } from "../../http.test-help.ts";
import { defaultModels } from "../../models.ts";

const seconds = 300;
const perSecond = 8;
const patienceMs = 60_000;

test("under its own load everything happens that its notes promise", async () => {
  // A tenth of the tokens at a tenth of the speed, and no streams: the same times, and less to write.
  const models = defaultModels.map((model) => ({ ...model, tokensPerSecond: model.tokensPerSecond / 10 }));
  const text = { contentMedian: 18, reasoningMedian: 22 };
  const options = { scenario: "busy-evening", clock: "manual", tickMs: 250, seed: 7, models, text } as const;
  await withSimulator(options, async (simulator) => {
    const impatient: { at: number; leave: AbortController }[] = [];
    /** A client without any resilience: it asks once, and leaves after a minute. */
    async function ask(question: string): Promise<void> {
      const { metadata: _, ...body } = chat(question);
      const leave = new AbortController();
      impatient.push({ at: simulator.state().nowMs + patienceMs, leave });
      const init = {
        method: "POST",
        headers: headersOf(simulator),
        body: JSON.stringify(body),
        signal: leave.signal,
      };
      await simulator
        .fetch(`${simulator.url}/chat/completions`, init)
        .then((answer) => answer.text())
        .catch(() => {});
    }

    const asked: Promise<void>[] = [];
    while (simulator.state().open > 0 || asked.length < seconds * perSecond) {
      if (asked.length < seconds * perSecond) asked.push(ask(`question ${asked.length}`));
      await simulator.advance(1000 / perSecond);
      while ((impatient[0]?.at ?? Infinity) <= simulator.state().nowMs) impatient.shift()?.leave.abort();
    }
    await Promise.all(asked);

    const attempts = simulator.attempts();
    const share = (
      fromS: number,
      toS: number,
      of: (attempt: (typeof attempts)[number]) => boolean,
    ): number => {
      const these = attempts.filter(({ tReceived }) => tReceived >= fromS * 1000 && tReceived < toS * 1000);
      return these.filter(of).length / these.length;
    };
    const shares = {
      completed: share(0, seconds, ({ outcome }) => outcome === "completed"),
      calm: share(0, 60, ({ outcome }) => outcome === "completed"),
      waited: share(90, 120, ({ keepAlives }) => keepAlives > 0),
      busy: share(120, 150, ({ status }) => status === 503 || status === 504),
      html: share(120, 150, ({ status }) => status === 504),
      limited: share(150, 210, ({ status }) => status === 429),
      recovered: share(265, 300, ({ outcome }) => outcome === "completed"),
      stalled: share(0, seconds, ({ fault }) => fault?.startsWith("stall_after") === true),
      cut: share(0, seconds, ({ fault }) => fault?.startsWith("truncate_clean") === true),
    };
    const within = (name: keyof typeof shares, low: number, high: number): void => {
      expect
        .soft({ [name]: shares[name] > low && shares[name] < high, shares })
        .toEqual({ [name]: true, shares });
    };
    within("completed", 0.6, 0.9);
    within("calm", 0.9, 0.99);
    within("waited", 0.5, 1.01);
    within("busy", 0.5, 0.75);
    within("html", 0.01, 0.12);
    within("limited", 0.1, 0.6);
    within("recovered", 0.85, 0.99);
    within("stalled", 0.01, 0.03);
    within("cut", 0.005, 0.025);
    expect(simulator.state().maxQueued).toBeGreaterThan(100);
  });
}, 20_000);
