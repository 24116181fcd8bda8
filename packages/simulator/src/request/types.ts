/** The roles that a message may have. */
export type Role = "system" | "user" | "assistant" | "tool";

/** One message of a chat. Fields that the simulator does not read are let through. */
export interface ChatMessage {
  role: Role;
  /** Text, a list of content parts, or null beside tool calls. */
  content?: string | readonly unknown[] | null;
  name?: string;
  reasoning_content?: string | null;
  tool_calls?: readonly unknown[];
  tool_call_id?: string;
  /** Beta: the answer continues this last assistant message, its `reasoning_content` included. */
  prefix?: boolean;
}

/** A function the model may call. */
export interface ChatTool {
  type: "function";
  function: { name: string; description?: string; parameters?: unknown; strict?: boolean | null };
}

/** What both kinds of requests have. */
interface CommonRequest {
  model: string;
  stream?: boolean | null;
  stream_options?: { include_usage?: boolean | null } | null;
  max_tokens?: number | null;
  /** One of the things that may name the caller's stream of chance; see `x-sim-id`. */
  user_id?: string | null;
  /**
   * `metadata.sim` sets the length of the answer, like the header `x-sim-tokens`; `tools=1` makes it an answer that
   * calls a tool.
   */
  metadata?: { sim?: string | { reasoning?: number; content?: number; tools?: number } } | null;
}

/** The part of a chat completion request that the simulator reads. `max_tokens` bounds reasoning and answer together. */
export interface ChatRequest extends CommonRequest {
  messages: readonly ChatMessage[];
  /** Thinking is on unless this says `disabled`. */
  thinking?: { type: "enabled" | "disabled" } | null;
  reasoning_effort?: string | null;
  /** `json_object`: the answer is JSON text, if the messages say "JSON" somewhere; else white space without end. */
  response_format?: { type: "text" | "json_object" } | null;
  tools?: readonly ChatTool[] | null;
  /** `none`, `auto`, or without thinking `required` or `{ type: "function", function: { name } }`. */
  tool_choice?: unknown;
}

/** A request for what stands between `prompt` and `suffix` ("fill in the middle"), `POST /beta/completions`. */
export interface FimRequest extends CommonRequest {
  prompt: string;
  suffix?: string | null;
}

/** Thinking is DeepSeek's default: only an explicit `disabled` turns it off. FIM has none. */
export function isThinking(request: ChatRequest | FimRequest): boolean {
  return !("prompt" in request) && request.thinking?.type !== "disabled";
}
