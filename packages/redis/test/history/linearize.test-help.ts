/** What one process asked and was told, by clocks that all share. */
export interface Operation {
  /** In ns, by the clock of the machine. */
  readonly invoked: number;
  /** Infinity: it never returned, and may have taken effect at any time since, or never. */
  readonly returned: number;
  /** In µs, by the clock of the server, if the reply says it. */
  readonly at?: number;
  /** Operations that are alike here do the same to every state, and say nothing. */
  readonly alike?: string;
}

/** What one process alone would be told, one operation after the other. States are plain data, and never change. */
export interface Model<O, S> {
  readonly start: S;
  /**
   * An operation without a time that changes nothing must not change what comes after that either.
   *
   * @param from when it took effect at the earliest, and `to` at the latest: the same where the reply says it
   * @returns the state afterwards; `undefined`: this is not what is said in that state
   */
  step(state: S, operation: O, from: number, to: number): S | undefined;
}

export interface Verdict<O> {
  /** An order of the operations in which the model says what was said; none if there is no such order. */
  readonly order?: readonly O[];
  /** Otherwise: how far it went, and those of which none can be the next. */
  readonly stuck?: { readonly after: number; readonly open: readonly O[]; readonly state: string };
  /** How many were looked at. */
  readonly states: number;
}

/** So many states are more than any history here has: the search would not end. */
const MOST_STATES = 1_000_000;

/**
 * Whether a history is linearizable: Wing and Gong's search (1993) with Lowe's memory of what was tried (2017). Whoever
 * returned before another was invoked comes first; those of which the server said the time come in that order.
 */
export function linearize<O extends Operation, S>(
  operations: readonly O[],
  { start, step }: Model<O, S>,
): Verdict<O> {
  const all = operations.toSorted((a, b) => a.invoked - b.invoked);
  const timed = all.flatMap((one, i) => (one.at === undefined ? [] : [i])).toSorted((i, j) => at(i) - at(j));
  const done = new Uint8Array(all.length);
  const tried = new Set<string>();
  const order: O[] = [];
  let left = all.filter(({ returned }) => returned < Infinity).length;
  let stuck: NonNullable<Verdict<O>["stuck"]> = { after: -1, open: [], state: "" };

  function at(i: number): number {
    return (all[i] as O).at as number;
  }

  /** Those that nobody who is left must come before, and what tells this set from any other. */
  function look(low: number): { open: number[]; name: string } {
    let horizon = Infinity;
    let name = `${low} `;
    const open: number[] = [];
    for (let i = low; i < all.length; i++) {
      const { invoked, returned } = all[i] as O;
      if (done[i] === 0) {
        if (invoked > horizon) break;
        horizon = Math.min(horizon, returned);
        open.push(i);
      }
      name += done[i];
    }
    return { open, name };
  }

  /** Of those that are alike the one that must come first stands for all. */
  function choose(open: readonly number[], next: number | undefined): number[] {
    const first = new Map<string, number>();
    const chosen: number[] = [];
    for (const i of open) {
      const { at: when, alike, returned } = all[i] as O;
      if (when !== undefined) {
        if (when === next) chosen.unshift(i);
      } else if (alike === undefined) chosen.push(i);
      else if (!first.has(alike) || returned < (all[first.get(alike) as number] as O).returned)
        first.set(alike, i);
    }
    return [...chosen, ...first.values()];
  }

  function search(state: S, text: string, lowest: number, clock: number, now: number): boolean {
    if (left === 0) return true;
    let low = lowest;
    while (done[low] === 1) low++;
    let due = clock;
    while (due < timed.length && done[timed[due] as number] === 1) due++;
    const { open, name } = look(low);
    if (tried.has(name + text)) return false;
    if (tried.size >= MOST_STATES) throw new Error(`${all.length} operations: there are too many states.`);
    tried.add(name + text);
    const next = due < timed.length ? at(timed[due] as number) : undefined;
    const steps = choose(open, next).flatMap((i) => {
      const one = all[i] as O;
      const after = step(state, one, one.at ?? now, one.at ?? next ?? now);
      return after === undefined ? [] : [{ i, one, after, text: JSON.stringify(after) }];
    });
    // What changes nothing now would not later either, and may as well come at once.
    const idle = steps.find(({ one, text: same }) => one.at === undefined && same === text);
    for (const { i, one, after, text: later } of idle === undefined ? steps : [idle]) {
      const counts = one.returned < Infinity ? 1 : 0;
      done[i] = 1;
      left -= counts;
      order.push(one);
      if (search(after, later, low, due, one.at ?? now)) return true;
      order.pop();
      left += counts;
      done[i] = 0;
    }
    if (order.length > stuck.after)
      stuck = { after: order.length, open: open.map((i) => all[i] as O), state: text };
    return false;
  }

  const found = search(start, JSON.stringify(start), 0, 0, 0);
  return { ...(found ? { order } : { stuck }), states: tried.size };
}
