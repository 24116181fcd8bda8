/** An object as it came. */
export type Json = Record<string, unknown>;

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isAbsentOr = (value: unknown, type: string): boolean => value == null || typeof value === type;
const roles = ["system", "user", "assistant", "tool"];

/** What both kinds of requests have. */
function commonMistake(body: Json): string | undefined {
  if (!isAbsentOr(body["stream"], "boolean")) return "stream: invalid type, expected a boolean";
  if (!isAbsentOr(body["max_tokens"], "number")) return "max_tokens: invalid type, expected u32";
  if (!isAbsentOr(body["user_id"], "string")) return "user_id: invalid type, expected a string";
  return undefined;
}

/** What would not deserialise at all, in the words of the API. */
export function chatShapeMistake(body: Json): string | undefined {
  if (body["model"] === undefined) return "missing field `model`";
  if (typeof body["model"] !== "string") return "model: invalid type, expected a string";
  const messages = body["messages"];
  if (messages === undefined) return "missing field `messages`";
  if (!Array.isArray(messages)) return "messages: invalid type, expected a sequence";
  for (const [index, message] of messages.entries()) {
    const mistake = messageMistake(message);
    if (mistake !== undefined) return `messages[${index}]${mistake}`;
  }
  const common = commonMistake(body);
  if (common !== undefined) return common;
  const thinking = body["thinking"] ?? { type: "enabled" };
  if (!isObject(thinking) || (thinking["type"] !== "enabled" && thinking["type"] !== "disabled")) {
    return "thinking.type: unknown variant, expected `enabled` or `disabled`";
  }
  const format = body["response_format"] ?? { type: "text" };
  if (!isObject(format) || (format["type"] !== "text" && format["type"] !== "json_object")) {
    return "response_format.type: unknown variant, expected `text` or `json_object`";
  }
  if (!isAbsentOr(body["reasoning_effort"], "string"))
    return "reasoning_effort: invalid type, expected a string";
  return toolsMistake(body["tools"] ?? []);
}

export function fimShapeMistake(body: Json): string | undefined {
  if (body["model"] === undefined) return "missing field `model`";
  if (typeof body["model"] !== "string") return "model: invalid type, expected a string";
  if (body["prompt"] === undefined) return "missing field `prompt`";
  if (typeof body["prompt"] !== "string") return "prompt: invalid type, expected a string";
  if (!isAbsentOr(body["suffix"], "string")) return "suffix: invalid type, expected a string";
  return commonMistake(body);
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

function toolsMistake(tools: unknown): string | undefined {
  if (!Array.isArray(tools)) return "tools: invalid type, expected a sequence";
  for (const [index, tool] of tools.entries()) {
    const called: unknown = isObject(tool) ? tool["function"] : undefined;
    if (!isObject(called)) return `tools[${index}]: missing field \`function\``;
    if (typeof called["name"] !== "string") return `tools[${index}].function: missing field \`name\``;
  }
  return undefined;
}
