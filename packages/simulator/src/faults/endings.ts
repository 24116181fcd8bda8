import type { Answer } from "../text/answer.ts";
import type { FinishReason } from "../wire/completion.ts";
import type { FaultDefinition, FaultTable } from "./fault.ts";

/** The usual end of a stream or a body, after `tokens` tokens and with another reason than it deserves. */
function endsWith(reason: FinishReason, tokens: number): FaultDefinition {
  return {
    phase: "finish",
    summary: `finish_reason ${reason} after \`tokens\` tokens`,
    params: { tokens: { kind: "number", default: tokens } },
    plan: (given) => ({
      cut: { tokens: given.number("tokens"), strike: (hands) => hands.finish(reason) },
    }),
  };
}

/** An answer that is not the one that the request deserves, and is sent in perfect order. */
function answers(
  summary: string,
  finish: FinishReason,
  change: (answer: Answer) => Partial<Answer>,
): FaultDefinition {
  return {
    phase: "finish",
    summary,
    params: {},
    plan: () => ({ finish, answer: (answer) => ({ ...answer, ...change(answer) }) }),
  };
}

/** Answers that reach their end, and are wrong in it. */
export const endingFaults: FaultTable = {
  isr: endsWith("insufficient_system_resource", 0),
  aborted: endsWith("aborted", 5),
  content_filter: endsWith("content_filter", 5),
  no_done: {
    phase: "finish",
    summary: "a whole stream without [DONE]; no effect on a JSON request",
    params: {},
    plan: () => ({ omitDone: true }),
  },
  empty_content: answers("finish_reason stop with neither content nor reasoning", "stop", () => ({
    reasoningTokens: 0,
    contentTokens: 0,
    toolTokens: 0,
  })),
  reasoning_only: answers("finish_reason stop with reasoning and no content", "stop", () => ({
    contentTokens: 0,
    toolTokens: 0,
  })),
  length_no_content: answers(
    "finish_reason length with no content: all of max_tokens went into the reasoning",
    "length",
    ({ reasoningTokens, contentTokens }) => ({
      reasoningTokens: reasoningTokens === 0 ? 0 : reasoningTokens + contentTokens,
      contentTokens: 0,
      toolTokens: 0,
    }),
  ),
  json_whitespace: {
    phase: "finish",
    summary: "content of `n` tokens of white space, then finish_reason length: JSON mode that ran away",
    params: { n: { kind: "number", default: 200 } },
    plan: (params) => ({
      finish: "length",
      answer: (answer) => ({
        ...answer,
        contentTokens: params.number("n"),
        toolTokens: 0,
        content: (index) => (index % 8 === 0 ? "\n" : " "),
      }),
    }),
  },
};
