import type { Call } from "@breakwater/core";

import type { ChatRequest } from "./types.ts";

/** @internal Travels with the upstream's traits, through clients of clients. */
export const MODEL_OF: unique symbol = Symbol.for("breakwater.deepseek.model-of");

/** What an upstream knows of the model that a request means. */
export interface KnowsModel {
  readonly [MODEL_OF]: (request: ChatRequest) => string;
}

/**
 * The model that a call is about, also where its request names none: who names DeepSeek's default and who leaves it to be
 * that are held back together, and an operator finds them under one key.
 */
export function modelOf(request: ChatRequest, call: Call<ChatRequest>): string {
  const traits = call.host.traits as Partial<KnowsModel> | undefined;
  return traits?.[MODEL_OF]?.(request) ?? request.model ?? "";
}
