import {
  ending,
  opened,
  usageOf,
  type AnswerHead,
  type ChunkWriter,
  type WholeAnswer,
  type WriterOptions,
} from "./completion.ts";
import type { Dialect } from "./dialects.ts";

/** Makes the chunks of a text that was filled in: they look like its JSON body, and there is none before the first token. */
export function createFimWriter(head: AnswerHead, options: WriterOptions): ChunkWriter {
  const before = opened({
    id: head.id,
    object: "text_completion",
    created: head.created,
    model: head.model,
  });
  const choice = (text: string, finish: string): string =>
    `{"text":${JSON.stringify(text)},"index":0,"logprobs":null,"finish_reason":${finish}}`;
  const content = (text: string): string =>
    `${before}${choice(text, "null")}]${options.includeUsage ? ',"usage":null' : ""}}\n\n`;
  return {
    role: () => "",
    reasoning: content,
    content,
    tool: () => "",
    finish: (reason, usage) => ending(before, choice("", `"${reason}"`), usage, options),
  };
}

/** The body of a text that was filled in and not streamed. */
export function fimBody(head: AnswerHead, answer: WholeAnswer, dialect: Dialect): string {
  return JSON.stringify({
    id: head.id,
    object: "text_completion",
    created: head.created,
    model: head.model,
    choices: [{ text: answer.content, index: 0, logprobs: null, finish_reason: answer.finish }],
    usage: usageOf(answer.usage, dialect),
  });
}
