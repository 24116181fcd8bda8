import type { ChatRequest } from "./types.ts";

/** What does not change the answer. Tenants are kept apart by the cache itself. */
const LEFT_OUT = new Set(["user_id", "stream_options"]);

/**
 * The identity of a request: equal keys may share an answer. Canonical JSON: members sorted at every depth, absent and
 * null the same on top. Includes `stream`, since a whole answer and one in pieces are not given out as one another yet.
 */
export function canonicalKey(request: ChatRequest): string {
  const members = Object.entries(request)
    .filter(([name, value]) => !LEFT_OUT.has(name) && value !== undefined && value !== null)
    .filter(([name, value]) => name !== "stream" || value === true)
    .toSorted(byName)
    .map(([name, value]) => `${JSON.stringify(name)}:${canonical(value)}`);
  return `{${members.join(",")}}`;
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item ?? null)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(byName)
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`);
  return `{${members.join(",")}}`;
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
