/** Ids change every few months, so any string is allowed; known ones are offered for completion. */
export type ModelId = "deepseek-flash" | "deepseek-v4-pro" | (string & {});

export type ReasoningEffort = "low" | "high" | "max" | (string & {});

export interface TextPart {
  readonly type: "text";
  readonly text: string;
}

export interface ImagePart {
  readonly type: "image_url";
  readonly image_url: { readonly url: string; readonly detail?: string };
}

export type ContentPart = TextPart | ImagePart;

export interface SystemMessage {
  readonly role: "system";
  readonly content: string | readonly TextPart[];
  readonly name?: string;
}

export interface UserMessage {
  readonly role: "user";
  readonly content: string | readonly ContentPart[];
  readonly name?: string;
}

export interface AssistantMessage {
  readonly role: "assistant";
  readonly content?: string | readonly TextPart[] | null;
  readonly name?: string;
  /** What the model thought before its tool calls. In a tool turn with thinking on, DeepSeek demands it back. */
  readonly reasoning_content?: string | null;
  readonly tool_calls?: readonly ToolCall[];
  /** Beta: the answer continues this text. */
  readonly prefix?: boolean;
}

export interface ToolMessage {
  readonly role: "tool";
  readonly content: string | readonly TextPart[];
  readonly tool_call_id: string;
}

export type ChatMessage = SystemMessage | UserMessage | AssistantMessage | ToolMessage;

export interface Tool {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description?: string;
    /** JSON Schema. */
    readonly parameters?: Readonly<Record<string, unknown>>;
    readonly strict?: boolean | null;
  };
}

export type ToolChoice =
  | "none"
  | "auto"
  | "required"
  | { readonly type: "function"; readonly function: { readonly name: string } };

/**
 * The body of `POST /chat/completions`, sent as it is: fields that are not listed here reach the host too.
 * Only `model` and the way in which thinking is switched are translated where a host wants them otherwise.
 */
export interface ChatRequest {
  readonly messages: readonly ChatMessage[];
  /** @default the host's default model, `deepseek-flash` */
  readonly model?: ModelId;
  /** True for an answer in pieces. The methods `chat` and `stream` set it. */
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean } | null;
  /** @default enabled, by DeepSeek */
  readonly thinking?: { readonly type: "enabled" | "disabled" } | null;
  readonly reasoning_effort?: ReasoningEffort | null;
  /** Bounds reasoning and answer together. @default 8K, 64K while thinking, 128K at effort `max`, by DeepSeek */
  readonly max_tokens?: number | null;
  readonly response_format?: { readonly type: "text" | "json_object" } | null;
  readonly stop?: string | readonly string[] | null;
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly presence_penalty?: number | null;
  readonly frequency_penalty?: number | null;
  readonly tools?: readonly Tool[] | null;
  readonly tool_choice?: ToolChoice | null;
  readonly logprobs?: boolean | null;
  readonly top_logprobs?: number | null;
  /** DeepSeek keeps safety, prompt cache and scheduling apart by it. No part of our cache keys; the tenant is. */
  readonly user_id?: string | null;
  /** How SiliconFlow and Model Studio switch thinking. */
  readonly enable_thinking?: boolean | null;
  /** How vLLM and SGLang switch it. */
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>> | null;
  readonly metadata?: Readonly<Record<string, unknown>> | null;
}

// Answers are mutable and so fit where the types of the `openai` package are asked for.

export interface ToolCall {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
}

export interface TokenLogprob {
  token: string;
  bytes: number[] | null;
  logprob: number;
  top_logprobs: { token: string; bytes: number[] | null; logprob: number }[];
}

export interface Logprobs {
  content: TokenLogprob[] | null;
  reasoning_content?: TokenLogprob[] | null;
  /** Never sent by DeepSeek; typed so that answers fit OpenAI's types. */
  refusal: TokenLogprob[] | null;
}

/** Why an answer ended. A host may send others; they are passed on with a `hint` event. */
export type FinishReason = "stop" | "length" | "tool_calls" | "content_filter";

export interface ChatUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details?: { cached_tokens?: number };
  completion_tokens_details?: { reasoning_tokens?: number };
  /** DeepSeek only. */
  prompt_cache_hit_tokens?: number;
  prompt_cache_miss_tokens?: number;
}

/** The whole answer. */
export interface ChatCompletion {
  id: string;
  object: "chat.completion";
  created: number;
  /** What really answered; it may differ from what was asked for. */
  model: string;
  choices: {
    index: number;
    message: {
      role: "assistant";
      content: string | null;
      /** Absent while thinking is off. */
      reasoning_content?: string | null;
      tool_calls?: ToolCall[];
      /** Never sent by DeepSeek; typed so that answers fit OpenAI's types. */
      refusal: string | null;
    };
    logprobs: Logprobs | null;
    finish_reason: FinishReason;
  }[];
  usage?: ChatUsage;
  system_fingerprint?: string;
}

export interface ChatDelta {
  role?: "assistant";
  content?: string | null;
  reasoning_content?: string | null;
  tool_calls?: {
    index: number;
    id?: string;
    type?: "function";
    function?: { name?: string; arguments?: string };
  }[];
}

/** One event of a streamed answer. */
export interface ChatChunk {
  id: string;
  object: "chat.completion.chunk";
  created: number;
  model: string;
  choices: {
    index: number;
    delta: ChatDelta;
    logprobs?: Logprobs | null;
    finish_reason: FinishReason | null;
  }[];
  usage?: ChatUsage | null;
  system_fingerprint?: string;
  /** Never sent by DeepSeek: beside the usage of an answer that broke off and was continued; see `resume`. */
  x_breakwater?: { resumed: number; estimated?: boolean };
}

/** What `deepseekUpstream` answers with: pieces if `request.stream` is true, else the whole. */
export type ChatAnswer = ChatCompletion | AsyncIterable<ChatChunk>;

export function isStream(answer: ChatAnswer): answer is AsyncIterable<ChatChunk> {
  return Symbol.asyncIterator in answer;
}
