import type { BreakwaterMiddleware } from "@breakwater/deepseek/ai-sdk";

/** Whom an SDK asks, and with what. */
export interface Connection {
  /** Of the simulator. */
  readonly url: string;
  readonly key: string;
  readonly fetch: typeof fetch;
  /** The SDK's own retries; left out, those that it makes when nobody says anything. */
  readonly maxRetries?: number | undefined;
  /** Stands around the model, where Breakwater does not stand in `fetch`. */
  readonly middleware?: BreakwaterMiddleware | undefined;
  /** The SDK's own time limit in ms, where it has one. */
  readonly timeoutMs?: number | undefined;
  /** For the simulator: `x-sim-fault`, `x-sim-answer`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** What is asked; each SDK puts it into words of its own. */
export interface Question {
  readonly prompt: string;
  readonly thinking?: boolean;
}

/** What a caller of an SDK was given, as far as the SDK shows it. */
export interface Received {
  readonly content: string;
  readonly reasoning: string;
  /** Why the answer ended, in DeepSeek's words or the SDK's own. */
  readonly finish: string | undefined;
}

export interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called at every piece of the text of a streamed answer; true leaves the loop. */
  readonly onPiece?: (() => boolean) | undefined;
}

/** What came of a question for which the model called a tool, which told it the weather. */
export interface ToolsReceived {
  readonly calls: readonly { readonly name: string; readonly input: unknown }[];
  readonly final: Received;
}

/** One SDK behind a face that all of them have, so that the same cases run over each. */
export interface Sdk {
  readonly name: string;
  /** The oldest line of Node that it is made for. */
  readonly node: number;
  /** Where Breakwater stands: in the `fetch` that the SDK is given, or around a model of the AI SDK. */
  readonly through: "fetch" | "middleware";
  /** How `deepseekFetch` tells it of a failure when nobody says anything else. */
  readonly errorMode: "response" | "throw";
  /** Whether it leaves a stream without a word to whoever sends it. */
  readonly leavesQuietly: boolean;
  /** Whether it stops asking when it is told that asking again is of no use; else `maxRetries: 0` must be set. */
  readonly obeys: boolean;
  /** A whole answer. */
  ask(connection: Connection, question: Question, options?: AskOptions): Promise<Received>;
  /** A streamed one, read to its end unless `onPiece` leaves. */
  stream(connection: Connection, question: Question, options?: AskOptions): Promise<Received>;
  /** A conversation with the tool `weather`: the model calls it, is told, and answers. */
  tools(connection: Connection, question: Question): Promise<ToolsReceived>;
  /** Our code of a failure, where the SDK leaves it: `CIRCUIT_OPEN`, `STREAM_TRUNCATED`. */
  codeOf(error: unknown): string | undefined;
  /** The HTTP status of a failure, where there was one. */
  statusOf(error: unknown): number | undefined;
}

/** The tool that all of them are given. */
export const WEATHER = {
  name: "weather",
  description: "The weather of a city.",
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
  },
  says: "Rain, 12 degrees.",
} as const;

export const MODEL = "deepseek-flash";
