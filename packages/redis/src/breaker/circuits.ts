import type { BreakerConfig, Runtime } from "@breakwater/core";

import type { Scope } from "../keys.ts";
import { type Circuit, createCircuit } from "./circuit.ts";
import type { ServerClock } from "./shared.ts";

/** Circuits of one name that a process keeps, as the memory store does. */
const MOST = 10_000;
/** How many of the oldest are looked at for one that is well. */
const LOOK = 16;

/** The circuits that this process knows, by name and key. */
export interface Circuits {
  get(name: string, key: string, config: BreakerConfig): Circuit;
  peek(name: string, key: string): Circuit | undefined;
  /** By its first key in Redis. */
  find(stateKey: string): Circuit | undefined;
  of(name: string): Iterable<Circuit>;
  all(): Iterable<Circuit>;
  /** So many of all, those first that are not well; the others in turn, from one time to the next. */
  some(most: number): readonly Circuit[];
}

export interface CircuitsOptions {
  readonly scope: Scope;
  readonly runtime: Runtime;
  readonly clock: ServerClock;
  readonly lost: (circuit: Circuit) => void;
  /** @default 10_000 */
  readonly most?: number;
}

export function createCircuits({ scope, runtime, clock, lost, most = MOST }: CircuitsOptions): Circuits {
  const names = new Map<string, Map<string, Circuit>>();
  const byStateKey = new Map<string, Circuit>();
  let turn = 0;

  function create(name: string, key: string, config: BreakerConfig): Circuit {
    const keys = [
      scope.key("breaker", name, key),
      scope.key("breaker-probes", name, key),
      scope.key("breaker-votes", name, key),
    ] as const;
    const circuit = createCircuit({ name, key, keys, config, runtime, clock, lost });
    byStateKey.set(keys[0], circuit);
    return circuit;
  }

  function makeRoom(byKey: Map<string, Circuit>): void {
    let seen = 0;
    let victim: Circuit | undefined;
    for (const circuit of byKey.values()) {
      victim ??= circuit;
      if (circuit.well) {
        victim = circuit;
        break;
      }
      if (++seen >= LOOK) break;
    }
    if (victim === undefined) return;
    byKey.delete(victim.key);
    byStateKey.delete(victim.keys[0]);
  }

  return {
    get(name, key, config) {
      let byKey = names.get(name);
      if (byKey === undefined) names.set(name, (byKey = new Map()));
      let circuit = byKey.get(key);
      if (circuit === undefined) {
        if (byKey.size >= most) makeRoom(byKey);
        circuit = create(name, key, config);
        byKey.set(key, circuit);
        return circuit;
      }
      // This one alone: two policies of one name may take turns, and there may be thousands of circuits.
      if (circuit.config !== config) circuit.config = config;
      if (byKey.size > 1) {
        byKey.delete(key);
        byKey.set(key, circuit);
      }
      return circuit;
    },
    peek: (name, key) => names.get(name)?.get(key),
    find: (stateKey) => byStateKey.get(stateKey),
    of: (name) => names.get(name)?.values() ?? [],
    all: () => byStateKey.values(),
    some(count) {
      const chosen: Circuit[] = [];
      const well: Circuit[] = [];
      for (const circuit of byStateKey.values()) {
        if (circuit.well) well.push(circuit);
        else if (chosen.length < count) chosen.push(circuit);
      }
      for (let n = Math.min(count - chosen.length, well.length); n > 0; n--)
        chosen.push(well[turn++ % well.length] as Circuit);
      return chosen;
    },
  };
}
