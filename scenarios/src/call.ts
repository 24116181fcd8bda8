import { BreakwaterError, type Meta } from "@breakwater/core";
import type { ChatAnswer, ChatChunk, DeepSeek } from "@breakwater/deepseek";
import type { Simulator, Verdict } from "@breakwater/simulator";

import type { Arrival } from "./arrivals.ts";

/** What came of one call, as its caller saw it. Times are virtual milliseconds since the scenario began. */
export interface CallRecord {
  readonly arrival: Arrival;
  readonly endedAt: number;
  /** When the first token reached the caller; of a whole answer, when that did. */
  readonly firstTokenAt: number | undefined;
  /** How much of the right text he has. `wrong` is never right. */
  readonly text: Verdict;
  /** The code of the error that he was told; undefined when it looked like success. */
  readonly error: string | undefined;
  readonly meta: Meta;
}

/** Of a message or a delta. */
interface Part {
  readonly content?: string | null;
  readonly reasoning_content?: string | null;
  /** What OpenRouter calls it. */
  readonly reasoning?: string | null;
}

/** Makes one call and reads its answer to the end. Never throws. */
export async function makeCall(
  arrival: Arrival,
  deepseek: DeepSeek,
  judge: Simulator,
  now: () => number,
): Promise<CallRecord> {
  const { request } = arrival;
  const text = { content: "", reasoning: "" };
  const add = (part: Part | undefined): void => {
    text.content += part?.content ?? "";
    text.reasoning += part?.reasoning_content ?? part?.reasoning ?? "";
  };
  let firstTokenAt: number | undefined;
  const outcome = await deepseek.client.outcome(request);
  const record = (error: string | undefined): CallRecord => ({
    arrival,
    endedAt: now(),
    firstTokenAt,
    text: judge.verifyText(request, text),
    error,
    meta: outcome.meta,
  });
  if (outcome.status === "refused") return record(outcome.refusal.code);
  if (outcome.status === "cancelled") return record("CANCELLED");
  if (outcome.status === "failed") return record(codeOf(outcome.error));

  firstTokenAt = now();
  const { value } = outcome;
  if (!isStream(value)) {
    add(value.choices[0]?.message);
    return record(undefined);
  }
  try {
    for await (const { choices } of value) {
      add(choices[0]?.delta);
    }
    return record(undefined);
  } catch (error) {
    return record(codeOf(error));
  }
}

function isStream(answer: ChatAnswer): answer is AsyncIterable<ChatChunk> & ChatAnswer {
  return Symbol.asyncIterator in answer;
}

function codeOf(error: unknown): string {
  return BreakwaterError.isInstance(error) ? error.code : String(error);
}
