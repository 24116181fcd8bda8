import type { AnswerShape } from "../faults/fault.ts";
import { isThinking } from "../request/types.ts";
import { finishOf } from "../text/answer.ts";
import { callsOf } from "../text/tool-calls.ts";
import {
  completionBody,
  createChunkWriter,
  event,
  type FinishReason,
  type Usage,
} from "../wire/completion.ts";
import type { ErrorFields } from "../wire/errors.ts";
import { createFimWriter, fimBody } from "../wire/fim.ts";
import { createGrouping } from "./grouping.ts";
import type { Order } from "./run.ts";

/** The bytes of one answer, token by token. A JSON answer has all of its bytes in `closing`. */
export interface Script {
  readonly tokens: number;
  readonly shape: AnswerShape;
  readonly finish: FinishReason;
  /** Tokens that wait for their chunk to become full. */
  readonly held: number;
  opening(): string;
  token(index: number): string;
  /** What is held, as a chunk that is not full. */
  drain(): string;
  usage(generated: number): Usage;
  closing(generated: number, reason: FinishReason, usage: Usage): string;
  /** As much of the JSON body as this share of the tokens stands for. */
  partialBody(generated: number): string;
  /** An error under status 200: an event, or a body. */
  error(fields: ErrorFields): string;
}

export function createScript(order: Order, streaming: boolean, cacheHitTokens: number): Script {
  const { answer, request, head, dialect } = order;
  const thinking = isThinking(request);
  const fim = "prompt" in request;
  const tools = answer.reasoningTokens + answer.contentTokens;
  const total = tools + answer.toolTokens;
  const finish = finishOf(answer);
  const writer = (fim ? createFimWriter : createChunkWriter)(head, {
    thinking,
    includeUsage: request.stream_options?.include_usage === true,
    dialect,
  });
  const grouping = createGrouping(writer, dialect.tokensPerChunk, order.groups);

  function usage(generated: number): Usage {
    const reasoning = Math.min(generated, answer.reasoningTokens);
    return {
      promptTokens: order.promptTokens,
      cacheHitTokens,
      contentTokens: generated - reasoning,
      ...(thinking ? { reasoningTokens: reasoning } : {}),
    };
  }

  function body(generated: number, reason: FinishReason, counted: Usage): string {
    let reasoning = "";
    let content = "";
    const called = [];
    for (let i = 0; i < generated; i++) {
      if (i < answer.reasoningTokens) reasoning += answer.reasoning(i);
      else if (i < tools) content += answer.content(i - answer.reasoningTokens);
      else called.push(answer.tool(i - tools));
    }
    const whole = {
      content,
      toolCalls: callsOf(called),
      finish: reason,
      usage: counted,
      ...(thinking ? { reasoning } : {}),
    };
    return (fim ? fimBody : completionBody)(head, whole, dialect);
  }

  return {
    tokens: total,
    shape: { reasoning: answer.reasoningTokens, content: answer.contentTokens, tools, total },
    finish,
    get held() {
      return grouping.held;
    },
    opening: () => (streaming ? writer.role() : ""),
    token(index) {
      if (!streaming) return "";
      if (index < answer.reasoningTokens) return grouping.add("reasoning", answer.reasoning(index));
      if (index < tools) return grouping.add("content", answer.content(index - answer.reasoningTokens));
      return grouping.drain() + writer.tool(answer.tool(index - tools));
    },
    drain: grouping.drain,
    usage,
    closing: (generated, reason, counted) =>
      streaming ? grouping.drain() + writer.finish(reason, counted) : body(generated, reason, counted),
    partialBody(generated) {
      const whole = body(total, finish, usage(total));
      return whole.slice(0, Math.floor((whole.length * generated) / Math.max(1, total)));
    },
    error(fields) {
      const said = dialect.errorEvent(fields, head);
      return streaming ? event(said) : JSON.stringify(said);
    },
  };
}
