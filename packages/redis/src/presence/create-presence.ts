import type { CancelTimer, Runtime } from "@breakwater/core";

import { type Link, LinkError } from "../connection/link.ts";
import type { Scope } from "../keys.ts";
import type { Agreement } from "./agreement.ts";
import { BEAT, type Heard, KEPT_MS, readBeat } from "./beat.ts";
import { createAgreement } from "./create-agreement.ts";
import type { Presence } from "./presence.ts";

export interface PresenceOptions {
  readonly link: Link;
  readonly runtime: Runtime;
  readonly scope: Scope;
  readonly leaseMs: number;
  /** Processes that are reckoned with at least; while Redis is away nobody can be counted. */
  readonly instances: number;
  /**
   * How long all learn after Redis lost its state: until everybody who lives has noticed and has said again what he
   * holds. Who is reconnected notices at once, the others at their next beat.
   *
   * @default a third of the lease and a second, at least two seconds
   */
  readonly learnMs?: number;
}

/** Leases without use after which the heartbeat rests. */
const RESTS_AFTER = 3;
/** A process that Redis cannot be asked about counts for this long: its fellows outlive most outages. */
const REMEMBERED_MS = 600_000;
/** Ids are short, and there are more of them than anybody could make by chance twice. */
const ID_LENGTH = 16;

export function createPresence(options: PresenceOptions): { presence: Presence; agreement: Agreement } {
  const { link, runtime, scope, leaseMs, instances: least } = options;
  const { learnMs = Math.max(2_000, leaseMs / 3 + 1_000) } = options;
  const everyMs = leaseMs / 3;
  const holdsMs = Math.max(leaseMs, learnMs);
  const instance = randomId(runtime);
  const keys = [scope.key("instances"), scope.key("boot"), scope.key("configs")] as const;
  const {
    agreement,
    declared,
    heard: heardConfigs,
  } = createAgreement({
    up: () => link.up,
    declare: beat,
    idOf: (kind, name) => scope.key(kind, name),
  });

  const listeners: ((again: boolean) => boolean | void)[] = [];
  let last: Heard | undefined;
  /** When the last confirmed beat was sent: the lease runs from then at the earliest. */
  let confirmedAt = -Infinity;
  let usedAt = -Infinity;
  /** The most processes that were seen lately: after an outage they come back one by one. */
  let peak = 0;
  let peakAt = -Infinity;
  let learnsUntil = -Infinity;
  /** Counts losses of the connection, and in which of its lives Redis has confirmed this process. */
  let session = 0;
  let confirmedIn = -1;
  let holding = false;
  let closed = false;
  let running: Promise<void> | undefined;
  let cancel: CancelTimer | undefined;

  const wanted = (): boolean => holding || runtime.now() - usedAt < RESTS_AFTER * leaseMs;

  function beat(): Promise<void> {
    if (closed) return Promise.reject(new LinkError("the store was closed", false));
    if (running === undefined) {
      running = send().then(
        () => ended(everyMs),
        (error: unknown) => {
          ended(everyMs / 4);
          throw error;
        },
      );
      running.catch(() => {}); // whoever waits for it is told; the timer tries again
    }
    return running;
  }

  async function send(): Promise<void> {
    cancel?.();
    cancel = undefined;
    const sentAt = runtime.now();
    const sentIn = session;
    const reply = await link.run(BEAT, keys, [
      instance,
      Math.ceil(leaseMs * 1_000),
      last?.boot ?? "",
      randomId(runtime),
      Math.ceil(learnMs * 1_000),
      KEPT_MS,
      peak,
      ...declared(),
    ]);
    hear(readBeat(reply), sentAt, sentIn);
  }

  function hear(heard: Heard, sentAt: number, sentIn: number): void {
    const again =
      sentIn !== confirmedIn || heard.entered || heard.boot !== last?.boot || sentAt - confirmedAt >= leaseMs;
    if (sentAt - confirmedAt >= REMEMBERED_MS) peak = 0;
    if (again) peakAt = sentAt;
    if (heard.instances >= peak || sentAt - peakAt >= holdsMs) {
      peak = heard.instances;
      peakAt = sentAt;
    }
    last = heard;
    confirmedAt = sentAt;
    confirmedIn = sentIn;
    learnsUntil = runtime.now() + (heard.learnUntil - heard.now) / 1_000;
    heardConfigs(heard.configs);
    holding = false;
    for (const listener of listeners) {
      try {
        if (listener(again) === true) holding = true;
      } catch {
        // Whoever listens badly must not keep the heart from beating.
      }
    }
  }

  function ended(nextMs: number): void {
    running = undefined;
    // While Redis is away nothing is tried: it tells when it is back.
    if (!closed && link.up && wanted()) arm(nextMs);
  }

  function arm(ms: number): void {
    cancel = runtime.setTimer(ms, () => {
      cancel = undefined;
      void beat();
    });
  }

  const forget = link.onChange((up) => {
    if (!up) session++;
    else if (wanted()) void beat();
  });

  const presence: Presence = {
    instance,
    instancesKey: keys[0],
    ready() {
      const now = runtime.now();
      const before = usedAt;
      usedAt = now;
      if (confirmedIn === session && now - confirmedAt < leaseMs && !closed) {
        // It was resting.
        if (cancel === undefined && running === undefined) arm(everyMs);
        return undefined;
      }
      // After a day without use nobody knows whether Redis has lost its state or has only forgotten this scope.
      if (now - Math.max(before, confirmedAt) >= KEPT_MS) last = undefined;
      return beat();
    },
    get instances() {
      return runtime.now() - confirmedAt < REMEMBERED_MS ? Math.max(least, peak) : least;
    },
    get learnUntil() {
      return last?.learnUntil ?? 0;
    },
    get learning() {
      return runtime.now() < learnsUntil;
    },
    onBeat: (f) => void listeners.push(f),
    async close() {
      if (closed) return;
      closed = true;
      cancel?.();
      forget();
      await running?.catch(() => {});
      // One that is not told that we are gone finds out when the lease is over.
      if (last !== undefined && link.up) await link.command("ZREM", [keys[0], instance]).catch(() => {});
    },
  };
  return { presence, agreement };
}

/** Letters and digits. */
function randomId(runtime: Runtime): string {
  let id = "";
  while (id.length < ID_LENGTH) id += Math.floor(runtime.random() * 36).toString(36);
  return id;
}
