import type { Capacity } from "./capacity.ts";
import type { Alarm, Clock } from "./clock.ts";
import type { CheckedAction } from "./faults/action.ts";
import type { ReplicaChange, ReplicaTrouble } from "./replica-trouble.ts";
import type { Rng } from "./rng.ts";
import { openAgain, type Door } from "./sink/door.ts";
import { createSlots, type Slots } from "./slots.ts";

/** One machine of the simulated host. */
export interface ReplicaOptions {
  /** Part of a path: letters, digits, `-` and `_`. */
  name: string;
  /** @default the option `capacity.slots` */
  slots?: number;
  /** @default the option `capacity.queue` */
  queue?: number;
  /** A listener of its own, on 127.0.0.1; 0 takes a free port. Only such a replica can really refuse connections. */
  port?: number;
}

/** How a replica stands. */
export interface ReplicaState {
  readonly name: string;
  /** False while it is dead, closed, or in the low part of a flap. */
  readonly up: boolean;
  /** In force now. */
  readonly slots: number;
  readonly queue: number;
  readonly active: number;
  readonly queued: number;
  readonly maxActive: number;
  readonly maxQueued: number;
  readonly completed: number;
  readonly rejected: number;
  /** What is wrong with it now, by whomever. */
  readonly trouble: ReplicaTrouble;
}

/** A machine: slots, a queue, and what may be wrong with it. */
export interface Replica extends Pick<Slots, "enter" | "active" | "queued"> {
  readonly name: string;
  readonly isUp: boolean;
  /** What it can do now. */
  capacity(): Capacity;
  /** What a brownout holds for a request. */
  fault(rngFor: (purpose: string) => Rng): CheckedAction | undefined;
  change(change: ReplicaChange): void;
  /** Lets nobody connect, or lets them again; who is served already is served to the end. */
  setClosed(closed: boolean): void;
  /** After a change of what it depends on. */
  settle(): void;
  count(outcome: "completed" | "rejected"): void;
  state(): ReplicaState;
}

/** What a replica lives in. */
export interface Site {
  readonly clock: Clock;
  /** Limits of every replica: the options, and on top of them the scenario's. */
  capacity(): Capacity;
  scenario(): Partial<Capacity>;
  /** What the scenario says of this one. */
  scripted(): ReplicaTrouble;
  /** Its own listener, if it has one. */
  door(): Door | undefined;
  /** Breaks every request that it serves. */
  breakAll(): void;
  onLoad(): void;
}

export function createReplica({ name, slots, queue }: ReplicaOptions, site: Site): Replica {
  const own: { slots?: number; queue?: number } = {
    ...(slots === undefined ? {} : { slots }),
    ...(queue === undefined ? {} : { queue }),
  };
  let troubles: ReplicaTrouble = {};
  let trouble: ReplicaTrouble = {};
  let capacity = site.capacity();
  let isClosed = false;
  let isUp = true;
  let flapping: { upMs: number; downMs: number; alarm: Alarm; isDown: boolean } | undefined;
  let brownoutEnd: Alarm | undefined;
  const counts = { completed: 0, rejected: 0 };
  const places = createSlots(() => capacity, site.onLoad);

  function settle(): void {
    trouble = { ...site.scripted(), ...troubles };
    capacity = impaired({ ...site.capacity(), ...own, ...site.scenario() }, trouble);
    flap();
    const up = !isClosed && trouble.dead !== true && flapping?.isDown !== true;
    const changed = up !== isUp;
    isUp = up;
    if (changed) open(up);
    if (up) places.pump();
  }

  function open(up: boolean): void {
    const door = site.door();
    if (up) {
      if (door !== undefined) openAgain(door);
      return;
    }
    door?.shut();
    if (!isClosed) site.breakAll();
  }

  /** Starts, ends or keeps the ups and downs; it begins with an up. */
  function flap(): void {
    const wanted = trouble.flap;
    if (wanted?.upMs === flapping?.upMs && wanted?.downMs === flapping?.downMs) return;
    flapping?.alarm.cancel();
    if (wanted === undefined) return void (flapping = undefined);
    const turn = (isDown: boolean): void => {
      const alarm = site.clock.after(isDown ? wanted.downMs : wanted.upMs, () => {
        turn(!isDown);
        settle();
      });
      flapping = { ...wanted, alarm, isDown };
    };
    turn(false);
  }

  return {
    name,
    get isUp() {
      return isUp;
    },
    get active() {
      return places.active;
    },
    get queued() {
      return places.queued;
    },
    enter: places.enter,
    capacity: () => capacity,
    fault(rngFor) {
      const rate = trouble.brownout?.errorRate ?? 0;
      if (rate === 0 || rngFor(`brownout:${name}`).next() >= rate) return undefined;
      return { name: "503", params: {} };
    },
    change({ slots: moreSlots, queue: moreQueue, ...changes }) {
      if (moreSlots !== undefined) own.slots = moreSlots;
      if (moreQueue !== undefined) own.queue = moreQueue;
      troubles = Object.fromEntries(
        Object.entries({ ...troubles, ...changes }).filter(([, value]) => value != null),
      );
      if (changes.brownout !== undefined) {
        brownoutEnd?.cancel();
        const forMs = changes.brownout?.forMs;
        brownoutEnd =
          forMs === undefined
            ? undefined
            : site.clock.after(forMs, () => {
                const { brownout: _, ...others } = troubles;
                troubles = others;
                settle();
              });
      }
      settle();
    },
    setClosed(closed) {
      isClosed = closed;
      settle();
    },
    settle,
    count(outcome) {
      counts[outcome] += 1;
    },
    state: () => ({
      name,
      up: isUp,
      slots: capacity.slots,
      queue: capacity.queue,
      active: places.active,
      queued: places.queued,
      maxActive: places.maxActive,
      maxQueued: places.maxQueued,
      ...counts,
      trouble,
    }),
  };
}

/** What is left of a machine's capacity. */
function impaired(capacity: Capacity, { brownout = {}, capacityDrop }: ReplicaTrouble): Capacity {
  const { latencyX = 1, tpsX = 1, slotsX = 1 } = brownout;
  return {
    ...capacity,
    slots: Math.floor(Math.min(capacity.slots, capacityDrop?.slots ?? Infinity) * slotsX),
    prefillMs: capacity.prefillMs * latencyX,
    prefillTokensPerSecond: capacity.prefillTokensPerSecond / latencyX,
    decodeSpeed: capacity.decodeSpeed * tpsX,
  };
}
