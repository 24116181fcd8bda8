import { ConfigError } from "./errors.ts";

/** Milliseconds, or a number with a unit: `500`, `"500ms"`, `"2s"`, `"1.5m"`, `"1h"`, `"1d"`. */
export type Duration = number | `${number}${Unit}`;
type Unit = "ms" | "s" | "m" | "h" | "d";

const UNITS: Record<Unit, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A duration in milliseconds.
 *
 * @throws ConfigError naming `where` when it is not one; NaN, which an unset environment variable becomes, is said so.
 *
 * @example
 * ```ts
 * import { milliseconds } from "@breakwater/core";
 *
 * milliseconds("1.5m"); // => 90000
 * ```
 */
export function milliseconds(given: unknown, where = "duration"): number {
  const ms = typeof given === "string" ? parse(given) : given;
  if (typeof ms !== "number" || !Number.isFinite(ms) || ms < 0) {
    throw new ConfigError(
      `${where} must be milliseconds or a string such as "500ms", "2s", "10m", got ${show(given)}.`,
    );
  }
  return ms;
}

function parse(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text.trim());
  return match === null ? Number.NaN : Number(match[1]) * UNITS[match[2] as Unit];
}

/** A value as an error message quotes it: short, and telling where NaN usually comes from. */
export function show(value: unknown): string {
  if (typeof value === "number" && Number.isNaN(value))
    return "NaN (an environment variable that is not set?)";
  if (typeof value === "string")
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === "function") return `a function${value.name === "" ? "" : ` (${value.name})`}`;
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
}
