/** Money is counted in whole billionths of a dollar: sums and differences are exact. */
const nanoPerUsd = 1_000_000_000;

export const toNanoUsd = (usd: number): bigint => BigInt(Math.round(usd * nanoPerUsd));
export const toUsd = (nanoUsd: bigint): number => Number(nanoUsd) / nanoPerUsd;

/** Two decimals, never more than there is, and never below zero. */
export function inCents(nanoUsd: bigint): string {
  const cents = nanoUsd <= 0n ? 0n : nanoUsd / 10_000_000n;
  return `${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`;
}
