import type { Model } from "../models.ts";
import { fimLimit } from "../text/lengths.ts";
import { badRequest, contextExceeded, reasoningMissing, type ErrorReply } from "../wire/errors.ts";
import { isObject, type Json } from "./shape.ts";
import { isThinking, type ChatMessage, type ChatRequest, type FimRequest } from "./types.ts";

/** What deserialises, but cannot be served. */
export function parameterMistake(
  request: ChatRequest | FimRequest,
  model: Model,
  prompt: number,
  beta: boolean,
): ErrorReply | undefined {
  const isFim = "prompt" in request;
  if (!isFim && request.messages.length === 0) return badRequest("Empty input messages");
  const limit = isFim ? fimLimit : model.maxOutputTokens;
  const wanted = request.max_tokens;
  if (wanted != null && (!Number.isInteger(wanted) || wanted < 1 || wanted > limit)) {
    return badRequest(`Invalid max_tokens value, the valid range of max_tokens is [1, ${limit}]`);
  }
  const mistake =
    commonMistake(request as unknown as Json) ?? (isFim ? undefined : chatMistake(request, beta));
  if (mistake !== undefined) return typeof mistake === "string" ? badRequest(mistake) : mistake;
  const completion = wanted ?? 0;
  if (prompt + completion > model.contextWindow)
    return contextExceeded(model.contextWindow, prompt, completion);
  return undefined;
}

function commonMistake(request: Json): string | undefined {
  const { temperature, stop, user_id: user } = request;
  if (temperature != null && (typeof temperature !== "number" || temperature < 0 || temperature > 2)) {
    return "Invalid temperature value, the valid range of temperature is [0, 2]";
  }
  if (Array.isArray(stop) && stop.length > 16)
    return "Invalid stop value, at most 16 sequences are supported";
  if (typeof user === "string" && !/^[\w-]{1,512}$/.test(user)) {
    return "Invalid user_id value, it must match [A-Za-z0-9_-]{1,512}";
  }
  return undefined;
}

function chatMistake(request: ChatRequest, beta: boolean): ErrorReply | string | undefined {
  const tools = toolMistake(request, beta);
  if (tools !== undefined) return tools;
  if (isThinking(request) && lacksReasoning(request.messages)) return reasoningMissing();
  const prefixed = request.messages.findIndex((message) => message.prefix === true);
  if (prefixed < 0) return undefined;
  if (!beta) return "The `prefix` parameter is only supported on the beta base URL.";
  if (prefixed < request.messages.length - 1 || request.messages[prefixed]?.role !== "assistant") {
    return "The `prefix` parameter is only supported on the last message, with the role `assistant`.";
  }
  return undefined;
}

function toolMistake(request: ChatRequest, beta: boolean): string | undefined {
  const functions = (request.tools ?? []).map((tool) => tool.function);
  if (functions.length > 128) return "Invalid tools: at most 128 functions are supported";
  const strict = functions.filter((called) => called.strict === true).length;
  // Elsewhere the field means nothing.
  if (beta && strict > 0 && strict < functions.length)
    return "Invalid tools: `strict` must be set for all functions or for none";
  const choice = request.tool_choice;
  if (choice !== "required" && !isObject(choice)) return undefined;
  if (isThinking(request)) {
    return "The `tool_choice` of `required` or a named function is not supported in the thinking mode.";
  }
  if (choice === "required") {
    return functions.length === 0
      ? "Invalid tool_choice: it is only allowed when tools are specified"
      : undefined;
  }
  const name: unknown = isObject(choice["function"]) ? choice["function"]["name"] : undefined;
  return functions.some((called) => called.name === name)
    ? undefined
    : "Invalid tool_choice: it names a function that is not in tools";
}

/** A tool turn goes on: since the last user message, each assistant message with tool calls must bring its reasoning back. */
function lacksReasoning(messages: readonly ChatMessage[]): boolean {
  const turn = messages.slice(messages.findLastIndex((message) => message.role === "user") + 1);
  return turn.some(
    (message) => message.role === "assistant" && message.tool_calls?.length && !message.reasoning_content,
  );
}
