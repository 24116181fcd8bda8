import type { Attempt } from "@breakwater/simulator";

/**
 * Tokens that were computed and did not become part of an answer that arrived whole and right: those of broken, lost
 * and repeated attempts, and all of those of a call that failed in the end.
 *
 * @param verified Ids of the calls that were answered completely and correctly.
 */
export function wastedTokens(attempts: readonly Attempt[], verified: ReadonlySet<string>): number {
  const useful = new Map<string, number>();
  let generated = 0;
  for (const attempt of attempts) {
    generated += attempt.tokensGenerated;
    // At most one attempt of a call becomes its answer, and only a whole one can.
    if (attempt.outcome === "completed" && verified.has(attempt.scope)) {
      useful.set(attempt.scope, attempt.tokensGenerated);
    }
  }
  return generated - [...useful.values()].reduce((sum, tokens) => sum + tokens, 0);
}
