import type { DeepSeek } from "../../src/index.ts";

/** Calls in flight, permits given out and callers who wait, over everything that this client holds. */
export function held(deepseek: DeepSeek): number {
  const { inFlight, policies } = deepseek.snapshot();
  let count = inFlight;
  for (const { state } of policies) {
    const { active = {}, queued = {} } = (state ?? {}) as Partial<
      Record<"active" | "queued", Record<string, number>>
    >;
    for (const number of [...Object.values(active), ...Object.values(queued)]) count += number;
  }
  return count;
}

/** Handles of this process that keep a connection: sockets, servers. */
export function connections(): number {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP")).length;
}
