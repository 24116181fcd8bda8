import type { Model } from "../models.ts";
import { modelNotExist, unparsable, wrongShape, type ErrorReply } from "../wire/errors.ts";
import { parameterMistake } from "./parameters.ts";
import { promptTokens } from "./prompt-tokens.ts";
import { chatShapeMistake, fimShapeMistake, isObject } from "./shape.ts";
import type { ChatRequest, FimRequest } from "./types.ts";

/** A request that passed every check. */
export interface ParsedRequest {
  readonly request: ChatRequest | FimRequest;
  readonly model: Model;
  readonly promptTokens: number;
}

/** Which of the two kinds of requests belongs here, and whether beta features do. */
export interface RequestPlace {
  readonly fim: boolean;
  readonly beta: boolean;
}

/** Checks a body in the order of the API: JSON, model, parameters. Returns the error that the API would answer. */
export function parseRequest(
  body: string,
  models: ReadonlyMap<string, Model>,
  place: RequestPlace,
): ParsedRequest | { error: ErrorReply } {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    const reason =
      body.trim() === "" ? "EOF while parsing a value at line 1 column 0" : (error as Error).message;
    return { error: unparsable(reason) };
  }
  if (!isObject(value)) return { error: wrongShape("expected a JSON object at line 1 column 1") };
  const shape = place.fim ? fimShapeMistake(value) : chatShapeMistake(value);
  if (shape !== undefined) return { error: wrongShape(shape) };

  // A field of the other kind means nothing here, and must not make the other kind of it.
  if (!place.fim) delete value["prompt"];
  const request = value as unknown as ChatRequest | FimRequest;
  const model = models.get(request.model);
  if (model === undefined) return { error: modelNotExist() };
  const prompt = promptTokens(request);
  const error = parameterMistake(request, model, prompt, place.beta);
  return error === undefined ? { request, model, promptTokens: prompt } : { error };
}
