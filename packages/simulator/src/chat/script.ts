import type { AnswerShape } from "../faults/fault.ts";
import { isThinking } from "../request/types.ts";
import { completionBody, createChunkWriter, type FinishReason, type Usage } from "../wire/completion.ts";
import type { Order } from "./run.ts";

/** The bytes of one answer, token by token. A JSON answer has all of its bytes in `closing`. */
export interface Script {
  readonly tokens: number;
  readonly shape: AnswerShape;
  readonly finish: FinishReason;
  opening(): string;
  token(index: number): string;
  usage(generated: number): Usage;
  closing(generated: number, reason: FinishReason, usage: Usage): string;
  /** As much of the JSON body as this share of the tokens stands for. */
  partialBody(generated: number): string;
}

export function createScript(order: Order, streaming: boolean): Script {
  const { answer, request, head } = order;
  const thinking = isThinking(request);
  const reasoningTokens = answer.reasoningTokens;
  const contentTokens = answer.contentTokens;
  const total = reasoningTokens + contentTokens;
  const finish: FinishReason = answer.cut ? "length" : "stop";
  const writer = createChunkWriter(head, {
    thinking,
    includeUsage: request.stream_options?.include_usage === true,
  });

  function usage(generated: number): Usage {
    const reasoning = Math.min(generated, reasoningTokens);
    return {
      promptTokens: order.promptTokens,
      cacheHitTokens: 0,
      contentTokens: generated - reasoning,
      ...(thinking ? { reasoningTokens: reasoning } : {}),
    };
  }

  function body(generated: number, reason: FinishReason, counted: Usage): string {
    let reasoning = "";
    let content = "";
    for (let i = 0; i < generated; i++) {
      if (i < reasoningTokens) reasoning += answer.reasoning(i);
      else content += answer.content(i - reasoningTokens);
    }
    return completionBody(head, {
      content,
      finish: reason,
      usage: counted,
      ...(thinking ? { reasoning } : {}),
    });
  }

  return {
    tokens: total,
    shape: { reasoning: reasoningTokens, content: contentTokens, tools: total, total },
    finish,
    opening: () => (streaming ? writer.role() : ""),
    token(index) {
      if (!streaming) return "";
      if (index < reasoningTokens) return writer.reasoning(answer.reasoning(index));
      return writer.content(answer.content(index - reasoningTokens));
    },
    usage,
    closing: (generated, reason, counted) =>
      streaming ? writer.finish(reason, counted) : body(generated, reason, counted),
    partialBody(generated) {
      const whole = body(total, finish, usage(total));
      return whole.slice(0, Math.floor((whole.length * generated) / Math.max(1, total)));
    },
  };
}
