/** Deeper than any option or snapshot of ours. */
const MAX_DEPTH = 8;

/** Entries of one list or object; the others are counted. */
const MAX_ENTRIES = 100;

/**
 * Options, snapshots and the like as JSON: what has no JSON is told by what it is. Shows at most 100 entries of a list or
 * object, and says how many more there are.
 *
 * @example
 * ```ts
 * import { plainData } from "@breakwater/core";
 *
 * plainData({ limit: Infinity, key: (request: { tenant: string }) => request.tenant }); // => { limit: "Infinity", key: "(function)" }
 * ```
 */
export function plainData(value: unknown): unknown {
  return plainAt(value, 0);
}

function plainAt(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "bigint":
      return String(value);
    case "object":
      return value === null ? null : plainObject(value, depth);
    case "undefined":
      return undefined;
    default:
      return `(${typeof value})`;
  }
}

function plainObject(value: object, depth: number): unknown {
  if (depth >= MAX_DEPTH) return "(…)";
  if (Array.isArray(value)) {
    const shown = value.slice(0, MAX_ENTRIES).map((one) => plainAt(one, depth + 1));
    return value.length > MAX_ENTRIES ? [...shown, more(value.length)] : shown;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  // A store, a date, a connection: what is in it is not ours to show.
  if (prototype !== Object.prototype && prototype !== null) return `(${nameOf(value)})`;
  const entries = Object.entries(value);
  // What has methods is a thing, and not data: a store that a function made, with an address in it perhaps.
  if (depth > 0 && entries.some(([, member]) => typeof member === "function")) return "(object)";
  const shown = entries
    .slice(0, MAX_ENTRIES)
    .map(([name, member]): [string, unknown] => [name, plainAt(member, depth + 1)]);
  if (entries.length > MAX_ENTRIES) shown.push(["…", more(entries.length)]);
  return Object.fromEntries(shown.filter(([, member]) => member !== undefined));
}

const more = (all: number): string => `and ${all - MAX_ENTRIES} more`;

/** Such as `Date` or `RegExp`. */
const nameOf = (value: object): string => value.constructor?.name || "object";
