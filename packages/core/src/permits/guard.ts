import type { Call } from "../call.ts";
import type { Duration } from "../duration.ts";
import { guard, type Judgement, type Mode } from "../guard.ts";
import { type Any, isPromise, type Policy } from "../handler.ts";
import { createLine, type Line, type Place } from "../internal/line.ts";
import type { Configured, OptionReader } from "../options.ts";
import type { Refusal } from "../outcome.ts";
import { type OutageMode, readStore } from "../store.ts";
import { createMemoryPermitStore, type PermitAsk, type PermitReply, type PermitStore } from "./store.ts";

/** What policies over permits have in common, whoever sets their limit. */
export interface PermitOptions<Req = Any> {
  /** @default the policy's kind */
  readonly name?: string;
  /** @default "enforce" */
  readonly mode?: Mode;
  /** How many calls may wait for their turn. @default 0: refuse at once */
  readonly queue?: number;
  /** How long one may wait. @default "30s" */
  readonly maxWait?: Duration;
  /** Limits each key apart. @default one limit for all */
  readonly key?: (request: Req, call: Call<Req>) => string | undefined;
  /** How long a permit is kept for work that ignores its abort and goes on. @default "30s" */
  readonly grace?: Duration;
  /** Where permits are counted. @default this process */
  readonly store?: PermitStore;
  /** What is done while a shared store is away. @default "local": this process's share of the permits */
  readonly outage?: OutageMode;
}

export interface PermitConfig<Req> {
  readonly name: string;
  readonly mode: Mode;
  readonly queue: number;
  readonly maxWaitMs: number;
  readonly key: PermitOptions<Req>["key"];
  readonly graceMs: number;
  readonly store: PermitStore;
  readonly outage: OutageMode | undefined;
}

export function readPermitOptions<Req>(
  reader: OptionReader,
  kind: string,
  given: PermitOptions<Req>,
): PermitConfig<Req> {
  const { store, outage } = readStore<PermitStore>(reader, given, "decide");
  return {
    name: reader.text("name", kind),
    mode: reader.oneOf("mode", ["enforce", "shadow", "off"], "enforce"),
    queue: reader.count("queue", 0, { min: 0 }),
    maxWaitMs: reader.duration("maxWait", 30_000),
    key: reader.callback<NonNullable<PermitOptions<Req>["key"]>>("key"),
    graceMs: reader.duration("grace", 30_000),
    store: store ?? createMemoryPermitStore(),
    outage,
  };
}

/** Who says how many permits there are. */
export interface Limits {
  of(key: string, call: Call<Any>): number;
  /** How often that was changed by hand; absent if it is found out, and so differs between processes. */
  readonly version?: () => number;
  /** For `snapshot()`. */
  snapshot(): unknown;
  /** Somebody has a permit: whoever learns from how it goes may watch him. */
  admitted?(call: Call<Any>, key: string): void;
  /** Somebody waits for one. */
  waits?(call: Call<Any>, key: string): void;
}

export interface PermitGuard<Req> {
  readonly policy: Policy<Req, Any>;
  /** There is more room than before: calls up who waits, of one key or of all. */
  readonly callUp: (key?: string) => void;
  /** Whether anybody waits. */
  readonly waiting: (key: string) => boolean;
}

/**
 * A guard that holds one permit for each call in flight, to the moment at which its work is over. Who waits is served
 * in order, interactive calls before batch, and is never overtaken by who comes later.
 */
export function permitGuard<Req>(
  kind: string,
  settings: Configured<Any, PermitConfig<Req>>,
  limits: Limits,
): PermitGuard<Req> {
  const { name, store } = settings.now;
  const lines = new Map<string, Waiting>();
  const timedOut: Refusal = { by: name, code: "QUEUE_TIMEOUT" };

  const keyOf = (call: Call<Req>): string => settings.now.key?.(call.request, call) ?? "";

  function askFor(call: Call<Req>, key: string): PermitAsk {
    const limit = limits.of(key, call);
    if (store.shared !== true) return { kind: "permit", name, key, limit };
    // Written out: a spread takes longer than the rest of the guard.
    const { outage } = settings.now;
    return { kind: "permit", name, key, limit, outage, version: limits.version?.() };
  }

  function lineOf(call: Call<Req>, key: string): Waiting {
    const known = lines.get(key);
    if (known !== undefined) return known;
    const unwatch = store.watch?.(askFor(call, key), () => callUp(key));
    const waiting: Waiting = { line: createLine(2), places: new Map(), unwatch };
    lines.set(key, waiting);
    return waiting;
  }

  /** Calls up the next in line. He asks the store again, and leaves the line only with a permit. */
  function callUp(key: string): void {
    const waiting = lines.get(key);
    if (waiting === undefined) return;
    const head = waiting.line.head()?.value;
    if (head === undefined) {
      lines.delete(key);
      waiting.unwatch?.();
    } else if (head.asking) {
      head.again = true; // the answer that he waits for may be older than this
    } else {
      head.asking = true;
      head.wake();
    }
  }

  function queueUp(call: Call<Req>, key: string): Judgement {
    const waiting = lines.get(key);
    const place = waiting?.places.get(call);
    if (place !== undefined) return waitAgain(place.value, key);
    if ((waiting?.line.length ?? 0) >= settings.now.queue) return { by: name, code: "BULKHEAD_FULL" };
    return waitInLine(call, key);
  }

  /** Called up, but the store had no permit after all (another process took it): in line where he stood. */
  function waitAgain(waiter: Waiter, key: string): Judgement {
    if (waiter.late) {
      waiter.done?.();
      callUp(key);
      return timedOut;
    }
    return {
      wait() {
        if (waiter.again) {
          waiter.again = false;
          return Promise.resolve(undefined);
        }
        waiter.asking = false;
        return new Promise((resolve) => (waiter.wake = resolve));
      },
    };
  }

  // Apart from queueUp, because a refusal need not pay for closures.
  const waitInLine = (call: Call<Req>, key: string): Judgement => ({ wait: () => join(call, key) });

  function join(call: Call<Req>, key: string): Promise<Refusal | undefined> {
    const waiting = lineOf(call, key);
    limits.waits?.(call, key);
    return new Promise((resolve) => {
      const waiter: Waiter = { wake: resolve, asking: false, again: false, late: false, done: undefined };
      const place = waiting.line.join(waiter, call.priority === "batch" ? 1 : 0);
      waiting.places.set(call, place);
      const leave = (): void => {
        place.leave();
        waiting.places.delete(call);
      };
      const giveUp = (): void => {
        leave();
        // It may have been his turn: the next one must not wait for somebody who is gone.
        if (waiter.asking || waiting.line.length === 0) callUp(key);
      };
      const cancel = call.runtime.setTimer(settings.now.maxWaitMs, () => {
        waiter.late = true;
        if (waiter.asking) return; // he may just be getting his permit
        giveUp();
        waiter.wake(timedOut); // he may have been called up in vain since, and wait for that anew
      });
      waiter.done = () => {
        cancel();
        leave();
      };
      call.defer(() => {
        cancel();
        if (waiting.places.get(call) !== place) return;
        giveUp();
        waiter.wake(); // the abort has told the outcome already
      });
    });
  }

  const policy = guard<Req, PermitAsk, PermitReply>(kind, {
    ...settings.face,
    store,
    outage: () => settings.now.outage,
    snapshot: () => ({
      limit: limits.snapshot(),
      active: store.active(name),
      queued: Object.fromEntries([...lines].map(([key, { line }]) => [key, line.length])),
    }),
    before(call) {
      if (lines.size === 0) return undefined;
      const key = keyOf(call);
      const waiting = lines.get(key);
      // Somebody waits already: nobody overtakes him, except he himself when he is called up.
      if (
        waiting === undefined ||
        waiting.line.length === 0 ||
        waiting.places.get(call)?.value.asking === true
      )
        return undefined;
      return queueUp(call, key);
    },
    ask: (call) => askFor(call, keyOf(call)),
    judge(reply, call, { key }) {
      return reply.granted ? undefined : queueUp(call, key);
    },
    settle(call, reply, ask) {
      const waiting = lines.get(ask.key);
      const place = waiting?.places.get(call);
      if (waiting !== undefined && place !== undefined) {
        place.value.done?.();
        // There may be room for more than one. Of a store that wakes who waits it is known when there is none.
        if (store.watch === undefined || reply.active < ask.limit || waiting.line.length === 0)
          callUp(ask.key);
      }
      call.hold(() => {
        const released = store.release(ask, reply);
        if (store.watch !== undefined) return;
        if (isPromise(released))
          released.then(
            () => callUp(ask.key),
            () => callUp(ask.key),
          );
        else callUp(ask.key);
      }, settings.now.graceMs);
      limits.admitted?.(call, ask.key);
    },
    pass(call, { key }) {
      const place = lines.get(key)?.places.get(call);
      if (place === undefined) return;
      place.value.done?.();
      callUp(key);
    },
  });

  return {
    policy,
    waiting: (key) => (lines.get(key)?.line.length ?? 0) > 0,
    callUp(key) {
      if (key !== undefined) callUp(key);
      else for (const each of lines.keys()) callUp(each);
    },
  };
}

interface Waiter {
  wake: (refusal?: Refusal) => void;
  /** Called up: he asks the store, or is about to. */
  asking: boolean;
  /** Called up once more meanwhile. */
  again: boolean;
  /** He has waited as long as he may, while he was asking. */
  late: boolean;
  done: (() => void) | undefined;
}

interface Waiting {
  readonly line: Line<Waiter>;
  readonly places: Map<Call<Any>, Place<Waiter>>;
  readonly unwatch: (() => void) | undefined;
}
