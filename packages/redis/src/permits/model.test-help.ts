import { LINE } from "./lua.ts";

export interface Model {
  /** @returns the values of the script's reply */
  ask(now: number, permit: string, limit: number, me?: string): readonly number[];
  release(now: number, limit: number, me: string, permit: string): number;
  wait(now: number, limit: number, me: string, waitedUs: number): number;
  leave(now: number, limit: number, me: string): number;
  renew(now: number, limit: number, me: string, held: readonly string[], lost: readonly string[]): number;
  /** The members of the sorted set, by name. */
  members(): readonly (readonly [string, number])[];
}

/** What permits and their line are, said plainly. */
export function createModel({ leaseUs, keepUs }: { leaseUs: number; keepUs: number }): Model {
  const permits = new Map<string, number>();
  const line = new Map<string, number>();

  const alive = (now: number): number => [...permits.values()].filter((until) => until >= now).length;
  const inOrder = (): string[] =>
    [...line].toSorted(([a, since], [b, other]) => since - other || (a < b ? -1 : 1)).map(([who]) => who);

  function callUp(now: number, limit: number, me: string): boolean {
    let mine = false;
    for (const head of inOrder()) {
      if (alive(now) >= limit) break;
      line.delete(head);
      permits.set(head, now + keepUs);
      mine ||= head === me;
    }
    return mine;
  }

  const dealt = (now: number, limit: number, me: string): number => (callUp(now, limit, me) ? -1 : 0);

  return {
    ask(now, permit, limit, me) {
      const kept = me !== undefined && (permits.get(me) ?? -Infinity) >= now;
      const others = alive(now) - (kept ? 1 : 0);
      const since = me === undefined ? undefined : line.get(me);
      const ahead = kept
        ? 0
        : [...line.values()].filter((other) => since === undefined || other < since).length;
      const granted = others + ahead < limit || permits.has(permit);
      if (granted) {
        if (me !== undefined) {
          permits.delete(me);
          line.delete(me);
        }
        permits.set(permit, now + leaseUs);
      }
      const told = granted || me !== undefined ? others + ahead : others;
      const said = granted ? told + 1 : -1 - told;
      return me === undefined ? [said] : [said, kept ? 1 : 0];
    },
    release(now, limit, me, permit) {
      permits.delete(permit);
      return dealt(now, limit, me);
    },
    wait(now, limit, me, waitedUs) {
      permits.delete(me);
      if (!line.has(me)) line.set(me, now - waitedUs);
      if (callUp(now, limit, me)) return -1;
      const ends = [...permits.values()].filter((until) => until >= now);
      return Math.min(leaseUs, ...ends.map((until) => until - now));
    },
    leave(now, limit, me) {
      permits.delete(me);
      line.delete(me);
      return dealt(now, limit, me);
    },
    renew(now, limit, me, held, lost) {
      for (const [permit, until] of permits) if (until < now || lost.includes(permit)) permits.delete(permit);
      for (const [permit, until] of permits)
        if (until >= now + 2 * leaseUs) permits.set(permit, now + leaseUs);
      for (const permit of held) permits.set(permit, now + leaseUs);
      return dealt(now, limit, me);
    },
    members: () =>
      [...permits, ...[...line].map(([who, since]) => [who, LINE + since] as const)].toSorted(([a], [b]) =>
        a < b ? -1 : 1,
      ),
  };
}
