/** What came into the worst span of `ms`, at moments in ms in any order. */
export function worstWindow(moments: readonly number[], ms: number): number {
  const sorted = moments.toSorted((a, b) => a - b);
  let worst = 0;
  let first = 0;
  for (const [last, moment] of sorted.entries()) {
    while (moment - (sorted[first] as number) >= ms) first++;
    worst = Math.max(worst, last - first + 1);
  }
  return worst;
}

/** The most that were there at once. Who leaves at the moment at which another comes has left. */
export function mostAtOnce(spans: readonly { readonly from: number; readonly to: number }[]): number {
  const steps = spans
    .flatMap(({ from, to }) => [
      { at: from, by: 1 },
      { at: to, by: -1 },
    ])
    .toSorted((a, b) => a.at - b.at || a.by - b.by);
  let now = 0;
  let most = 0;
  for (const { by } of steps) most = Math.max(most, (now += by));
  return most;
}
