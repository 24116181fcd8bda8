import { headersOf, withSimulator } from "../../http.test-help.ts";
import type { Attempt, Model, ScenarioName, Simulator, SimulatorOptions } from "../../index.ts";
import { defaultModels, scenarios } from "../../index.ts";

/** With a tenth of the tokens the answers take as long as they should, and there is less to write. */
export const tenthOfTheSpeed: readonly Model[] = defaultModels.map((model) => ({
  ...model,
  tokensPerSecond: model.tokensPerSecond / 10,
}));

/** What a plain client saw of one call. */
export interface Seen {
  readonly attempt: Attempt;
  /** 0 when the connection broke before there was a status. */
  readonly status: number;
  readonly body: string;
}

interface Playing extends SimulatorOptions {
  /** Calls arrive for so long. @default the scenario's duration */
  seconds?: number;
  /** @default the scenario's own load */
  perSecond?: number;
  /** A client leaves after so long. @default 60000 */
  patienceMs?: number;
  /** Lengths of the answers. Short by default: the tests are about what befalls them. `""`: as they come. */
  tokens?: string;
  /** The user of the n-th call, which is what its chance depends on. @default everybody asks once */
  ask?: (n: number) => Record<string, unknown>;
}

/**
 * Plays a scenario on a manual clock to clients without any resilience: each asks once, in even distances. Returns what
 * they saw in the order of arrival.
 */
export async function play(name: ScenarioName, playing: Playing = {}): Promise<readonly Seen[]> {
  const scenario = scenarios[name];
  const {
    seconds = (scenario.durationMs ?? 0) / 1000,
    perSecond = scenario.load?.perSecond ?? 1,
    patienceMs = 60_000,
    tokens = "reasoning=10,content=20",
    ask = () => ({}),
    ...options
  } = playing;
  const calls = Math.floor(seconds * perSecond);
  const seed = scenario.seeds?.[0] ?? 1;
  return withSimulator(
    { scenario: name, clock: "manual", tickMs: 250, seed, ...options },
    async (simulator) => {
      const leaving: { at: number; leave: AbortController }[] = [];
      const answers: Promise<Omit<Seen, "attempt">>[] = [];
      while (answers.length < calls || simulator.state().open > 0) {
        if (answers.length < calls) {
          const leave = new AbortController();
          leaving.push({ at: simulator.state().nowMs + patienceMs, leave });
          const n = answers.length;
          const stream = n % 10 < 10 * (scenario.load?.streamed ?? 1);
          answers.push(askOnce(simulator, { ...bodyOf(n, stream), ...ask(n) }, tokens, n, leave.signal));
        }
        await simulator.advance(1000 / perSecond);
        while ((leaving[0]?.at ?? Infinity) <= simulator.state().nowMs) leaving.shift()?.leave.abort();
      }
      const seen = await Promise.all(answers);
      const attempts = new Map(simulator.attempts().map((attempt) => [attempt.callId, attempt]));
      return seen.map((answer, n) => ({ ...answer, attempt: attempts.get(`call-${n}`) as Attempt }));
    },
  );
}

const bodyOf = (n: number, stream: boolean): Record<string, unknown> => ({
  model: "deepseek-flash",
  stream,
  messages: [{ role: "user", content: `question ${n}` }],
});

async function askOnce(
  simulator: Simulator,
  body: Record<string, unknown>,
  tokens: string,
  n: number,
  signal: AbortSignal,
): Promise<Omit<Seen, "attempt">> {
  const more = {
    "x-breakwater-call-id": `call-${n}`,
    ...(tokens === "" ? {} : { "x-sim-tokens": tokens }),
  };
  let status = 0;
  let received = "";
  try {
    const answer = await simulator.fetch(`${simulator.url}/chat/completions`, {
      method: "POST",
      headers: headersOf(simulator, more),
      body: JSON.stringify(body),
      signal,
    });
    ({ status } = answer);
    const decoder = new TextDecoder();
    for await (const part of answer.body ?? []) received += decoder.decode(part, { stream: true });
  } catch {
    // What came before the break stays: that is what a user has read.
  }
  return { status, body: received };
}

/** The part of those who came between two moments for whom `of` holds. */
export function share(
  seen: readonly Seen[],
  fromS: number,
  toS: number,
  of: (seen: Seen) => boolean,
): number {
  const these = seen.filter(
    ({ attempt }) => attempt.tReceived >= fromS * 1000 && attempt.tReceived < toS * 1000,
  );
  return these.filter(of).length / these.length;
}

/** Those who got one of these. */
export const status =
  (...codes: readonly number[]) =>
  (seen: Seen): boolean =>
    codes.includes(seen.status);
export const completed = ({ attempt }: Seen): boolean => attempt.outcome === "completed";
