import { answered, type Call, type Outcome, relay, type Upstream } from "@breakwater/core";

import { fail, failureOf, judgeFinish, type ModelFailure, usageOf } from "./judge.ts";
import type { LanguageModel, ModelAnswer, ModelCall, ModelStream } from "./model.ts";
import { createPartSource } from "./part-source.ts";

/** What a model says of a streamed answer beside its parts: the request, the headers of the response. */
const besides = new WeakMap<object, object>();

export function besideStream(answer: ModelAnswer): object {
  return besides.get(answer) ?? {};
}

/**
 * A language model of the AI SDK as an upstream, for `fallback({ to: languageModelUpstream(another) })`.
 *
 * @param given the model; without one, that of each call
 */
export function languageModelUpstream(given?: LanguageModel): Upstream<ModelCall, ModelAnswer> {
  const traits = {
    ...(given !== undefined && { name: `${given.provider}/${given.modelId}` }),
    marks: ["dispatched", "headers", "alive", "token", "opaque", "reasoning", "answering"] as const,
  };
  const handler = (call: Call<ModelCall>): Promise<Outcome<ModelAnswer>> => {
    const model = given ?? call.request.model;
    call.sendTo(model.provider, model.modelId);
    return call.request.stream ? stream(model, call) : generate(model, call);
  };
  return Object.assign(handler, { traits });
}

async function generate(model: LanguageModel, call: Call<ModelCall>): Promise<Outcome<ModelAnswer>> {
  call.mark("dispatched");
  // A whole answer comes at once, after minutes: nothing can be concluded from its silence.
  call.mark("opaque");
  try {
    const result = await model.doGenerate({ ...call.request.params, abortSignal: call.signal });
    const usage = usageOf(result.usage);
    if (usage !== undefined) call.meta.usage = call.usage = usage;
    const failure = judgeFinish(result.finishReason, result.content.length > 0, call);
    return failure === undefined ? answered(result, call.meta) : fail(failure, call);
  } catch (error) {
    return call.aborted ? call.abortOutcome() : fail(failureOf(error, call), call);
  }
}

async function stream(model: LanguageModel, call: Call<ModelCall>): Promise<Outcome<ModelAnswer>> {
  call.mark("dispatched");
  let result: ModelStream;
  try {
    result = await model.doStream({ ...call.request.params, abortSignal: call.signal });
  } catch (error) {
    return call.aborted ? call.abortOutcome() : fail(failureOf(error, call), call);
  }
  call.mark("headers");
  const { stream: parts, ...beside } = result;
  const source = createPartSource(parts, call);
  // The signal tells the provider; one that does not listen is told here.
  const forget = call.onAbort(() => void source.return());
  const failure: ModelFailure | undefined = await source.begin();
  forget();
  if (call.aborted || failure !== undefined) {
    void source.return();
    return failure === undefined ? call.abortOutcome() : fail(failure, call);
  }
  // The source marks what it reads when it reads it.
  const { end, stream: answer } = relay(source, call, { progress: () => false });
  besides.set(answer, beside);
  return answered(answer, call.meta, end);
}
