const KINDS: Readonly<Record<string, string>> = {
  "circuit-breaker": "Circuit breaker",
  "rate-limit": "Rate limit",
  bulkhead: "Bulkhead",
  adaptive: "Adaptive limit",
  retry: "Retry",
  resume: "Resume",
  timeout: "Timeout",
  cache: "Cache",
  fallback: "Fallback",
};

/** What a reader calls a kind of policy. */
export function kindWord(kind: string): string {
  const known = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  return known ?? kind.charAt(0).toUpperCase() + kind.slice(1).replaceAll("-", " ");
}

const CODES: Readonly<Record<string, string>> = {
  RATE_LIMITED: "rate limit reached",
  BULKHEAD_FULL: "no permit free, and no place to wait",
  QUEUE_TIMEOUT: "waited too long for a permit",
  CIRCUIT_OPEN: "circuit open",
  DRAINING: "shutting down",
  DEADLINE: "no time left",
};

/** What a refusal's code means, where it is known. */
export const codeWord = (code: string): string | undefined =>
  Object.hasOwn(CODES, code) ? CODES[code] : undefined;

/** A key beside the name of its policy. The key of those that have none is empty. */
export const withKey = (name: string, key: unknown): string =>
  typeof key === "string" && key !== "" ? `${name} / ${key}` : name;
