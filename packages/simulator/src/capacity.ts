import { checkFields, checkNumber } from "./checks.ts";

/** What the simulated machine can do. All durations are simulated milliseconds: `timeScale` is applied to them. */
export interface Capacity {
  /** Answers that are being computed at once. @default 64 */
  slots: number;
  /** Requests that may wait for a slot, first come first served; one more gets 503. @default 256 */
  queue: number;
  /** A request that waited this long is ended cleanly and without an answer. @default 600000 */
  queueTimeoutMs: number;
  /** Distance of keep-alives while a request waits; the first comes after one such interval. @default 12000 */
  keepAliveMs: number;
  /** Fixed part of the time before the first token. @default 250 */
  prefillMs: number;
  /** Prompt tokens read per second, after the fixed part. @default 20000 */
  prefillTokensPerSecond: number;
  /** Multiplies every model's tokens per second: 0.1 is a very slow evening. @default 1 */
  decodeSpeed: number;
  /** How much busy slots slow each stream: speed / (1 + penalty * busy / slots). @default 1 */
  loadPenalty: number;
  /** Each gap between two tokens varies by this part of itself, up and down. @default 0.2 */
  jitter: number;
  /** Tokens still computed (and billed) after the client left. @default 8 */
  abortLagTokens: number;
  /** How long a request still counts for its account after the client left. @default 0 */
  releaseLagMs: number;
}

export const defaultCapacity: Capacity = {
  slots: 64,
  queue: 256,
  queueTimeoutMs: 600_000,
  keepAliveMs: 12_000,
  prefillMs: 250,
  prefillTokensPerSecond: 20_000,
  decodeSpeed: 1,
  loadPenalty: 1,
  jitter: 0.2,
  abortLagTokens: 8,
  releaseLagMs: 0,
};

const rules: Record<keyof Capacity, Parameters<typeof checkNumber>[2]> = {
  slots: { min: 0, integer: true, example: "64 (0 stops all computing)" },
  queue: { min: 0, integer: true, example: "256 (0 refuses at once when all slots are busy)" },
  queueTimeoutMs: { min: 0, above: true, example: "600000" },
  keepAliveMs: { min: 0, above: true, example: "12000" },
  prefillMs: { min: 0, example: "250" },
  prefillTokensPerSecond: { min: 0, above: true, example: "20000" },
  decodeSpeed: { min: 0, above: true, example: "1" },
  loadPenalty: { min: 0, example: "1" },
  jitter: { min: 0, max: 0.9, example: "0.2" },
  abortLagTokens: { min: 0, integer: true, example: "8" },
  releaseLagMs: { min: 0, example: "0" },
};

/** Checks the fields that are given. */
export function checkCapacity(path: string, value: unknown): Partial<Capacity> {
  const given = checkFields(path, value, Object.keys(rules));
  const capacity: Partial<Capacity> = {};
  for (const [field, rule] of Object.entries(rules) as [keyof Capacity, (typeof rules)["slots"]][]) {
    if (given[field] !== undefined) capacity[field] = checkNumber(`${path}.${field}`, given[field], rule);
  }
  return capacity;
}
