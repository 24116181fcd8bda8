import type { ChatRequest } from "@breakwater/deepseek";
import type { RequestHandler } from "express";

/** One question as every column gets it. */
export interface Question {
  /** Goes to DeepSeek as `user_id`, from which the simulator draws its faults: the same call has the same luck. */
  readonly id: string;
  readonly prompt: string;
}

/** What a user is told when there is no answer. */
export interface Complaint {
  /** Refused by the column itself, which did not ask DeepSeek; else DeepSeek, or a clock, ended it. */
  readonly refused: boolean;
  readonly kind: string;
}

/** Where DeepSeek is, and how it lets us in. */
export interface HostAddress {
  readonly url: string;
  readonly key: string;
}

/** One way to ask DeepSeek. All columns are served by the same Express routes; only this differs. */
export interface Column {
  /** The answer, piece by piece. `signal` is aborted when the browser leaves. */
  ask(question: Question, signal: AbortSignal): AsyncIterable<string>;
  complain(error: unknown): Complaint;
  /** What it puts in front of the routes. */
  readonly use?: readonly RequestHandler[];
}

const MODEL = "deepseek-v4-pro";

/** The body of the request, the same for all. */
export function bodyOf({ id, prompt }: Question): ChatRequest & { readonly model: string } {
  return {
    model: MODEL,
    messages: [
      { role: "system", content: "You are a helpful assistant." },
      { role: "user", content: prompt },
    ],
    thinking: { type: "disabled" },
    user_id: id,
  };
}
