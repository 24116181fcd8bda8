import { BreakwaterError } from "@breakwater/core";
import type { ChatRequest as SimulatedRequest, Simulator } from "@breakwater/simulator";

import type { ChatRequest, DeepSeek } from "../../src/index.ts";

/** What a reader does with a stream. */
type Habit = "reads" | "slow" | "leaves" | "aborts" | "gives-up-early";

export interface Plan {
  readonly request: ChatRequest & SimulatedRequest;
  readonly habit: Habit;
  /** After how many chunks he does it. */
  readonly after: number;
  /** Through `deepseek.fetch`, as an SDK would, instead of `deepseek.stream`. */
  readonly overFetch: boolean;
}

/** How it ended for the reader. */
export type Fate =
  | { readonly kind: "complete" }
  /** With an error that he can tell apart, and a right beginning of the text. */
  | { readonly kind: "error"; readonly code: string }
  /** By his own doing, with a right beginning of the text. */
  | { readonly kind: "left" }
  /** What must never happen. */
  | { readonly kind: "broken"; readonly why: string };

export interface PlanOptions {
  readonly seed: number;
  readonly random: () => number;
  /** Content tokens at most. */
  readonly tokens: number;
}

/** One reader of many; everything about him follows from the random numbers. */
export function drawPlan(i: number, { random, seed, tokens }: PlanOptions): Plan {
  const pick = random();
  const habit: Habit =
    pick < 0.6
      ? "reads"
      : pick < 0.72
        ? "slow"
        : pick < 0.84
          ? "leaves"
          : pick < 0.96
            ? "aborts"
            : "gives-up-early";
  const content = 1 + Math.floor(random() * tokens);
  const reasoning = random() < 0.4 ? Math.floor(random() * tokens) : 0;
  return {
    habit,
    after: Math.floor(random() * content),
    overFetch: random() < 0.4,
    request: {
      model: "deepseek-flash",
      messages: [{ role: "user", content: `Soak ${seed}, question ${i}` }],
      thinking: { type: reasoning > 0 ? "enabled" : "disabled" },
      // Chance in the simulator follows this, so the same plan meets the same faults in every run.
      user_id: `soak-${seed}-${i}`,
      metadata: { sim: `reasoning=${reasoning},content=${content}` },
    },
  };
}

interface Reading {
  content: string;
  reasoning: string;
}

/**
 * Lets `plan` happen, and judges it.
 *
 * @param shared the signal of all who do not abort: as a server hands one on that says that it is shutting down
 * @param pause what a slow reader does between two chunks
 */
export async function read(
  plan: Plan,
  deepseek: DeepSeek,
  simulator: Simulator,
  shared: AbortSignal,
  pause: () => Promise<void>,
): Promise<Fate> {
  const own = new AbortController();
  const signal = plan.habit === "aborts" || plan.habit === "gives-up-early" ? own.signal : shared;
  const text: Reading = { content: "", reasoning: "" };
  const verdict = (): string => simulator.verifyText(plan.request, text);
  const left = (): Fate =>
    verdict() === "wrong" ? { kind: "broken", why: "left with a wrong text" } : { kind: "left" };
  try {
    let seen = 0;
    const chunks = plan.overFetch
      ? overFetch(plan, deepseek, signal)
      : deepseek.stream(plan.request, { signal });
    if (plan.habit === "gives-up-early") queueMicrotask(() => own.abort(LEFT));
    for await (const { choices } of chunks) {
      const delta = choices[0]?.delta;
      text.content += delta?.content ?? "";
      text.reasoning += delta?.reasoning_content ?? "";
      if (plan.habit === "leaves" && seen >= plan.after) return left();
      if (plan.habit === "aborts" && seen >= plan.after) own.abort(LEFT);
      if (plan.habit === "slow") await pause();
      seen++;
    }
    return verdict() === "complete"
      ? { kind: "complete" }
      : { kind: "broken", why: `a clean end with a text that is ${verdict()}` };
  } catch (error) {
    if (error === LEFT) return left();
    if (verdict() === "wrong") return { kind: "broken", why: "an error, and a wrong text before it" };
    const code = codeOf(error);
    return code === undefined
      ? { kind: "broken", why: `an error without a code: ${String(error)}` }
      : { kind: "error", code };
  }
}

const LEFT = new Error("the reader left");

/** As an SDK reads it: bytes to events, in-band errors thrown, nothing after [DONE]. */
async function* overFetch({ request }: Plan, deepseek: DeepSeek, signal: AbortSignal) {
  const response = await deepseek.fetch("https://api.deepseek.com/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer of-the-sdk" },
    body: JSON.stringify({ ...request, stream: true }),
    signal,
  });
  if (!response.ok) throw new Told(((await response.json()) as { error: { code: string } }).error.code);
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of response.body as ReadableStream<Uint8Array>) {
    rest += decoder.decode(bytes, { stream: true });
    const events = rest.split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events) {
      if (!event.startsWith("data: ")) continue;
      if (event === "data: [DONE]") return;
      const data = JSON.parse(event.slice(6)) as Told | Chunk;
      if ("error" in data) throw new Told(data.error.code);
      yield data;
    }
  }
  throw new Error("the body ended without [DONE] and without an error");
}

interface Chunk {
  readonly choices: readonly {
    readonly delta: { readonly content?: string | null; readonly reasoning_content?: string | null };
  }[];
}

/** What an error answer, or an error event, said. */
class Told extends Error {
  readonly error: { readonly code: string };
  constructor(code: string) {
    super(code);
    this.error = { code };
  }
}

function codeOf(error: unknown): string | undefined {
  if (error instanceof Told) return error.error.code;
  return BreakwaterError.isInstance(error) ? error.code : undefined;
}

export function tally(fates: readonly Fate[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const fate of fates) {
    const name = fate.kind === "error" ? `error ${fate.code}` : fate.kind;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
