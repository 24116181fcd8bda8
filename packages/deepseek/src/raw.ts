import type { Call, UpstreamError } from "@breakwater/core";

import type { ChatChunk, ChatCompletion, ChatRequest } from "./types.ts";

/** A request as it came in over HTTP. */
export interface Wire {
  /** The JSON text, which is sent on as it is: numbers are not written anew. */
  readonly body: string;
  /** Where it was addressed to, and with which headers; only for the upstream that stands for this address. */
  readonly url?: string;
  readonly headers?: Headers;
}

// Beside the objects rather than in them: what a caller copies, compares or serialises stays what the host sent.
const requests = new WeakMap<ChatRequest, Wire>();
const answers = new WeakMap<ChatChunk | ChatCompletion, string>();

export function rememberWire(request: ChatRequest, wire: Wire): void {
  requests.set(request, wire);
}

export function wireOf(request: ChatRequest): Wire | undefined {
  return requests.get(request);
}

/** The request as it came in, also where a policy has put another in its place: headers are still those. */
export function wireAround(call: Call<ChatRequest>): Wire | undefined {
  let wire = wireOf(call.request);
  for (let outer = call.parent; wire === undefined && outer !== undefined; outer = outer.parent) {
    wire = wireOf(outer.request as ChatRequest);
  }
  return wire;
}

export function rememberRaw(answer: ChatChunk | ChatCompletion, raw: string): void {
  answers.set(answer, raw);
}

/** The JSON text of an answer or a chunk, byte for byte as the host sent it where that is known. */
export function rawOf(answer: ChatChunk | ChatCompletion): string {
  return answers.get(answer) ?? JSON.stringify(answer);
}

/** A deep copy that is written out the same. */
export function copyOf<T extends ChatChunk | ChatCompletion>(answer: T): T {
  const raw = answers.get(answer);
  if (raw === undefined) return structuredClone(answer);
  const copy = JSON.parse(raw) as T;
  answers.set(copy, raw);
  return copy;
}

/** An error answer as the host sent it. */
export interface ErrorAnswer {
  readonly status: number;
  readonly contentType: string | null;
  readonly text: string;
}

const errors = new WeakMap<UpstreamError, ErrorAnswer>();

export function rememberErrorAnswer(error: UpstreamError, answer: ErrorAnswer): void {
  errors.set(error, answer);
}

export function errorAnswerOf(error: UpstreamError): ErrorAnswer | undefined {
  return errors.get(error);
}
