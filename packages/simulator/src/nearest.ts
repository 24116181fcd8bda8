/**
 * The name that somebody probably meant: one that begins like what was written, else the one that takes the fewest changes
 * of a character.
 */
export function nearest(written: string, names: readonly string[]): string | undefined {
  const small = written.toLowerCase();
  const begun = names.find((name) => small !== "" && name.toLowerCase().startsWith(small));
  if (begun !== undefined) return begun;
  const distances = names.map((name) => [distance(small, name.toLowerCase()), name] as const);
  return distances.toSorted(([one], [other]) => one - other)[0]?.[1];
}

/** How many characters must be added, removed or replaced to make one text the other. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replaced));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
