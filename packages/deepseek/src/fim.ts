import type { Assembly } from "@breakwater/core";

import { isRecord } from "./error-body.ts";
import { lengthsOf, pieceOf } from "./text-pieces.ts";
import type { ChatRequest, ChatUsage, ModelId } from "./types.ts";

/**
 * What is to be filled in between `prompt` and `suffix` ("fill in the middle"), the body of `POST /beta/completions`,
 * sent as it is. No model thinks about it.
 */
export interface FimRequest {
  readonly prompt: string;
  readonly suffix?: string | null;
  /** @default the host's default model, `deepseek-flash` */
  readonly model?: ModelId;
  /** True for an answer in pieces. The methods `fim` and `fim.stream` set it. */
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean } | null;
  /** At most 4096, by DeepSeek. */
  readonly max_tokens?: number | null;
  readonly stop?: string | readonly string[] | null;
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly presence_penalty?: number | null;
  readonly frequency_penalty?: number | null;
  readonly echo?: boolean | null;
  readonly logprobs?: number | null;
  readonly user_id?: string | null;
  readonly metadata?: Readonly<Record<string, unknown>> | null;
}

export interface FimLogprobs {
  tokens?: string[];
  token_logprobs?: number[];
  top_logprobs?: Record<string, number>[];
  text_offset?: number[];
}

/** The whole text, or a piece of it: both look the same. */
interface FimText<Reason> {
  id: string;
  object: "text_completion";
  created: number;
  model: string;
  choices: { text: string; index: number; logprobs: FimLogprobs | null; finish_reason: Reason }[];
  system_fingerprint?: string;
}

export interface FimCompletion extends FimText<"stop" | "length" | "content_filter"> {
  usage?: ChatUsage;
}

/** One event of a streamed text. */
export interface FimChunk extends FimText<FimCompletion["choices"][number]["finish_reason"] | null> {
  usage?: ChatUsage | null;
}

/** @internal Whether it is a request of this kind that goes the way of the chats. */
export function isFim(request: ChatRequest | FimRequest): request is FimRequest {
  return "prompt" in request && !("messages" in request);
}

/** @internal */
export function isFimAnswer(answer: object): boolean {
  const { choices, object } = answer as { readonly choices?: unknown; readonly object?: unknown };
  if (object === "text_completion") return true;
  const first: unknown = Array.isArray(choices) ? choices[0] : undefined;
  return isRecord(first) && typeof first["text"] === "string";
}

/** @internal Puts a streamed text together. The cuts are the lengths of its pieces, by choice. */
export function assembleFim(): Assembly<FimCompletion, FimChunk> {
  const head: Record<string, unknown> = {};
  const choices = new Map<
    number,
    FimCompletion["choices"][number] & { logprobs: Record<string, unknown> | null }
  >();
  const lengths: (readonly [choice: number, length: number])[] = [];
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    add({ choices: pieces, ...rest }) {
      for (const [name, value] of Object.entries(rest))
        if (value !== null && (name === "usage" || head[name] === undefined)) head[name] = value;
      for (const { text = "", index = 0, logprobs, finish_reason: reason, ...odd } of pieces ?? []) {
        const whole = choices.get(index) ?? {
          text: "",
          index,
          logprobs: null,
          finish_reason: reason as "stop",
        };
        choices.set(index, whole);
        Object.assign(whole, odd);
        whole.text += text;
        if (reason !== null && reason !== undefined) whole.finish_reason = reason;
        if (isRecord(logprobs)) whole.logprobs = joined(whole.logprobs ?? {}, logprobs);
        if (text !== "") lengths.push([index, text.length]);
        bytes += 2 * text.length + 32 + (isRecord(logprobs) ? 2 * JSON.stringify(logprobs).length : 0);
      }
    },
    finish() {
      const { id, object, created, model, usage, ...rest } = head;
      const all = [...choices.values()].toSorted((a, b) => a.index - b.index);
      const whole = {
        id,
        object,
        created,
        model,
        choices: all,
        ...(usage !== undefined && { usage }),
        ...rest,
      };
      return { whole: whole as unknown as FimCompletion, cuts: lengths };
    },
  };
}

/** @internal Takes a whole text apart: in the pieces in which it came, or in pieces of 32 characters. */
export function* fimPieces(
  { choices, usage, ...head }: FimCompletion,
  cuts: unknown,
  includeUsage: boolean,
): Iterable<FimChunk> {
  const given = new Map<number, number>();
  const lengths =
    (cuts as readonly (readonly [number, number])[] | undefined) ??
    choices.flatMap(({ index, text }) => lengthsOf(text).map((length) => [index, length] as const));
  const chunk = (choice: FimChunk["choices"][number]): FimChunk => ({
    ...structuredClone(head),
    choices: [choice],
    ...(includeUsage && { usage: null }),
  });
  for (const [index, length] of lengths) {
    const { text = "" } = choices.find((choice) => choice.index === index) ?? {};
    const from = given.get(index) ?? 0;
    given.set(index, from + length);
    const piece = pieceOf(text, from, from + length);
    if (piece !== "") yield chunk({ text: piece, index, logprobs: null, finish_reason: null });
  }
  const last = choices.at(-1);
  for (const choice of choices) {
    const closing = chunk({ ...structuredClone(choice), text: "" });
    yield choice === last && usage !== undefined ? { ...closing, usage: structuredClone(usage) } : closing;
  }
}

function joined(before: Record<string, unknown>, more: Record<string, unknown>): Record<string, unknown> {
  for (const [name, list] of Object.entries(more)) {
    const known = before[name];
    if (!Array.isArray(list)) before[name] ??= list;
    else
      before[name] = Array.isArray(known)
        ? [...(known as unknown[]), ...(list as unknown[])]
        : [...(list as unknown[])];
  }
  return before;
}
