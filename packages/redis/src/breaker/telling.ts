import type { BreakerConfig, Result, Transition } from "@breakwater/core";

import type { Context } from "../decide/part.ts";
import type { Circuit } from "./circuit.ts";
import { type BreakerOperation, FORCED_LIFE_MS, RESULTS } from "./operations.ts";
import { codeOf, type ServerClock } from "./shared.ts";

/** What a probe has said, by the id under which it was elected. */
interface Verdict {
  readonly id: string;
  readonly epoch: number;
  readonly result: Result | "token";
  /** Its first token has counted already. */
  readonly begun: boolean;
}

/**
 * Tells Redis what this process has found out, and hears how the circuit is by then. Never rejects, and never waits for
 * a Redis that is away: what can still be of use is told when it is back.
 */
export interface Telling {
  /** Where transitions are published. */
  readonly channel: string;
  /** @param held told whether the probe still had its lease */
  verdict(
    circuit: Circuit,
    verdict: Verdict,
    held?: (held: boolean) => void,
  ): Promise<Transition | undefined>;
  /** This process has opened for itself. `trip`: and whatever the others see, it holds for them. */
  vote(circuit: Circuit, trip: boolean): Promise<void>;
  unvote(circuit: Circuit): Promise<void>;
  /** If it is: it was well for a minimum of calls. */
  wellAgain(circuit: Circuit): void;
  force(circuit: Circuit, to: "open" | "closed" | undefined): Promise<void>;
  /** Hears how it is. `again`: and says how it was, because Redis may have lost it. */
  look(circuit: Circuit, again?: boolean): Promise<void>;
}

/** Transition, the server's clock, the circuit, and whether a probe still had its lease. */
type Said = readonly [transition: number, now: number, text: string, held?: number];

const TRANSITIONS: readonly (Transition | undefined)[] = [undefined, "open", "close"];

export function createTelling(
  { link, runtime, scope, presence, outbox }: Context,
  clock: ServerClock,
): Telling {
  const channel = scope.channel("breaker");
  const looks = { asking: new Set<Circuit>(), reminding: new Set<Circuit>() };
  const recovering = new Set<Circuit>();
  const forcing = new Map<Circuit, Promise<unknown>>();

  async function tell(
    circuit: Circuit,
    name: BreakerOperation,
    args: readonly (string | number)[],
    again: boolean,
    lifeMs: number = lifeOf(circuit.config),
  ): Promise<Said | undefined> {
    const { openForMs, maxOpenForMs } = circuit.config;
    const jitter = Math.round(900 + 200 * runtime.random());
    const told = outbox
      .push({
        name,
        keys: name === "breaker-vote" ? [...circuit.keys, presence.instancesKey] : circuit.keys,
        args: [lifeMs, channel, micros(openForMs), micros(maxOpenForMs), jitter, ...args],
        again,
      })
      .then(
        (reply) => {
          const [, now, text] = reply as Said;
          clock.hear(now);
          circuit.hear(text);
          return reply as Said;
        },
        () => undefined,
      );
    return link.up ? unlessAway(told) : undefined;
  }

  /** Somebody may wait for it, and what is told later may be told much later. */
  function unlessAway(told: Promise<Said | undefined>): Promise<Said | undefined> {
    return new Promise((resolve) => {
      const settle = (said: Said | undefined): void => {
        end();
        resolve(said);
      };
      const end = link.onChange((up) => {
        if (!up) settle(undefined);
      });
      void told.then(settle);
    });
  }

  return {
    channel,
    async verdict(circuit, { id, epoch, result, begun }, held) {
      const { probes } = circuit.config;
      const said = await tell(
        circuit,
        "breaker-verdict",
        [id, epoch, RESULTS[result], begun ? 1 : 0, probes],
        true,
      );
      held?.(said === undefined || said[3] === 1);
      // Its place may be free now.
      circuit.probing(0);
      const transition = TRANSITIONS[said?.[0] ?? 0];
      if (transition !== undefined) circuit.told(transition);
      return transition;
    },
    async vote(circuit, trip) {
      const { shared } = circuit;
      if (shared?.status !== "closed") return;
      const lifeUs = Math.max(1, micros(circuit.aloneMs));
      const args = [presence.instance, shared.epoch, lifeUs, trip ? 1 : 0];
      const said = await tell(circuit, "breaker-vote", args, false);
      if (said?.[0] === 1) circuit.told("open");
    },
    async unvote(circuit) {
      await tell(circuit, "breaker-unvote", [presence.instance], false);
    },
    wellAgain(circuit) {
      const { shared, own } = circuit;
      if (shared === undefined || shared.openings === 0 || shared.status !== "closed" || !own.well) return;
      if (recovering.has(circuit)) return;
      recovering.add(circuit);
      void tell(circuit, "breaker-well", [shared.epoch], true).finally(() => recovering.delete(circuit));
    },
    async force(circuit, to) {
      const status = to === undefined ? "closed" : to === "open" ? "forced-open" : "forced-closed";
      const lifeMs = to === undefined ? lifeOf(circuit.config) : FORCED_LIFE_MS;
      // One after the other: what is told once more because its reply was late must not undo what was told since.
      const told = (forcing.get(circuit) ?? Promise.resolve()).then(() =>
        tell(circuit, "breaker-force", [codeOf(status)], true, lifeMs),
      );
      forcing.set(circuit, told);
      await told;
      if (forcing.get(circuit) === told) forcing.delete(circuit);
    },
    async look(circuit, again = false) {
      const looking = again ? looks.reminding : looks.asking;
      if (looking.has(circuit)) return;
      looking.add(circuit);
      const { shared, text } = circuit;
      await tell(circuit, "breaker-look", [again ? (shared?.epoch ?? 0) : 0, text], false);
      looking.delete(circuit);
    },
  };
}

const DAY_MS = 24 * 3_600_000;

/** How long Redis keeps a circuit of which it hears nothing: longer than anything that it may still wait for. */
export function lifeOf({ maxOpenForMs, probeLeaseMs, rampMs }: BreakerConfig): number {
  return Math.ceil(Math.max(DAY_MS, 2 * (maxOpenForMs + probeLeaseMs + rampMs)));
}

export const micros = (ms: number): number => Math.round(ms * 1_000);
