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
  /** Beta: the answer continues this last assistant message. */
  prefix?: boolean;
}

/** A function the model may call. */
export interface ChatTool {
  type: "function";
  function: { name: string; description?: string; parameters?: unknown; strict?: boolean };
}

/** The part of a chat completion request that the simulator reads. */
export interface ChatRequest {
  model: string;
  messages: readonly ChatMessage[];
  stream?: boolean | null;
  stream_options?: { include_usage?: boolean | null } | null;
  /** Thinking is on unless this says `disabled`. */
  thinking?: { type: "enabled" | "disabled" } | null;
  reasoning_effort?: string | null;
  /** Bounds reasoning and answer together. */
  max_tokens?: number | null;
  tools?: readonly ChatTool[] | null;
  tool_choice?: unknown;
  /** One of the things that may name the caller's stream of chance; see `x-sim-id`. */
  user_id?: string | null;
  /** `metadata.sim` sets the length of the answer, like the header `x-sim-tokens`. */
  metadata?: { sim?: string | { reasoning?: number; content?: number } } | null;
}

/** Thinking is DeepSeek's default: only an explicit `disabled` turns it off. */
export function isThinking(request: Pick<ChatRequest, "thinking">): boolean {
  return request.thinking?.type !== "disabled";
}
