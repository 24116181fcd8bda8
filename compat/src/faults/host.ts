import { type FaultRule, type Simulator, startSimulator } from "@breakwater/simulator";

import type { Row } from "./row.ts";

/** Whether a fault strikes the first attempt alone, or every one. */
export type Strikes = "once" | "always";

/** Where both clients believe to be: what Breakwater knows of a host, it knows by its address. */
export const BASE_URL = "https://api.deepseek.com";

/** Two tokens a second, so that each comes on its own: what came in one packet with a fault was never given out. */
export function startHost(row: Row, strikes: Strikes): Promise<Simulator> {
  const rule: FaultRule = { action: row.action, ...(strikes === "once" && { times: 1 }) };
  return startSimulator({
    clock: "manual",
    faults: [rule],
    capacity: { decodeSpeed: 0.01, loadPenalty: 0, jitter: 0 },
    text: { contentMedian: 12, reasoningMedian: 8, sigma: 0 },
  });
}

/** The simulator in the place of DeepSeek, over a socket; counts the chats that are asked for. */
export function wayTo(simulator: Simulator): { readonly fetch: typeof fetch; readonly chats: () => number } {
  let chats = 0;
  return {
    chats: () => chats,
    fetch(input, init) {
      const { pathname, search } = new URL(input instanceof Request ? input.url : input);
      if (pathname.endsWith("/chat/completions")) chats++;
      return fetch(simulator.url + pathname + search, init);
    },
  };
}
