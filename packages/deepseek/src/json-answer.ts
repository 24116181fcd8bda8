import type { Call } from "@breakwater/core";

import { assembleAnswer } from "./assemble.ts";
import { hintOf, judgeFinish, partOf, progressOf, usageOf } from "./chunk.ts";
import { brokenFailure, errorFailure, type Failure, type FailureContext } from "./classify.ts";
import { embeddedFacts, isErrorBody, isRecord } from "./error-body.ts";
import { isFimAnswer } from "./fim.ts";
import { rememberRaw } from "./raw.ts";
import { readText } from "./read-text.ts";
import type { ChunkSource } from "./stream-source.ts";
import { generatedIn } from "./tokens/generated.ts";
import type { TokenMeter } from "./tokens/meter.ts";
import { transportFailure } from "./transport-failure.ts";
import type { ChatCompletion, ChatRequest } from "./types.ts";

export interface JsonRules {
  readonly maxAnswerBytes: number;
  readonly queueLimitMs: number;
}

/** Reads a whole answer. The blank lines that a call sees in the queue, and then nothing, are no answer. */
export async function readJsonAnswer(
  response: Response,
  call: Call<ChatRequest>,
  rules: JsonRules,
  context: FailureContext,
  meter: TokenMeter,
): Promise<ChatCompletion | Failure> {
  let text: string;
  try {
    const onBytes = (): void => call.mark("alive");
    const read = await readText(response.body, { maxBytes: rules.maxAnswerBytes, onBytes });
    if (read.cut) {
      return brokenFailure(
        "MALFORMED_RESPONSE",
        { ...context, spent: true },
        { detail: `more than ${rules.maxAnswerBytes} bytes` },
      );
    }
    text = read.text;
  } catch (error) {
    return transportFailure(error, context);
  }
  if (text.trim() === "") {
    const waited = call.runtime.now() - (call.dispatchedAt ?? call.runtime.now());
    const queued = text !== "" && waited >= 0.9 * rules.queueLimitMs;
    return brokenFailure(
      queued ? "QUEUE_TIMEOUT" : "EMPTY_BODY",
      queued ? { ...context, spent: false } : context,
      text === "" ? {} : { detail: "only keep-alives" },
    );
  }
  return judge(text, call, context, meter);
}

/**
 * Reads a whole answer that comes as a stream. Nobody is given anything of it before it is complete, so what breaks in
 * its middle can be tried again. Throws what the stream throws.
 */
export async function readStreamedAnswer(
  source: ChunkSource,
  call: Call<unknown>,
  { maxAnswerBytes }: Pick<JsonRules, "maxAnswerBytes">,
  context: FailureContext,
): Promise<ChatCompletion | Failure> {
  const assembly = assembleAnswer();
  for (;;) {
    const step = await source.next();
    if (step.done === true) break;
    assembly.add(step.value);
    if (assembly.bytes > maxAnswerBytes) {
      return brokenFailure(
        "MALFORMED_RESPONSE",
        { ...context, spent: true },
        { detail: `more than ${maxAnswerBytes} bytes` },
      );
    }
  }
  // Of this attempt, not of one before it that broke off.
  if (call.firstTokenAt !== undefined) call.meta.firstTokenMs = call.firstTokenAt - call.trip.startedAt;
  return assembly.finish().whole;
}

function judge(
  text: string,
  call: Call<ChatRequest>,
  context: FailureContext,
  meter: TokenMeter,
): ChatCompletion | Failure {
  const spent = { ...context, spent: true };
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    return brokenFailure("MALFORMED_RESPONSE", spent, { detail: "a body that is not JSON", cause });
  }
  if (isErrorBody(body)) return errorFailure(embeddedFacts(body), { ...context, body });
  const choices = isRecord(body) ? body["choices"] : undefined;
  if (!isRecord(body) || !Array.isArray(choices) || choices.length === 0) {
    return brokenFailure("MALFORMED_RESPONSE", spent, { detail: "an answer without choices" });
  }
  // Also of an answer that is none: its host counts it.
  const { meta } = call;
  const usage = usageOf(body["usage"]) ?? meter.estimate(call, generatedIn(body));
  if (usage !== undefined) meta.usage = call.usage = usage;
  for (const choice of choices as readonly unknown[]) {
    if (!isRecord(choice))
      return brokenFailure("MALFORMED_RESPONSE", spent, { detail: "a choice that is none" });
    const { finish_reason: reason } = choice;
    const why = typeof reason === "string" && reason !== "" ? reason : "stop";
    const judged = judgeFinish(why, isFimAnswer(body) || progressOf(partOf(choice)) !== undefined);
    if (judged === "interrupted") return brokenFailure("UPSTREAM_INTERRUPTED", spent, { detail: why });
    if (judged === "empty") return brokenFailure("EMPTY_RESPONSE", spent);
    const hint = hintOf(judged, why);
    if (hint !== undefined) call.host.events.emit({ type: "hint", message: hint }, call);
  }
  if (typeof body["model"] === "string") call.answeredBy(body["model"]);
  const answer = body as unknown as ChatCompletion;
  rememberRaw(answer, text);
  call.mark("token");
  return answer;
}
