import { ConfigError, createPipeline, type Pipeline, type Policy, type Settings } from "@breakwater/core";

/** Policies; of a function each application makes its own. */
export type PolicySource = readonly Policy[] | (() => readonly Policy[]);

/** @throws ConfigError for what are no policies. */
export function pipelineOf(settings: Settings, source: PolicySource): Pipeline {
  const policies: unknown = typeof source === "function" ? source() : source;
  if (Array.isArray(policies)) return createPipeline(settings, ...(policies as readonly Policy[]));
  throw new ConfigError(
    `createPipeline(…) or a list of policies is expected, such as [retry(), circuitBreaker()], got ${policies === null ? "null" : typeof policies}.`,
  );
}
