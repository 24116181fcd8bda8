import type { Usage } from "../outcome.ts";

/** What two pieces of work have used together; estimated if one of them is. An upstream may count more than we know of. */
export function bothUsages(one: Usage, other: Usage): Usage {
  const sum: Record<string, unknown> = { ...one };
  for (const [name, value] of Object.entries(other))
    sum[name] = typeof value === "number" ? value + Number(sum[name] ?? 0) : value;
  // The whole of one that does not say it is the sum of its parts.
  if ("totalTokens" in sum) sum["totalTokens"] = totalOf(one) + totalOf(other);
  if (one.estimated === true) sum["estimated"] = true;
  return sum;
}

/** Tokens as one number. */
export function totalOf({ totalTokens, promptTokens = 0, completionTokens = 0 }: Usage): number {
  return totalTokens ?? promptTokens + completionTokens;
}
