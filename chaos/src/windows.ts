/** A call that was let through: at some moment between the two, µs. */
export interface Admitted {
  readonly askedAt: number;
  readonly at: number;
}

/**
 * How many were certainly let through within some window of that length: asked for in it and begun in it. Nobody can say
 * when between the two it was decided; whoever counted by either alone would find violations that are none.
 */
export function worstWindow(admitted: readonly Admitted[], windowUs: number): number {
  const byAsking = admitted.toSorted((a, b) => a.askedAt - b.askedAt);
  let worst = 0;
  for (const [first, { askedAt }] of byAsking.entries()) {
    let count = 0;
    for (let i = first; i < byAsking.length; i++) {
      const one = byAsking[i] as Admitted;
      if (one.askedAt > askedAt + windowUs) break;
      if (one.at <= askedAt + windowUs) count++;
    }
    worst = Math.max(worst, count);
  }
  return worst;
}
