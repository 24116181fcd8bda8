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
  const { store, outage } = readStore<PermitStore>(reader, given);
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

  const keyOf = (call: Call<Req>): string => settings.now.key?.(call.request, call) ?? "";

  function lineOf(key: string): Waiting {
    let line = lines.get(key);
    if (line === undefined) lines.set(key, (line = { line: createLine(2), turn: undefined }));
    return line;
  }

  /** Calls up the next in line. He asks the store again, and leaves the line only with a permit. */
  function callUp(key: string): void {
    const waiting = lines.get(key);
    if (waiting === undefined) return;
    const head = waiting.line.head();
    waiting.turn = head;
    if (head === undefined) lines.delete(key);
    else head.value.wake();
  }

  function queueUp(call: Call<Req>, key: string): Judgement {
    const waiting = lines.get(key);
    const calledUp = waiting?.turn?.value.call === call ? waiting.turn : undefined;
    if (waiting !== undefined && calledUp !== undefined) return waitAgain(calledUp, waiting);
    if ((waiting?.line.length ?? 0) >= settings.now.queue) return { by: name, code: "BULKHEAD_FULL" };
    return waitInLine(call, key);
  }

  // Apart from queueUp, because a refusal need not pay for closures.
  const waitInLine = (call: Call<Req>, key: string): Judgement => ({ wait: () => join(call, key) });

  function join(call: Call<Req>, key: string): Promise<Refusal | undefined> {
    const waiting = lineOf(key);
    limits.waits?.(call, key);
    return new Promise((resolve) => {
      const place = waiting.line.join({ call, wake: resolve }, call.priority === "batch" ? 1 : 0);
      const leave = (): void => {
        place.leave();
        // It may have been his turn: the next one must not wait for somebody who is gone.
        if (waiting.turn === place || waiting.line.length === 0) callUp(key);
      };
      const cancel = call.runtime.setTimer(settings.now.maxWaitMs, () => {
        leave();
        resolve({ by: name, code: "QUEUE_TIMEOUT" });
      });
      place.value.done = () => {
        cancel();
        place.leave();
      };
      call.defer(() => {
        cancel();
        leave();
        resolve(undefined); // the abort has told the outcome already
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
      if (waiting === undefined || waiting.line.length === 0 || waiting.turn?.value.call === call)
        return undefined;
      return queueUp(call, key);
    },
    ask(call) {
      const key = keyOf(call);
      const ask = { kind: "permit", name, key, limit: limits.of(key, call) } as const;
      if (store.shared !== true) return ask;
      return { ...ask, outage: settings.now.outage, version: limits.version?.() };
    },
    judge(reply, call, { key }) {
      return reply.granted ? undefined : queueUp(call, key);
    },
    settle(call, reply, ask) {
      const waiting = lines.get(ask.key);
      if (waiting?.turn?.value.call === call) {
        waiting.turn.value.done?.();
        callUp(ask.key); // there may be room for more than one
      }
      call.hold(() => {
        const released = store.release(ask, reply);
        if (isPromise(released))
          released.then(
            () => callUp(ask.key),
            () => callUp(ask.key),
          );
        else callUp(ask.key);
      }, settings.now.graceMs);
      limits.admitted?.(call, ask.key);
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
  readonly call: Call<Any>;
  wake: (refusal?: Refusal) => void;
  done?: () => void;
}

interface Waiting {
  readonly line: Line<Waiter>;
  /** Who has been called up and has not got his permit yet. */
  turn: Place<Waiter> | undefined;
}

/** Called up, but the store had no permit after all (another process took it): first in line as before. */
function waitAgain(place: Place<Waiter>, waiting: Waiting): Judgement {
  return {
    wait() {
      waiting.turn = undefined;
      return new Promise((resolve) => (place.value.wake = resolve));
    },
  };
}
