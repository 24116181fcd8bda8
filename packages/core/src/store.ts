import type { MaybePromise } from "./handler.ts";

/**
 * Where a guard's state lives. The memory stores answer at once; one over the network answers later. Asks and
 * replies are plain data whose shape each capability defines (`RateLimitAsk`, `PermitAsk`, …).
 */
export interface DecisionStore<Ask, Reply> {
  decide(ask: Ask): MaybePromise<Reply>;
  /**
   * Decides several asks together, all or nothing: what one refuses consumes nothing in the others. With it, strictly
   * adjacent guards on the same store object cost one round trip.
   */
  decideAll?(asks: readonly Ask[]): MaybePromise<readonly Reply[]>;
}

// oxlint-disable-next-line typescript/no-explicit-any -- the group does not look into asks and replies; each guard does
export type AnyStore = DecisionStore<any, any>;
