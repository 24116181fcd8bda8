import { type Call, unwrap } from "@breakwater/core";

import { brokenFailure } from "../classify.ts";
import { contextOf, fail, failureOf, judgeFinish, type ModelFailure, usageOf } from "./judge.ts";
import type { FinishReason, ModelCall, ModelPart, ModelUsage } from "./model.ts";

/** Parts before the first that says something, at most; then the answer begins all the same. */
const MAX_WITHHELD = 1_000;

export interface PartSource extends AsyncIterator<ModelPart> {
  /** Reads up to the first piece of an answer, or to an end without one. What went wrong until then, if anything. */
  begin(): Promise<ModelFailure | undefined>;
  return(): Promise<IteratorResult<ModelPart>>;
}

/** Reads a streamed answer of a model: parts in, parts out, and an error instead of an ending that only looks like one. */
export function createPartSource(stream: ReadableStream<ModelPart>, call: Call<ModelCall>): PartSource {
  const reader = stream.getReader();
  const queue: ModelPart[] = [];
  let progress = false;
  let finished = false;
  let over = false;
  let phase: "reasoning" | "answering" | undefined;
  let failure: ModelFailure | undefined;

  function take(part: ModelPart & Readonly<Record<string, unknown>>): void {
    call.mark("alive");
    if (part.type === "error") {
      failure = failureOf(part["error"], call);
      return;
    }
    const next = phaseOf(part);
    if (next !== undefined) {
      progress = true;
      if (next !== phase) call.mark((phase = next));
      call.mark("token");
    }
    if (part.type === "finish") {
      const usage = usageOf(part["usage"] as ModelUsage | undefined);
      if (usage !== undefined) call.meta.usage = call.usage = usage;
      failure = judgeFinish(part["finishReason"] as FinishReason, progress, call);
      finished = failure === undefined;
      if (!finished) return;
    }
    queue.push(part);
  }

  async function readMore(): Promise<void> {
    try {
      const { done, value } = await reader.read();
      if (!done) take({ ...value });
      else {
        over = true;
        if (!finished) failure ??= brokenFailure("STREAM_TRUNCATED", contextOf(call));
      }
    } catch (error) {
      over = true;
      // After the finish part nothing can spoil the answer.
      if (!finished) failure = failureOf(error, call);
    }
    if (failure !== undefined) void stop();
  }

  async function stop(): Promise<void> {
    over = true;
    await reader.cancel().catch(() => undefined);
  }

  return {
    async begin() {
      while (!progress && !finished && !over && failure === undefined && queue.length < MAX_WITHHELD)
        await readMore();
      return progress ? undefined : failure;
    },
    async next() {
      while (queue.length === 0 && !over && failure === undefined) await readMore();
      const value = queue.shift();
      if (value !== undefined) return { done: false, value };
      if (failure !== undefined) unwrap(fail(failure, call));
      return { done: true, value: undefined };
    },
    async return() {
      await stop();
      return { done: true, value: undefined };
    },
  };
}

/** Whether a part says something of the answer, and what of it. */
function phaseOf({
  type,
  ...part
}: ModelPart & { readonly delta?: unknown }): "reasoning" | "answering" | undefined {
  if (type === "reasoning-delta") return part.delta === "" ? undefined : "reasoning";
  if (type === "text-delta") return part.delta === "" ? undefined : "answering";
  const answers = ["tool-input-start", "tool-input-delta", "tool-call", "tool-result", "file", "source"];
  return answers.includes(type) ? "answering" : undefined;
}
