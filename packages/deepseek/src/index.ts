export { accountOf, type Accounts, createAccounts } from "./accounts/index.ts";
export type { AccountOptions, AccountsOptions } from "./accounts/options.ts";
export type { AccountSnapshot, KeySnapshot } from "./accounts/snapshot.ts";
export type { DeepSeekErrorCode, RateLimitReason } from "./classify.ts";
export * from "./costs/index.ts";
export { type Chat, createDeepSeek, type DeepSeek, type DeepSeekOptions } from "./deepseek.ts";
export {
  type DeepSeekFetch,
  deepseekFetch,
  type DeepSeekFetchOptions,
  type FetchTarget,
} from "./deepseek-fetch.ts";
export type { FimChunk, FimCompletion, FimLogprobs, FimRequest } from "./fim.ts";
export type { Fim } from "./fim-client.ts";
export type { ErrorMode } from "./error-mode.ts";
export type { Managing } from "./fetch.ts";
export {
  type HostName,
  type HostProfile,
  hosts,
  type OwnHostOptions,
  sglang,
  type ThinkingSwitch,
  type UpstreamMode,
  vllm,
} from "./hosts.ts";
export type { HandlerOptions, Principal } from "./http/handler.ts";
export {
  type MidStream,
  type Part,
  recommended,
  type RecommendedOptions,
  type SharedStore,
} from "./recommended.ts";
export { resume, type ResumeOptions } from "./resume/index.ts";
export type { CommitOn } from "./stream-source.ts";
export { estimatePrompt, estimateTokens } from "./tokens/estimate.ts";
export type { ReserveOutput } from "./tokens/meter.ts";
export type { Fetch } from "./transport.ts";
export * from "./types.ts";
export { deepseekUpstream } from "./upstream.ts";
export type { ApiKey, DeepSeekUpstreamOptions } from "./upstream-options.ts";
