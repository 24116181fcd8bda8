import type { BreakerStore } from "@breakwater/core";

import {
  connected,
  newScope,
  type PartInProcess,
  type PartInProcessOptions,
  startPart,
} from "../decide/process.test-help.ts";
import { type BreakerPart, createBreakerPart } from "./part.ts";

export { newScope };

/** A process of a fleet, as far as circuits are concerned. */
export interface Member
  extends BreakerStore, Omit<PartInProcess<BreakerPart>, "decide" | "decideAll" | "kill"> {}

/**
 * @param where a url, or those of the nodes of a cluster
 * @param options chance is one half where nothing is said, so that nothing jitters
 */
export async function joinFleet(
  where: string | readonly string[],
  options: PartInProcessOptions = {},
): Promise<Member> {
  const {
    decide,
    decideAll: _,
    ...rest
  } = startPart(where, { random: () => 0.5, ...options }, createBreakerPart);
  await connected(rest);
  const { record, provisional, force, snapshot } = rest.part;
  return {
    ...rest,
    shared: true,
    decide: decide as BreakerStore["decide"],
    record,
    provisional,
    force,
    snapshot,
  };
}
