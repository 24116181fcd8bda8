import type { Replica } from "./replica.ts";

/** How the simulator's own balancer chooses among the replicas that are up. */
export type Balance = "least-loaded" | "round-robin";

/**
 * The choice for requests that name no replica; undefined when all are down. Least loaded: the smallest part of its slots
 * in use or waited for; of equals, the one whose turn it is.
 */
export function createBalancer(replicas: readonly Replica[], balance: Balance): () => Replica | undefined {
  let turn = 0;
  const loadOf = (replica: Replica): number =>
    balance === "round-robin"
      ? 0
      : (replica.active + replica.queued) / Math.max(replica.capacity().slots, Number.MIN_VALUE);

  return () => {
    let best: Replica | undefined;
    let least = Infinity;
    let chosen = turn;
    for (let step = 0; step < replicas.length; step++) {
      const index = (turn + step) % replicas.length;
      const replica = replicas[index] as Replica;
      const load = replica.isUp ? loadOf(replica) : Infinity;
      // A replica without slots is still better than none.
      if (replica.isUp && (best === undefined || load < least)) {
        best = replica;
        least = load;
        chosen = index;
      }
    }
    turn = chosen + 1;
    return best;
  };
}
