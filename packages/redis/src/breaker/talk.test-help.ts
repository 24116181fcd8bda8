import type {
  Admission,
  BreakerAsk,
  BreakerConfig,
  BreakerSnapshot,
  Ticket,
  Transition,
} from "@breakwater/core";

import type { Member } from "./fleet.test-help.ts";

/** Opens at the fourth failure of at most ten calls. */
export const usual: BreakerConfig = {
  window: { calls: 10 },
  failureRate: 0.5,
  slowRate: 1,
  minimumCalls: 4,
  openForMs: 200,
  maxOpenForMs: 400,
  probes: 1,
  probeLeaseMs: 10_000,
  rampMs: 0,
};

/** One policy of one process over one circuit. */
export interface Talk {
  admit(random?: number): Promise<Admission>;
  /** Must be admitted. */
  ticket(): Promise<Ticket>;
  /** Must be refused. @returns for how long */
  refusedFor(): Promise<number>;
  /** Asks until it is elected to probe. */
  probe(): Promise<Ticket>;
  end(
    ticket: Ticket,
    result: "success" | "failure" | "ignored",
    trip?: boolean,
  ): Promise<Transition | undefined>;
  first(ticket: Ticket): Promise<Transition | undefined>;
  force(to: "open" | "closed" | undefined): Promise<void>;
  snapshot(): BreakerSnapshot | undefined;
}

/** How often is asked for what must come: the time that passes is up to the circuit and the machine. */
const MANY = 2_000;

export function talkTo(
  member: Member,
  changes: Partial<BreakerConfig> = {},
  name = "circuit",
  key = "",
): Talk {
  const config = { ...usual, ...changes };
  const { runtime } = member.context;
  const ask = (random = 0): BreakerAsk => ({
    kind: "breaker",
    name,
    key,
    config,
    now: runtime.now(),
    random,
    version: 0,
  });
  const talk: Talk = {
    admit: async (random) => member.decide(ask(random)),
    async ticket() {
      const admission = await talk.admit();
      if ("ticket" in admission) return admission.ticket;
      throw new Error(`refused for ${admission.retryAfterMs} ms`);
    },
    async refusedFor() {
      const admission = await talk.admit();
      if ("retryAfterMs" in admission) return admission.retryAfterMs;
      throw new Error("admitted");
    },
    async probe() {
      for (let i = 0; i < MANY; i++) {
        const admission = await talk.admit();
        if (!("ticket" in admission)) await pause(admission.retryAfterMs);
        else if (admission.ticket.probe) return admission.ticket;
        else throw new Error("it is closed");
      }
      throw new Error("it was never elected");
    },
    end: async (ticket, result, trip = false) =>
      member.record(ask(), ticket, { result, slow: false, trip, now: runtime.now() }),
    first: async (ticket) => member.provisional(ask(), ticket, runtime.now(), false),
    force: async (to) => member.force(name, key, config, to, runtime.now()),
    snapshot: () => member.snapshot(name, runtime.now())[key],
  };
  return talk;
}

/** At most so long, and never long: others may be elected, or the circuit held by hand, meanwhile. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.min(ms, 10)));
}
