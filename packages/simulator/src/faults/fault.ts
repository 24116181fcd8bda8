import type { FinishReason } from "../wire/completion.ts";
import type { ErrorReply } from "../wire/errors.ts";
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
  end(): void;
  reset(): void;
  /** Keeps the connection open and silent, for `ms` or for ever. */
  stall(ms?: number): void;
  /** Ends the answer as a healthy one would, but with this reason. */
  finish(reason: FinishReason): void;
  /** Goes on with the answer. `lose` drops the token that is due. */
  proceed(lose: boolean): void;
}

/** What a fault does to one request. Several fields may be set; none means a healthy answer. */
export interface Plan {
  /** At admission: answers instead of the simulator. */
  takeOver?: (hands: Takeover) => void;
  /** Kept in a queue of its own for so long, with keep-alives. `Infinity`: until the client leaves. */
  holdMs?: number;
  /** Waits so much longer before the first token, after the headers. */
  slowStart?: { ms: number; keepAlive: boolean };
  /** Strikes when `tokens` tokens have been written (at the latest before the last one). */
  cut?: { tokens: number; strike: (hands: Cut) => void };
  /** An answer without any token. */
  empty?: boolean;
  /** Ends with this instead of what the answer deserves. */
  finish?: FinishReason;
  /** Leaves `[DONE]` out. */
  omitDone?: boolean;
}

/** One entry of the fault table. */
export interface FaultDefinition {
  /** One line for the documentation and `--help`. */
  readonly summary: string;
  readonly params: ParamRules;
  plan(params: ParamReader): Plan;
}

export type FaultTable = Readonly<Record<string, FaultDefinition>>;
