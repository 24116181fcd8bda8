import type { Run } from "./assemble.ts";
import { isRecord } from "./error-body.ts";
import { type FimCompletion, fimPieces, isFimAnswer } from "./fim.ts";
import { lengthsOf, pieceOf } from "./text-pieces.ts";
import type { ChatChunk, ChatCompletion } from "./types.ts";

type Members = Record<string, unknown>;
type Choice = ChatCompletion["choices"][number] & Members;

/**
 * Takes a whole answer apart to what DeepSeek would have streamed: a chunk with the role, the texts, a chunk with the
 * reason and the usage. `cuts`: in the pieces in which it came, if it came as a stream.
 */
export function piecesOf(whole: ChatCompletion, cuts: unknown, includeUsage: boolean): Iterable<ChatChunk> {
  return isFimAnswer(whole)
    ? (fimPieces(
        whole as unknown as FimCompletion,
        cuts,
        includeUsage,
      ) as Iterable<unknown> as Iterable<ChatChunk>)
    : chatPieces(whole, cuts as readonly Run[] | undefined, includeUsage);
}

function* chatPieces(
  whole: ChatCompletion,
  runs: readonly Run[] | undefined,
  includeUsage: boolean,
): Iterable<ChatChunk> {
  const { id, created, model, choices, usage, system_fingerprint, object: _, ...rest } = whole;
  const head = {
    id,
    object: "chat.completion.chunk",
    created,
    model,
    ...(system_fingerprint !== undefined && { system_fingerprint }),
    ...structuredClone(rest),
  } as const;
  const chunk = (choice: Members): ChatChunk => ({
    ...head,
    choices: [choice as unknown as ChatChunk["choices"][number]],
    ...(includeUsage && { usage: null }),
  });

  const parts = new Map(choices.map((choice) => [choice.index, takeApart(choice)]));
  for (const part of parts.values()) yield chunk(part.opening());
  for (const run of runs ?? choices.flatMap(runsOf)) {
    for (const piece of parts.get(run.choice)?.pieces(run) ?? []) yield chunk(piece);
  }
  const last = choices.at(-1)?.index;
  for (const [index, part] of parts) {
    const closing = chunk(part.closing());
    // There is no usage before the end, and no end without it, whether or not it was asked for.
    yield index === last && usage !== undefined ? { ...closing, usage: structuredClone(usage) } : closing;
  }
}

function takeApart({ index, message, logprobs, finish_reason, ...rest }: Choice) {
  const { role, content, reasoning_content: reasoning, tool_calls: tools = [] } = message;
  const thinking = typeof reasoning === "string";
  /** How much of each text, and of each list of log probabilities, is given out. */
  const given = new Map<string | number, number>();
  const likely: Members = isRecord(logprobs) ? logprobs : {};

  function take<T extends string | unknown[]>(name: string | number, from: T, length: number): T {
    const at = given.get(name) ?? 0;
    given.set(name, at + length);
    return (typeof from === "string" ? pieceOf(from, at, at + length) : from.slice(at, at + length)) as T;
  }

  function logprobsOf(field: string | number, count: number): unknown {
    const list = likely[field];
    if (count === 0 || !Array.isArray(list)) return null;
    const entries = take(`logprobs.${field}`, list as unknown[], count);
    return { ...nulls(likely), [field]: structuredClone(entries) };
  }

  function leftLogprobs(): unknown {
    const left = Object.entries(likely).flatMap(([name, list]) => {
      const later = Array.isArray(list) ? list.slice(given.get(`logprobs.${name}`) ?? 0) : [];
      return later.length > 0 ? [[name, structuredClone(later)] as const] : [];
    });
    return left.length > 0 ? { ...nulls(likely), ...Object.fromEntries(left) } : null;
  }

  const choice = (delta: Members, odds: unknown): Members => ({
    index,
    delta,
    logprobs: odds,
    finish_reason: null,
  });

  function toolDelta(at: number, length: number): Members | undefined {
    const tool = tools.find((one, place) => indexOf(one, place) === at);
    if (tool === undefined) return undefined;
    const opens = !given.has(at);
    const { function: called, ...named } = tool;
    const args = take(at, called.arguments, length);
    if (!opens) return { tool_calls: [{ index: at, function: { arguments: args } }] };
    return {
      tool_calls: [{ index: at, ...structuredClone({ ...named, function: { ...called, arguments: args } }) }],
    };
  }

  function textDelta(field: string, text: string): Members {
    if (field === "content") return { content: text, ...(thinking && { reasoning_content: null }) };
    return field === "reasoning_content" ? { content: null, reasoning_content: text } : { [field]: text };
  }

  return {
    opening(): Members {
      const odd = Object.entries(message).filter(
        ([name, value]) => name !== "tool_calls" && typeof value === "object",
      );
      const quiet = content === null || thinking ? null : "";
      return choice(
        {
          role,
          ...structuredClone(Object.fromEntries(odd)),
          content: quiet,
          ...(thinking && { reasoning_content: "" }),
        },
        null,
      );
    },
    *pieces({ field, lengths, logprobs: counts }: Run): Iterable<Members> {
      for (const [nth, length] of lengths.entries()) {
        if (typeof field === "number") {
          const delta = toolDelta(field, length);
          if (delta !== undefined) yield choice(delta, null);
          continue;
        }
        const text = (message as Members)[field];
        const piece = typeof text === "string" ? take(field, text, length) : "";
        if (piece !== "") yield choice(textDelta(field, piece), logprobsOf(field, counts?.[nth] ?? 0));
      }
    },
    closing(): Members {
      const delta = {
        ...(content !== null && { content: "" }),
        ...(thinking && { reasoning_content: null }),
      };
      return { ...choice(delta, leftLogprobs()), finish_reason, ...structuredClone(rest) };
    },
  };
}

/** For an answer that came whole: the reasoning, what else there is of text, the content, the tool calls. */
function runsOf({ index: choice, message }: ChatCompletion["choices"][number]): Run[] {
  const texts = Object.entries(message).filter(([name, text]) => name !== "role" && typeof text === "string");
  const runs: Run[] = texts
    .toSorted(([a], [b]) => Number(a === "content") - Number(b === "content"))
    .map(([field, text]) => ({ choice, field, lengths: lengthsOf(text as string) }));
  for (const [place, tool] of (message.tool_calls ?? []).entries()) {
    const lengths = [0, ...lengthsOf(tool.function.arguments)];
    runs.push({ choice, field: indexOf(tool, place), lengths });
  }
  return runs;
}

function indexOf(tool: object, place: number): number {
  const { index } = tool as { readonly index?: unknown };
  return typeof index === "number" ? index : place;
}

function nulls(members: Members): Members {
  return Object.fromEntries(Object.keys(members).map((name) => [name, null]));
}
