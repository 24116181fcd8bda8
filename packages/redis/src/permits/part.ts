import { chain, isPromise, type PermitAsk, type PermitReply, type PermitStore } from "@breakwater/core";

import type { Context, Part, Pending } from "../decide/part.ts";
import type { Agreed } from "../presence/agreement.ts";
import { permitTerms } from "../presence/terms.ts";
import { CALLED_UP, permitLua, type PermitShape, SIZES } from "./lua.ts";
import { createSpots, type Spot } from "./spots.ts";
import { asksRedis, createQueues } from "./waiting.ts";

/** Permits that processes share: leases with an owner, renewed by his heartbeat. */
export interface PermitPart
  extends Part<PermitAsk, PermitReply>, Required<Pick<PermitStore, "release" | "active" | "watch">> {
  /** Waits for nothing any more. */
  close(): void;
}

export interface PermitPartOptions {
  /** How long a place is kept for a process that has been called up, in ms. @default 300 */
  readonly keepMs?: number;
  /** After how long Redis is told again who waits, in ms, and up to as much by chance. @default 1_000 */
  readonly patienceMs?: number;
}

/** For so many leases a set that was kept is good: it lives for four. */
const KEPT_FOR = 2;
/** Permits in one operation: a script is short, since everybody else waits for it. */
const AT_ONCE = 200;
/** The part of a lease after which a permit that was asked for is not taken any more: it may be somebody else's. */
const TRUSTED = 2 / 3;
/** Lost permits that are remembered for one name and key; one that is not lapses after a lease. */
const LOST = 200;

export function createPermitPart(context: Context, options: PermitPartOptions = {}): PermitPart {
  const { agreement, leaseMs, outbox, presence, runtime, scope } = context;
  const { keepMs = 300, patienceMs = 1_000 } = options;
  const channel = `${scope.channel("permits")}:`;
  const lua = permitLua({ leaseMs, keepMs, channel });
  const spots = createSpots(scope);
  const queues = createQueues({ context, spots, channel, patienceMs });
  const { me } = queues;
  const prefix = `${presence.instance}:`;
  let permits = 0;

  const nextPermit = (): string => prefix + (permits++).toString(36);

  const agreed = ({ name, limit, version }: PermitAsk) => agreement.on(permitTerms, name, limit, version);

  function start(ask: PermitAsk, { config: limit, mismatch }: Agreed<number>): Pending<PermitReply> {
    const { name, key } = ask;
    const news = mismatch === undefined ? {} : { mismatch };
    const known = spots.find(name, key);
    if (known !== undefined) known.limit = limit;
    const shape: PermitShape = known?.waiting === undefined ? "p" : "pw";
    let permit: string | undefined;
    let sentAt = 0;
    let keeps = false;

    return {
      shape,
      ...(presence.learning && { known: knownFrom({ ...whileLearning(ask, limit), ...news }) }),
      write(keys, args) {
        permit = nextPermit();
        sentAt = runtime.now();
        keys.push(spots.permitsOf(name, key));
        keeps = sentAt - (known?.keptAt ?? -Infinity) > KEPT_FOR * leaseMs;
        args.push(permit, limit, keeps ? 1 : 0);
        if (shape === "pw") args.push(me);
      },
      read(values, at, taken) {
        const said = values[at] as number;
        const kept = shape === "pw" && values[at + 1] === 1;
        if (said >= 0 && taken && runtime.now() - sentAt > leaseMs * TRUSTED) {
          missed(name, key, limit, permit as string);
          return { granted: false, active: said - 1, ...news };
        }
        if (said >= 0 && taken) {
          const spot = spots.at(name, key);
          spot.limit = limit;
          spot.held.set(permit as string, true);
          if (keeps) spot.keptAt = sentAt;
          spot.used ||= said > 1;
          queues.granted(spot);
          return { granted: true, active: said, permit: permit as string, ...news };
        }
        const active = said < 0 ? -1 - said : said;
        if (said < 0) {
          const spot = spots.at(name, key);
          spot.limit = limit;
          spot.used = true;
          if (spot.waiting !== undefined) queues.refused(spot, kept);
          // There are places, and somebody waits who has not been called up: they have become free unseen.
          else if (active < limit) queues.passOn(spots.permitsOf(name, key), limit);
        } else if (kept) queues.passOn(spots.permitsOf(name, key), limit);
        // Without the name of a permit there is nothing to give back.
        return { granted: said >= 0, active, ...news };
      },
      idle: () => ({ granted: true, active: known?.held.size ?? 0, ...news }),
      lost() {
        if (permit !== undefined) missed(name, key, limit, permit);
      },
    };
  }

  /** This process's share, of all that it holds: what Redis granted before it went away runs on. */
  function local({ name, key }: PermitAsk, limit: number): PermitReply {
    const spot = spots.at(name, key);
    spot.limit = limit;
    const share = Math.max(1, Math.floor(limit / presence.instances));
    const active = spot.held.size;
    if (active >= share) {
      spots.forgetIdle(spot);
      return { granted: false, active, source: "local" };
    }
    const permit = nextPermit();
    spot.held.set(permit, false);
    return { granted: true, active: active + 1, permit, source: "local" };
  }

  /** Granted perhaps, and not held: by nobody's knowledge, or because this process stood still while the lease ran out. */
  function missed(name: string, key: string, limit: number, permit: string): void {
    const spot = spots.at(name, key);
    spot.limit = limit;
    lose(spot, permit);
    giveBack(spot, permit).catch(() => {}); // the heartbeat says it once more
    queues.refused(spot, false);
  }

  /** Redis hears of it at once: when all have learned it decides again, and what it did not know of it would give twice. */
  function whileLearning(ask: PermitAsk, limit: number): PermitReply {
    const reply = local(ask, limit);
    if (!reply.granted) return reply;
    const { held, permits: set } = spots.at(ask.name, ask.key);
    const permit = reply.permit as string;
    held.set(permit, true);
    const args = [limit, me, prefix, number(permit), ""];
    outbox.push({ name: "permit-renew", keys: [set], args }).catch(() => {}); // the next heartbeat says it again
    return reply;
  }

  /** A release whose fate is not known is said again with every heartbeat, for a lease. */
  function lose({ lost }: Spot, permit: string): void {
    for (const [oldest] of lost) {
      if (lost.size < LOST) break;
      lost.delete(oldest);
    }
    lost.set(permit, runtime.now());
  }

  function giveBack(spot: Spot, permit: string): Promise<void> {
    const { permits: set, limit } = spot;
    const told = outbox.push({ name: "permit-release", keys: [set], args: [limit, me, permit], again: true });
    return told.then((said) => {
      if (said === CALLED_UP) queues.calledUp(set, limit);
    });
  }

  /** @returns when Redis knows, if it has to */
  function giveUp({ name, key }: PermitAsk, { permit }: PermitReply): Promise<void> | undefined {
    const spot = permit === undefined ? undefined : spots.find(name, key);
    const told = spot?.held.get(permit as string);
    if (spot === undefined || told === undefined) return undefined;
    spot.held.delete(permit as string);
    spots.forgetIdle(spot);
    if (!told) return undefined;
    return giveBack(spot, permit as string).catch(() => lose(spots.at(name, key), permit as string));
  }

  presence.onBeat(() => {
    const now = runtime.now();
    for (const spot of spots) {
      for (const [permit, since] of spot.lost) if (now - since > leaseMs) spot.lost.delete(permit);
      renew(spot).catch(() => {}); // the next heartbeat says it again
      spot.used = false;
      spots.forgetIdle(spot);
    }
    queues.enlistAll();
    return spots.size > 0;
  });

  /** Says by name all that is held. What lapsed meanwhile, or was lost by Redis, is there again. */
  async function renew(spot: Spot): Promise<void> {
    const { permits: set, limit, held, lost, used, waiting } = spot;
    const ids = [...held.keys()];
    let without = Array.from(lost.keys(), number).join(" ");
    if (ids.length === 0 && without === "" && !used && waiting === undefined) return;
    do {
      // What has been given back since must not come back to life.
      const some = ids.splice(0, AT_ONCE).filter((permit) => held.has(permit));
      for (const permit of some) held.set(permit, true);
      const args = [limit, me, prefix, some.map(number).join(" "), without];
      without = "";
      // One after the other, each in a script of its own.
      const sentAt = runtime.now();
      const said = await outbox.push({ name: "permit-renew", keys: [set], args });
      spot.keptAt = sentAt;
      if (said === CALLED_UP) queues.calledUp(set, limit);
    } while (ids.length > 0);
  }

  const number = (permit: string): string => permit.slice(prefix.length);

  return {
    fragment: (shape, at) => lua.fragment(shape as PermitShape, at),
    size: (shape) => SIZES[shape as PermitShape],
    operations: lua.operations,
    begin: (ask) => chain(agreed(ask), (limit) => start(ask, limit)),
    local(ask) {
      const known = agreed(ask);
      if (isPromise(known)) return local(ask, ask.limit);
      const { config, mismatch } = known;
      return { ...local(ask, config), ...(mismatch && { mismatch }) };
    },
    undo: (ask, reply) => void giveUp(ask, reply),
    release(ask, reply) {
      const given = giveUp(ask, reply);
      if (asksRedis(context)) return given;
      // It is told later. Who waits in this process need not wait for that.
      const spot = spots.find(ask.name, ask.key);
      if (spot !== undefined) queues.wake(spot);
      return undefined;
    },
    active: (name) =>
      Object.fromEntries(
        Array.from(spots.of(name), ({ key, held }) => [key, held.size] as const).filter(([, out]) => out > 0),
      ),
    watch(ask, wake) {
      const spot = spots.at(ask.name, ask.key);
      spot.limit = ask.limit; // what is agreed upon is known with the next ask
      return queues.watch(spot, wake);
    },
    close: queues.close,
  };
}

const knownFrom = (reply: PermitReply): { reply: PermitReply; refuses: boolean } => ({
  reply,
  refuses: !reply.granted,
});
