import { ConfigError } from "@breakwater/core";

import type { ChatRequest } from "./types.ts";

/**
 * How a host wants thinking switched: DeepSeek's own `thinking` as it is, or one of the other ways in use. A function
 * gives the members that replace `thinking` and `reasoning_effort` in the body; `undefined` takes a member out.
 */
export type ThinkingSwitch =
  | "thinking"
  | "enable_thinking"
  | "chat_template_kwargs"
  | "reasoning"
  | ((request: ChatRequest) => Readonly<Record<string, unknown>>);

/** How a host is asked for a whole answer; see `DeepSeekUpstreamOptions.upstreamMode`. */
export type UpstreamMode = "same" | "stream";

/** What differs between hosts that speak DeepSeek's API. Plain data: spread one and change what you like. */
export interface HostProfile {
  /** What events, errors and `meta.target` call it. */
  readonly name: string;
  /** What `/chat/completions` is appended to. */
  readonly baseURL: string;
  /** The environment variable with the key. Absent: the host asks for none. */
  readonly keyEnv?: string;
  /** The environment variable that replaces `baseURL`, where it is set. */
  readonly baseURLEnv?: string;
  /** What a request without a model asks for. @default "deepseek-flash" */
  readonly defaultModel?: string;
  /** DeepSeek's ids to this host's. An id that is not listed is sent as it is. */
  readonly models?: Readonly<Record<string, string>>;
  /** @default "thinking" */
  readonly thinking?: ThinkingSwitch;
  /**
   * Whether it sends its headers as soon as it has the request, also when the answer takes minutes. Where it does not,
   * `recommended()` sets no headers clock. @default false
   */
  readonly earlyHeaders?: boolean;
  /**
   * Whether it streams every token in a chunk of its own, so that chunks can be counted where an answer breaks off
   * before its usage is told. Where it does not, tokens are estimated from the text. @default false
   */
  readonly tokenPerChunk?: boolean;
  /** How it is asked for a whole answer, unless the options say otherwise. @default "same" */
  readonly upstreamMode?: UpstreamMode;
  /**
   * Where the host tells an account's balance, as DeepSeek does. Where it does not, an account without credit is tried
   * again with a completion. @default it does not
   */
  readonly balance?: string;
  /**
   * Where texts are continued (chat prefix completion): a URL, or a path behind the base URL in the place of its `/v1`.
   * Requests that end in an assistant's message with `prefix: true` go there. Absent: they go where all others go, and
   * `resume()` is not possible.
   */
  readonly prefix?: string;
  /**
   * Where texts are filled in (FIM): a URL, or a path behind the base URL in the place of its `/v1`; `/completions` is
   * appended. Absent: it cannot.
   */
  readonly fim?: string;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Hosts that are known by name. Ids and addresses are those of November 2026; replace what has changed since. */
export const hosts: Readonly<Record<HostName, HostProfile>> = {
  deepseek: {
    name: "deepseek",
    baseURL: "https://api.deepseek.com",
    keyEnv: "DEEPSEEK_API_KEY",
    baseURLEnv: "DEEPSEEK_BASE_URL",
    models: { "deepseek-flash": "deepseek-flash", "deepseek-v4-pro": "deepseek-v4-pro" },
    earlyHeaders: true,
    tokenPerChunk: true,
    prefix: "/beta",
    fim: "/beta",
    balance: "/user/balance",
  },
  siliconflow: {
    name: "siliconflow",
    baseURL: "https://api.siliconflow.cn/v1",
    keyEnv: "SILICONFLOW_API_KEY",
    models: {
      "deepseek-flash": "deepseek-ai/DeepSeek-V4-Flash",
      "deepseek-v4-pro": "deepseek-ai/DeepSeek-V4-Pro",
    },
    thinking: "enable_thinking",
  },
  "volcengine-ark": {
    name: "volcengine-ark",
    baseURL: "https://ark.cn-beijing.volces.com/api/v3",
    keyEnv: "ARK_API_KEY",
    // Ark serves dated ids and the user's own endpoints (`ep-…`); name yours.
    models: { "deepseek-flash": "deepseek-v4-flash", "deepseek-v4-pro": "deepseek-v4-pro" },
  },
  "model-studio": {
    name: "model-studio",
    baseURL: "https://dashscope.aliyuncs.com/compatible-mode/v1",
    keyEnv: "DASHSCOPE_API_KEY",
    models: { "deepseek-flash": "deepseek-v4-flash", "deepseek-v4-pro": "deepseek-v4-pro" },
    thinking: "enable_thinking",
  },
  openrouter: {
    name: "openrouter",
    baseURL: "https://openrouter.ai/api/v1",
    keyEnv: "OPENROUTER_API_KEY",
    models: {
      "deepseek-flash": "deepseek/deepseek-v4.1-flash",
      "deepseek-v4-pro": "deepseek/deepseek-v4-pro",
    },
    thinking: "reasoning",
  },
};

export type HostName = "deepseek" | "siliconflow" | "volcengine-ark" | "model-studio" | "openrouter";

export interface OwnHostOptions {
  /** What `--served-model-name` says. Every request asks for it. */
  readonly model: string;
  /** @default "http://127.0.0.1:8000/v1" for vLLM, "http://127.0.0.1:30000/v1" for SGLang */
  readonly baseURL?: string;
  /** @default "vllm" or "sglang" */
  readonly name?: string;
}

/**
 * A vLLM server of one's own. It asks for no key unless you give one.
 *
 * @example
 * ```ts
 * import { deepseekUpstream, vllm } from "@breakwater/deepseek";
 *
 * const upstream = deepseekUpstream({ host: vllm({ model: "my-deepseek", baseURL: "http://10.0.0.5:8000/v1" }) });
 * ```
 */
export function vllm(options: OwnHostOptions): HostProfile {
  return ownHost({ name: "vllm", baseURL: "http://127.0.0.1:8000/v1", ...options });
}

/** An SGLang server of one's own. It asks for no key unless you give one. */
export function sglang(options: OwnHostOptions): HostProfile {
  return ownHost({ name: "sglang", baseURL: "http://127.0.0.1:30000/v1", ...options });
}

function ownHost({ name, baseURL, model }: Required<OwnHostOptions>): HostProfile {
  if (typeof model !== "string" || model === "") {
    throw new ConfigError(`${name}: model is required: the name under which your server offers it.`);
  }
  return {
    name,
    baseURL,
    defaultModel: model,
    models: { "deepseek-flash": model, "deepseek-v4-pro": model },
    thinking: "chat_template_kwargs",
  };
}
