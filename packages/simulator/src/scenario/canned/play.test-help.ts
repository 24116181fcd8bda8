import { headersOf, withSimulator } from "../../http.test-help.ts";
import type { Attempt, Model, ScenarioName, Simulator, SimulatorOptions } from "../../index.ts";
import { defaultModels, scenarios } from "../../index.ts";

/** With a tenth of the tokens the answers take as long as they should, and there is less to write. */
export const tenthOfTheSpeed: readonly Model[] = defaultModels.map((model) => ({
  ...model,
  tokensPerSecond: model.tokensPerSecond / 10,
}));

/** What a plain client saw of one call. */
interface Call {
  /** When it came, in simulated milliseconds. */
  readonly at: number;
  /** Undefined when it could not connect. */
  readonly attempt: Attempt | undefined;
  /** 0 when the connection broke before there was a status. */
  readonly status: number;
  readonly body: string;
}

/** What a plain client saw of a call that came to a machine. */
export type Seen = Call & { readonly attempt: Attempt };

interface Playing extends SimulatorOptions {
  /** Calls arrive for so long. @default the scenario's duration */
  seconds?: number;
  /** @default the scenario's own load */
  perSecond?: number;
  /** A client leaves after so long. @default 60000 */
  patienceMs?: number;
  /** Lengths of the answers. Short by default: the tests are about what befalls them. `""`: as they come. */
  tokens?: string;
  /** More of the body of the n-th call. */
  ask?: (n: number) => Record<string, unknown>;
  /** The base URL that the n-th call is sent to. @default the simulator's */
  to?: (simulator: Simulator, n: number) => string;
}

/**
 * Plays a scenario on a manual clock to clients without any resilience: each asks once, in even distances. Returns what
 * they saw in the order of arrival.
 */
export async function playCalls(name: ScenarioName, playing: Playing = {}): Promise<readonly Call[]> {
  const scenario = scenarios[name];
  const {
    seconds = (scenario.durationMs ?? 0) / 1000,
    perSecond = scenario.load?.perSecond ?? 1,
    patienceMs = 60_000,
    tokens = "reasoning=10,content=20",
    ask = () => ({}),
    to = ({ url }) => url,
    ...options
  } = playing;
  const calls = Math.floor(seconds * perSecond);
  const seed = scenario.seeds?.[0] ?? 1;
  return withSimulator(
    { scenario: name, clock: "manual", tickMs: 250, seed, ...options },
    async (simulator) => {
      const leaving: { at: number; leave: AbortController }[] = [];
      const answers: Promise<Omit<Call, "attempt">>[] = [];
      while (answers.length < calls || simulator.state().open > 0) {
        if (answers.length < calls) {
          const leave = new AbortController();
          leaving.push({ at: simulator.state().nowMs + patienceMs, leave });
          const n = answers.length;
          const stream = n % 10 < 10 * (scenario.load?.streamed ?? 1);
          const init = { body: JSON.stringify({ ...bodyOf(n, stream), ...ask(n) }), signal: leave.signal };
          const headers = headersOf(simulator, {
            "x-breakwater-call-id": `call-${n}`,
            ...(tokens === "" ? {} : { "x-sim-tokens": tokens }),
          });
          answers.push(askOnce(simulator, to(simulator, n), { method: "POST", headers, ...init }));
        }
        await simulator.advance(1000 / perSecond);
        while ((leaving[0]?.at ?? Infinity) <= simulator.state().nowMs) leaving.shift()?.leave.abort();
      }
      const seen = await Promise.all(answers);
      const attempts = new Map(simulator.attempts().map((attempt) => [attempt.callId, attempt]));
      return seen.map((answer, n) => ({ ...answer, attempt: attempts.get(`call-${n}`) }));
    },
  );
}

const bodyOf = (n: number, stream: boolean): Record<string, unknown> => ({
  model: "deepseek-flash",
  stream,
  messages: [{ role: "user", content: `question ${n}` }],
});

async function askOnce(simulator: Simulator, url: string, init: RequestInit): Promise<Omit<Call, "attempt">> {
  const at = simulator.state().nowMs;
  let status = 0;
  let received = "";
  try {
    const answer = await simulator.fetch(`${url}/chat/completions`, init);
    ({ status } = answer);
    const decoder = new TextDecoder();
    for await (const part of answer.body ?? []) received += decoder.decode(part, { stream: true });
  } catch {
    // What came before the break stays: that is what a user has read.
  }
  return { at, status, body: received };
}

/** The same, where every call comes to a machine. */
export async function play(name: ScenarioName, playing: Playing = {}): Promise<readonly Seen[]> {
  const calls = await playCalls(name, playing);
  return calls.map(({ attempt, ...call }) => {
    if (attempt === undefined) throw new Error(`The call at ${call.at} ms came to no machine`);
    return { ...call, attempt };
  });
}

/** The part of those who came between two moments for whom `of` holds. */
export function share<One extends Call>(
  calls: readonly One[],
  fromS: number,
  toS: number,
  of: (call: One) => boolean,
): number {
  const these = calls.filter(({ at }) => at >= fromS * 1000 && at < toS * 1000);
  return these.filter(of).length / these.length;
}

/** Got one of these. */
export const status =
  (...codes: readonly number[]) =>
  (call: Call): boolean =>
    codes.includes(call.status);
export const completed = ({ attempt }: Call): boolean => attempt?.outcome === "completed";
