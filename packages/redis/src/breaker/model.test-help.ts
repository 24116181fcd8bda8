import type { Shared } from "./shared.ts";

/** What a process asks, or tells, with the numbers of its configuration; times are µs. */
export interface Numbers {
  readonly probes: number;
  readonly lease: number;
  readonly ramp: number;
  readonly openFor: number;
  readonly maxOpenFor: number;
}

const SECOND = 1_000_000;

/** One shared circuit, as simply as it can be said: what the Lua must do. It is handed the time. */
export class Model {
  shared: Shared = { status: "closed", epoch: 0, until: 0, openings: 0, closedAt: 0 };
  length = 0;
  well = 0;
  closer = "";
  leases = new Map<string, number>();
  votes = new Map<string, number>();

  /** @returns admitted 0, a probe 1, refused 2, the first probe 3; the wait */
  ask(now: number, id: string, chance: number, { probes, lease, ramp }: Numbers): readonly number[] {
    const { status, until, openings, closedAt } = this.shared;
    if (status === "forced-open") return [2, 0];
    if (status === "closed" && openings > 0) {
      const age = now - closedAt;
      const refused = age >= 0 && age < ramp && chance / SECOND >= Math.max(0.1, age / ramp);
      return refused ? [2, ramp - age] : [0, 0];
    }
    if (status === "open") {
      const left = until - now;
      if (left > 0 && left <= this.length + SECOND) return [2, left];
      this.enter(now, { status: "half-open" });
      this.leases.set(id, now + lease);
      return [3, left];
    }
    if (status !== "half-open") return [0, 0];
    const out = [...this.leases.values()].filter((end) => end > now && end <= now + lease + SECOND);
    const well = Math.min(this.well, probes - 1);
    if (out.length + well >= probes) return [2, out.length > 0 ? Math.min(...out) - now : lease];
    this.well = well;
    for (const [other, end] of this.leases)
      if (end <= now || end >= now + lease + SECOND) this.leases.delete(other);
    this.leases.set(id, now + lease);
    return [1, 0];
  }

  /** @returns transition: open 1, close 2; whether the probe still had its lease */
  verdict(
    now: number,
    id: string,
    epoch: number,
    result: number,
    begun: boolean,
    jitter: number,
    n: Numbers,
  ): number[] {
    const held = this.leases.delete(id);
    const said = (transition: number): number[] => [transition, held ? 1 : 0];
    if (this.shared.status === "closed" && result === 2 && this.closer === id)
      return said(this.open(now, jitter, n));
    if (this.shared.status !== "half-open" || this.shared.epoch !== epoch || result === 0) return said(0);
    if (result === 2) return said(held || begun ? this.open(now, jitter, n) : 0);
    if (!held || ++this.well < n.probes) return said(0);
    this.enter(now, { status: "closed", closedAt: now });
    if (result === 3) this.closer = id;
    return said(2);
  }

  vote(
    now: number,
    who: string,
    epoch: number,
    life: number,
    trip: boolean,
    jitter: number,
    n: Numbers,
    live: ReadonlySet<string>,
  ): number {
    if (this.shared.status !== "closed" || this.shared.epoch !== epoch) return 0;
    if (trip) return this.open(now, jitter, n);
    for (const [other, end] of this.votes) if (end <= now) this.votes.delete(other);
    this.votes.set(who, now + life);
    const open = [...this.votes.keys()].filter((one) => one === who || live.has(one)).length;
    const alive = Math.max(1, live.size);
    return open >= Math.min(alive, Math.max(2, Math.ceil(0.3 * alive))) ? this.open(now, jitter, n) : 0;
  }

  recovered(epoch: number): void {
    if (this.shared.status === "closed" && this.shared.epoch === epoch)
      this.shared = { ...this.shared, openings: 0 };
  }

  force(now: number, status: Shared["status"]): void {
    this.enter(now, { status, openings: 0 });
  }

  /** Told again by somebody who remembers it so. */
  restore(shared: Shared, length: number): void {
    if (shared.epoch <= this.shared.epoch) return;
    this.shared = shared;
    this.length = length;
    this.well = 0;
    this.closer = "";
  }

  private open(now: number, jitter: number, { openFor, maxOpenFor }: Numbers): number {
    const { openings } = this.shared;
    const length = Math.min(maxOpenFor, openFor * 2 ** Math.min(openings, 30));
    this.length = Math.floor(Math.min(maxOpenFor, (length * jitter) / 1000));
    this.enter(now, { status: "open", until: now + this.length, openings: openings + 1 });
    return 1;
  }

  private enter(now: number, changes: Partial<Shared>): void {
    const epoch = Math.max(this.shared.epoch + 1, Math.floor(now / 1000));
    this.shared = { ...this.shared, ...changes, epoch };
    this.well = 0;
    this.closer = "";
    this.leases.clear();
    if (changes.status !== "half-open") this.votes.clear();
  }
}
