/** What a reader made of an answer, in whatever words it came. */
export interface Decoded {
  content: string;
  reasoning: string;
  toolCalls: { id: string; name: string; arguments: string }[];
  finish: string | null;
  usage: Record<string, unknown> | undefined;
  done: boolean;
  /** Chunks with some text or some piece of a call. */
  chunks: number;
  error: unknown;
}

/** The parser that everybody writes first: lines that start with `data:`. */
export function naiveParser(body: string): string[] {
  return body
    .split(/\r?\n/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice("data:".length).trim());
}

/**
 * The event stream of the HTML standard, fed with bytes in any pieces. Stricter in one thing: a line that is neither
 * blank, nor a comment, nor `data` is an error, because no host sends others.
 */
export function strictParser(pieces: Iterable<Uint8Array>): string[] {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const events: string[] = [];
  let rest = "";
  let data: string[] = [];
  const line = (text: string): void => {
    if (text === "") {
      if (data.length > 0) events.push(data.join("\n"));
      data = [];
    } else if (text.startsWith("data:")) data.push(text.slice(text.startsWith("data: ") ? 6 : 5));
    else if (!text.startsWith(":")) throw new Error(`No such field: ${text}`);
  };
  for (const piece of pieces) {
    rest += decoder.decode(piece, { stream: true });
    // A CR at the end may be half of a CRLF.
    for (let end = /\r\n|\n|\r(?!$)/.exec(rest); end !== null; end = /\r\n|\n|\r(?!$)/.exec(rest)) {
      line(rest.slice(0, end.index));
      rest = rest.slice(end.index + end[0].length);
    }
  }
  if (rest !== "" || data.length > 0) throw new Error(`An event without an end: ${rest}`);
  return events;
}

interface Delta {
  content?: string | null;
  reasoning_content?: string | null;
  reasoning?: string | null;
  tool_calls?: { index: number; id?: string; function: { name?: string; arguments: string } }[];
}

interface Chunk {
  choices?: { delta?: Delta; message?: Delta; text?: string; finish_reason: string | null }[];
  usage?: Record<string, unknown> | null;
  error?: unknown;
}

/** Puts the data of events, or one body, together again. */
export function assemble(data: readonly string[]): Decoded {
  const result: Decoded = {
    content: "",
    reasoning: "",
    toolCalls: [],
    finish: null,
    usage: undefined,
    done: false,
    chunks: 0,
    error: undefined,
  };
  for (const text of data) {
    if (result.done) throw new Error("Something behind [DONE]");
    if (text === "[DONE]") result.done = true;
    else take(result, JSON.parse(text) as Chunk);
  }
  return result;
}

function take(result: Decoded, { choices = [], usage, error }: Chunk): void {
  result.usage = usage ?? result.usage;
  result.error = error ?? result.error;
  for (const choice of choices) {
    const part: Delta = choice.delta ?? choice.message ?? { content: choice.text ?? null };
    const reasoning = part.reasoning_content ?? part.reasoning ?? "";
    result.content += part.content ?? "";
    result.reasoning += reasoning;
    if (part.content || reasoning !== "" || part.tool_calls) result.chunks += 1;
    for (const { index, id, function: called } of part.tool_calls ?? []) {
      result.toolCalls[index] ??= { id: id ?? "", name: called.name ?? "", arguments: "" };
      result.toolCalls[index].arguments += called.arguments;
    }
    result.finish = choice.finish_reason ?? result.finish;
  }
}
