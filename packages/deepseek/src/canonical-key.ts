import { modelFor } from "./body.ts";
import type { HostProfile } from "./hosts.ts";
import type { ChatRequest } from "./types.ts";

/** Changed when the same key would mean another answer: entries of before are not found again. */
const VERSION = "1";

/** What does not change the answer: the shape in which it comes, and who asks. */
const LEFT_OUT: ReadonlySet<string> = new Set(["stream", "stream_options", "user_id"]);

/** What a request means by leaving a member out, wherever this API is spoken. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  frequency_penalty: 0,
  logprobs: false,
  n: 1,
  presence_penalty: 0,
  response_format: { type: "text" },
  stop: [],
  tools: [],
};

/** As DeepSeek documents them; servers of one's own have others. */
const DEEPSEEK_DEFAULTS: Readonly<Record<string, unknown>> = {
  ...DEFAULTS,
  reasoning_effort: "high",
  temperature: 1,
  thinking: { type: "enabled" },
  top_p: 1,
};

/**
 * The identity of a request to this host: equal keys may share an answer, given out whole or as a stream. Canonical
 * JSON: members sorted at every depth, numbers written one way; a member that says what is the default anyway is the
 * same as none.
 *
 * `user_id` is no part of it: DeepSeek keeps its own cache and its safety rules apart by it, and answers the same.
 * Answers of different customers are kept apart by the cache, which asks for a tenant: whoever uses `user_id` for that
 * gives the cache `tenant: (request) => request.user_id`.
 */
export function canonicalKey(request: ChatRequest, profile: Partial<HostProfile> = {}): string {
  const defaults = profile.name === "deepseek" ? DEEPSEEK_DEFAULTS : DEFAULTS;
  const { stop } = request;
  const meant: Readonly<Record<string, unknown>> = {
    ...request,
    model: modelFor(request, profile),
    ...(typeof stop === "string" && { stop: [stop] }),
  };
  const members = Object.entries(meant)
    .filter(([name, value]) => !LEFT_OUT.has(name) && value !== undefined && value !== null)
    .map(([name, value]) => [name, canonical(value)] as const)
    .filter(([name, value]) => !Object.hasOwn(defaults, name) || value !== canonical(defaults[name]))
    .toSorted(byName)
    .map(([name, value]) => `${JSON.stringify(name)}:${value}`);
  return `${VERSION}{${members.join(",")}}`;
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
