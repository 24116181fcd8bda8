import { refuse } from "../checks.ts";
import { nearest } from "../nearest.ts";
import type { AnswerHead } from "./completion.ts";
import type { ErrorFields, ErrorReply } from "./errors.ts";

/** Hosts that serve the same models in other words. */
export type Personality = "deepseek" | "openai" | "openrouter" | "siliconflow";

/** Where a host's bytes differ from DeepSeek's. */
export interface Dialect {
  /** What a waiting stream gets; a waiting JSON request gets blank lines everywhere. */
  readonly keepAlive: string;
  readonly reasoningField: "reasoning_content" | "reasoning";
  /** `last`: with the finish reason, always. `extra`: in a chunk of its own behind it, with `include_usage` only. */
  readonly usage: "last" | "extra";
  /** `prompt_cache_hit_tokens` and `prompt_cache_miss_tokens` are part of the usage. */
  readonly cacheFields: boolean;
  /** At least and at most, drawn for each chunk. */
  readonly tokensPerChunk: readonly [number, number];
  /** The error of an HTTP status. */
  error(reply: ErrorReply, fields: ErrorFields): ErrorReply;
  /** The error under status 200: the data of an event in a stream, or a body. */
  errorEvent(fields: ErrorFields, head: AnswerHead): unknown;
}

const deepseek: Dialect = {
  keepAlive: ": keep-alive\n\n",
  reasoningField: "reasoning_content",
  usage: "last",
  cacheFields: true,
  tokensPerChunk: [1, 1],
  error: (reply) => reply,
  errorEvent: ({ message, type, code }) => ({ error: { message, type, param: null, code } }),
};

const json = (reply: ErrorReply, body: unknown): ErrorReply => ({ ...reply, body: JSON.stringify(body) });

/** Whoever has none left hears when to come back. The figures are those of a host that limits by the minute. */
const noneLeft = {
  "retry-after": "1",
  "x-ratelimit-limit-requests": "500",
  "x-ratelimit-remaining-requests": "0",
  "x-ratelimit-reset-requests": "1s",
  "x-ratelimit-limit-tokens": "200000",
  "x-ratelimit-remaining-tokens": "0",
  "x-ratelimit-reset-tokens": "1s",
};

const openai: Dialect = {
  ...deepseek,
  usage: "extra",
  cacheFields: false,
  error: (reply) => (reply.status === 429 ? { ...reply, headers: { ...noneLeft, ...reply.headers } } : reply),
};

const openrouter: Dialect = {
  ...deepseek,
  keepAlive: ": OPENROUTER PROCESSING\n\n",
  reasoningField: "reasoning",
  error(reply, { message }) {
    // What the provider behind it said comes along; its own mistakes have no provider.
    const theirs = reply.status === 429 || reply.status >= 500;
    const metadata = { provider_name: "DeepSeek", raw: reply.body };
    return json(reply, { error: { message, code: reply.status, ...(theirs ? { metadata } : {}) } });
  },
  errorEvent: ({ message }, { id }) => ({
    id,
    choices: [{ index: 0, delta: { content: "" }, finish_reason: "error" }],
    // A provider that fails is gone, for all that OpenRouter tells; a message that somebody chose is told.
    error: { code: 502, message: message === "Internal Server Error" ? "Provider disconnected" : message },
  }),
};

const flatCodes: Readonly<Record<number, number>> = { 402: 30_001, 429: 50_603, 500: 60_000, 503: 50_508 };

const siliconflow: Dialect = {
  ...deepseek,
  tokensPerChunk: [3, 5],
  error: (reply, { message }) =>
    json(reply, {
      code: flatCodes[reply.status] ?? 20_015,
      message: reply.status === 503 ? "System is too busy now. Please try again later." : message,
      data: null,
    }),
  errorEvent: ({ message }) => ({ code: 50_508, message, data: null }),
};

export const dialects: Readonly<Record<Personality, Dialect>> = { deepseek, openai, openrouter, siliconflow };
export const personalities: readonly Personality[] = Object.keys(dialects) as Personality[];

export function checkPersonality(value: unknown, path = "personality"): Personality {
  const found = personalities.find((personality) => personality === value);
  return (
    found ??
    refuse(path, value, `one of ${personalities.join(", ")}`, `"${nearest(String(value), personalities)}"`)
  );
}

/** The error as the host says it. Pages of the edge, and what a rule wrote itself, stay as they are. */
export function spoken(reply: ErrorReply, dialect: Dialect): ErrorReply {
  return reply.error === undefined ? reply : dialect.error(reply, reply.error);
}
