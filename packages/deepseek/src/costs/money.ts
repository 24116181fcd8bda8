/**
 * A price as it is given, dollars for a million tokens, in whole picodollars for one token: what is added up is exact.
 * Undefined for what has more than six decimals, or is none.
 */
export function picoPerToken(usdPerMillion: unknown): bigint | undefined {
  if (typeof usdPerMillion !== "number" && typeof usdPerMillion !== "string") return undefined;
  const match = /^(\d{1,6})(?:\.(\d{1,6}))?$/.exec(String(usdPerMillion));
  return match === null ? undefined : BigInt(match[1] + (match[2] ?? "").padEnd(6, "0"));
}

/** To whole nanodollars, halves up. */
export function nanoOf(pico: bigint): bigint {
  return (pico + 500n) / 1_000n;
}

/** For people: all of it, with two decimals at least. */
export function usdOf(nanoUsd: bigint): string {
  const fraction = String(nanoUsd % 1_000_000_000n).padStart(9, "0");
  return `${nanoUsd / 1_000_000_000n}.${fraction.replace(/0{1,7}$/, "")}`;
}
