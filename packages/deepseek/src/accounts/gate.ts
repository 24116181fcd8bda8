/** What may be used until it is refused, and again once a probe went well: an account, or a key. Pure, told the time. */
export interface Gate {
  readonly open: boolean;
  /** Grows with every change: what was sent before one says nothing of what came after it. */
  readonly epoch: number;
  /** Whether its one probe is under way. */
  readonly probing: boolean;
  /** Refused. `epoch` is that of the moment when the call was sent; an older one changes nothing. @returns whether it closed */
  close(now: number, epoch: number): boolean;
  /** Something was answered. Earlier refusals are forgotten, unless it is closed: what was answered was sent before. */
  succeed(): void;
  /** Milliseconds until a probe is due; 0 when one is, or while one is under way. */
  dueInMs(now: number): number;
  /** Takes the one probe if it is due. */
  probe(now: number): Ticket | undefined;
  /** What the probe came to. `unclear`: it said nothing, so nothing changes but the time of the next. @returns whether it opened */
  settle(ticket: Ticket, verdict: Verdict, now: number): boolean;
  /** Gives the probe back: the next one may go at once. */
  release(ticket: Ticket): void;
  /** By hand, as if nothing had been. */
  reset(): void;
}

export type Verdict = "good" | "bad" | "unclear";

/** Opaque: what takes it must end it. */
export interface Ticket {
  readonly epoch: number;
}

export interface GateOptions {
  /** Between the first two probes that go badly; doubled from one to the next. */
  readonly waitMs: number;
  readonly maxWaitMs: number;
}

/**
 * The first probe is due at once, so that a refusal by mistake costs one small request and not a pause. The second is
 * due `waitMs` after it, the third twice as long after that. A refusal right after a good probe, with nothing answered
 * between, goes on counting: a host whose two answers contradict each other is not asked without end.
 */
export function createGate({ waitMs, maxWaitMs }: GateOptions): Gate {
  let open = true;
  let epoch = 0;
  /** Refusals and bad probes since something was answered. */
  let strikes = 0;
  let dueAt = 0;
  let current: Ticket | undefined;

  const wait = (): number =>
    strikes <= 1 ? 0 : Math.min(maxWaitMs, waitMs * 2 ** Math.min(strikes - 2, 50));

  function turn(to: boolean): void {
    open = to;
    epoch++;
    current = undefined;
  }

  return {
    get open() {
      return open;
    },
    get epoch() {
      return epoch;
    },
    get probing() {
      return current !== undefined;
    },
    close(now, sentIn) {
      if (!open || sentIn !== epoch) return false;
      turn(false);
      strikes++;
      dueAt = now + wait();
      return true;
    },
    succeed() {
      if (open) strikes = 0;
    },
    dueInMs: (now) => (open ? 0 : Math.max(0, dueAt - now)),
    probe(now) {
      if (open || current !== undefined || now < dueAt) return undefined;
      current = { epoch };
      return current;
    },
    settle(ticket, verdict, now) {
      if (ticket !== current) return false;
      current = undefined;
      if (verdict === "good") {
        turn(true);
        return true;
      }
      if (verdict === "bad") strikes++;
      dueAt = now + Math.max(wait(), waitMs);
      return false;
    },
    release(ticket) {
      if (ticket === current) current = undefined;
    },
    reset() {
      if (!open) turn(true);
      strikes = 0;
    },
  };
}
