import type { Model } from "../models.ts";
import {
  badRequest,
  contextExceeded,
  modelNotExist,
  reasoningMissing,
  unparsable,
  wrongShape,
  type ErrorReply,
} from "../wire/errors.ts";
import { promptTokens } from "./prompt-tokens.ts";
import { isThinking, type ChatMessage, type ChatRequest } from "./types.ts";

/** A request that passed every check. */
export interface ParsedRequest {
  readonly request: ChatRequest;
  readonly model: Model;
  readonly promptTokens: number;
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const roles = ["system", "user", "assistant", "tool"];

/** Checks a body in the order of the API: JSON, model, parameters. Returns the error that the API would answer. */
export function parseRequest(
  body: string,
  models: ReadonlyMap<string, Model>,
  beta: boolean,
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
  const shape = shapeMistake(value);
  if (shape !== undefined) return { error: wrongShape(shape) };

  const request = value as unknown as ChatRequest;
  const model = models.get(request.model);
  if (model === undefined) return { error: modelNotExist() };
  const prompt = promptTokens(request);
  const error = parameterMistake(request, model, prompt, beta);
  return error === undefined ? { request, model, promptTokens: prompt } : { error };
}

/** What would not deserialise at all. */
function shapeMistake(body: Json): string | undefined {
  if (body["model"] === undefined) return "missing field `model`";
  if (typeof body["model"] !== "string") return "model: invalid type, expected a string";
  const messages = body["messages"];
  if (messages === undefined) return "missing field `messages`";
  if (!Array.isArray(messages)) return "messages: invalid type, expected a sequence";
  for (const [index, message] of messages.entries()) {
    const mistake = messageMistake(message);
    if (mistake !== undefined) return `messages[${index}]${mistake}`;
  }
  if (!isAbsentOr(body["stream"], "boolean")) return "stream: invalid type, expected a boolean";
  if (!isAbsentOr(body["max_tokens"], "number")) return "max_tokens: invalid type, expected u32";
  if (!isAbsentOr(body["user_id"], "string")) return "user_id: invalid type, expected a string";
  const thinking = body["thinking"] ?? { type: "enabled" };
  if (!isObject(thinking) || (thinking["type"] !== "enabled" && thinking["type"] !== "disabled")) {
    return "thinking.type: unknown variant, expected `enabled` or `disabled`";
  }
  if (body["tools"] != null && !Array.isArray(body["tools"]))
    return "tools: invalid type, expected a sequence";
  return undefined;
}

function messageMistake(message: unknown): string | undefined {
  if (!isObject(message)) return ": invalid type, expected a message";
  const { role, content } = message;
  if (typeof role !== "string") return ": missing field `role`";
  if (!roles.includes(role)) {
    return `.role: unknown variant \`${role}\`, expected one of \`system\`, \`user\`, \`assistant\`, \`tool\``;
  }
  if (content != null && typeof content !== "string" && !Array.isArray(content)) {
    return ".content: invalid type, expected a string";
  }
  if (!isAbsentOr(message["reasoning_content"], "string")) {
    return ".reasoning_content: invalid type, expected a string";
  }
  if (!isAbsentOr(message["prefix"], "boolean")) return ".prefix: invalid type, expected a boolean";
  if (message["tool_calls"] != null && !Array.isArray(message["tool_calls"])) {
    return ".tool_calls: invalid type, expected a sequence";
  }
  if (content == null && role !== "assistant") return ": missing field `content`";
  return undefined;
}

const isAbsentOr = (value: unknown, type: string): boolean => value == null || typeof value === type;

/** What deserialises, but cannot be served. */
function parameterMistake(
  request: ChatRequest,
  model: Model,
  prompt: number,
  beta: boolean,
): ErrorReply | undefined {
  if (request.messages.length === 0) return badRequest("Empty input messages");
  const limit = model.maxOutputTokens;
  const wanted = request.max_tokens;
  if (wanted != null && (!Number.isInteger(wanted) || wanted < 1 || wanted > limit)) {
    return badRequest(`Invalid max_tokens value, the valid range of max_tokens is [1, ${limit}]`);
  }
  const temperature = (request as unknown as Json)["temperature"];
  if (temperature != null && (typeof temperature !== "number" || temperature < 0 || temperature > 2)) {
    return badRequest("Invalid temperature value, the valid range of temperature is [0, 2]");
  }
  if ((request.tools?.length ?? 0) > 128)
    return badRequest("Invalid tools: at most 128 functions are supported");
  if (isThinking(request)) {
    const choice = request.tool_choice;
    if (choice === "required" || isObject(choice)) {
      return badRequest(
        "The `tool_choice` of `required` or a named function is not supported in the thinking mode.",
      );
    }
    if (lacksReasoning(request.messages)) return reasoningMissing();
  }
  const prefixed = request.messages.findIndex((message) => message.prefix === true);
  if (prefixed >= 0) {
    if (!beta) return badRequest("The `prefix` parameter is only supported on the beta base URL.");
    if (prefixed < request.messages.length - 1 || request.messages[prefixed]?.role !== "assistant") {
      return badRequest(
        "The `prefix` parameter is only supported on the last message, with the role `assistant`.",
      );
    }
  }
  const completion = wanted ?? 0;
  if (prompt + completion > model.contextWindow)
    return contextExceeded(model.contextWindow, prompt, completion);
  return undefined;
}

/** A tool turn goes on: since the last user message, each assistant message with tool calls must bring its reasoning back. */
function lacksReasoning(messages: readonly ChatMessage[]): boolean {
  const turn = messages.slice(messages.findLastIndex((message) => message.role === "user") + 1);
  return turn.some(
    (message) => message.role === "assistant" && message.tool_calls?.length && !message.reasoning_content,
  );
}
