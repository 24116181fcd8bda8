export { type DeepSeekErrorCode } from "./classify.ts";
export {
  type HostName,
  type HostProfile,
  hosts,
  type OwnHostOptions,
  sglang,
  type ThinkingSwitch,
  vllm,
} from "./hosts.ts";
export * from "./types.ts";
export { deepseekUpstream } from "./upstream.ts";
export type { ApiKey, DeepSeekUpstreamOptions } from "./upstream-options.ts";
