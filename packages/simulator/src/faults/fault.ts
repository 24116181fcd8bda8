import type { Answer } from "../text/answer.ts";
import type { FinishReason } from "../wire/completion.ts";
import type { ErrorFields, ErrorReply } from "../wire/errors.ts";
import type { ParamReader, ParamRules } from "./params.ts";

/** The hands of a fault that answers instead of the simulator: nothing else happens to the request. */
export interface Takeover {
  /** The request asked for a stream. */
  readonly streaming: boolean;
  readonly keepAliveMs: number;
  /** Sends an error, or any other complete answer. */
  reply(error: ErrorReply, headers?: Readonly<Record<string, string>>): void;
  /** Sends 200 and the headers of a healthy answer. */
  head(): void;
  /** Sends one keep-alive: a comment to a stream, a blank line to a JSON request. */
  keepAlive(): void;
  end(): void;
  reset(): void;
  /** Breaks the connection, and lets nobody connect for so long. */
  refuse(forMs: number): void;
  after(ms: number, run: () => void): void;
}

/** The hands of a fault that strikes while an answer is written. */
export interface Cut {
  readonly streaming: boolean;
  /**
   * Raw bytes: to a stream as they are. A JSON request has received nothing yet; it first gets the part of its body
   * that is already computed, unless `bare` is set.
   */
  write(bytes: string, bare?: boolean): void;
  /** The bytes of the token that is due; of a JSON answer, the part of its body that is already computed. */
  next(): string;
  /** An error under status 200 as the host says it: an event, or a body. */
  error(fields: ErrorFields): string;
  end(): void;
  /** Closes the connection (FIN) without the end of the body. */
  hangUp(): void;
  reset(): void;
  /** Keeps the connection open, silent or with keep-alives, for `ms` or for ever. */
  stall(options?: { ms?: number | undefined; keepAlive?: boolean }): void;
  /** Ends the answer as a healthy one would, but with this reason. */
  finish(reason: FinishReason): void;
  /** Goes on with the answer. `lose` drops the token that is due. */
  proceed(lose: boolean): void;
}

/** How long the parts of an answer are, in tokens. */
export interface AnswerShape {
  readonly reasoning: number;
  readonly content: number;
  /** Where the tokens of the tool calls begin; equal to the number of all tokens when there are none. */
  readonly tools: number;
  readonly total: number;
}

/**
 * Changes an answer on its way out. Called with each event of a stream (its blank line included, `index` from 0: the
 * role, then the tokens) or with the body of a JSON answer; what it returns is sent instead.
 */
export type Edit = (bytes: string, index: number) => string;

/** What a fault does to one request. Several fields may be set; none means a healthy answer. */
export interface Plan {
  /** At admission: answers instead of the simulator. */
  takeOver?: (hands: Takeover) => void;
  /** Nothing happens for so long: not even the headers are sent. */
  delayMs?: number;
  /** The connection is closed when the request is so old, wherever it stands then. */
  closeAt?: { ms: number; clean: boolean };
  /** Kept in a queue of its own for so long, with keep-alives. `Infinity`: until the client leaves. */
  holdMs?: number;
  /** Waits so much longer before the first token, after the headers. */
  slowStart?: { ms: number; keepAlive: boolean };
  /** Strikes when `tokens` tokens have been written (at the latest before the last one). */
  cut?: { tokens: number | ((shape: AnswerShape) => number); strike: (hands: Cut) => void };
  /** Another answer than the right one. */
  answer?: (answer: Answer) => Answer;
  /** Between any two tokens, instead of what the machine can do. */
  gapMs?: number;
  /** The model that the answer names. */
  model?: string;
  /** A stream says that it is JSON, and JSON that it is a stream. */
  wrongType?: boolean;
  /** Answers a stream request with a JSON body. */
  asJson?: boolean;
  /** Made for each request; `damaged` is to be called when the text is no longer the right one. */
  edit?: (hands: { tokens: number; damaged(): void }) => Edit;
  /** Cuts everything that is written into pieces of so many bytes; with `crlf` after changing the line ends. */
  fragment?: { bytes: number; crlf: boolean };
  /** The next request on the same connection is reset. */
  stale?: boolean;
  /** Ends with this instead of what the answer deserves. */
  finish?: FinishReason;
  /** Leaves `[DONE]` out. */
  omitDone?: boolean;
}

/** Where in the life of a request a fault strikes. */
export type FaultPhase = "connect" | "admission" | "queue" | "headers" | "stream" | "finish";

/** One entry of the fault table. */
export interface FaultDefinition {
  readonly phase: FaultPhase;
  /** One line for the documentation and `--help`. */
  readonly summary: string;
  readonly params: ParamRules;
  plan(params: ParamReader): Plan;
}

export type FaultTable = Readonly<Record<string, FaultDefinition>>;
