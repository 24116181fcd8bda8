import type { Call } from "../../call.ts";
import type { Wait } from "../../guard.ts";
import type { Any } from "../../handler.ts";
import { createLine, type Line, type Place } from "../../internal/line.ts";
import type { Refusal } from "../../outcome.ts";
import type { RateLimitAsk, RateLimitReply, RateStanding } from "./store.ts";

/** Who waits for his turn. Per key first come, first served; newcomers stand behind those who wait. */
export interface Turns {
  /** Whether anybody waits. */
  readonly any: boolean;
  /** Whether somebody waits for this key. */
  waiting(key: string): boolean;
  /** Whether it is this call's turn to ask. */
  hasTurn(call: Call<Any>, key: string): boolean;
  /** Behind those who wait, if the wait fits. */
  queueUp(call: Call<Any>, ask: RateLimitAsk): Refusal | Wait;
  /** The store has said not now. */
  notNow(call: Call<Any>, ask: RateLimitAsk, reply: RateLimitReply): Refusal | Wait;
  /** The store has admitted the call. */
  admitted(call: Call<Any>, ask: RateLimitAsk, reply: RateLimitReply): void;
  /** The call waits no more, if it did. */
  pass(call: Call<Any>, key: string): void;
  /** There may be more than was foreseen: who is first in line asks again. */
  callUp(key: string): void;
  callUpAll(): void;
  /** Calls that wait, by key. */
  lengths(): Readonly<Record<string, number>>;
}

interface Waiter {
  readonly call: Call<Any>;
  readonly tokens: number;
  /** When its patience ends. */
  readonly until: number;
  wake: (refusal?: Refusal) => void;
  cancel: () => void;
  gone: boolean;
}

interface Queue {
  readonly line: Line<Waiter>;
  /** What all who wait ask for. */
  tokens: number;
  /** The head of the line: he has asked, and waits for the time that he was told. */
  turn: Place<Waiter> | undefined;
  /** What the store said last, and when. */
  told: { readonly ask: RateLimitAsk; readonly reply: RateLimitReply; readonly at: number };
}

export interface Patience {
  readonly waitMs: number;
  readonly queue: number;
}

/**
 * Only who is first in line asks the store, when the time has come that it told him. So nobody overtakes, and a line of
 * a thousand asks no more often than one. Where the others stand is reckoned from what the store said last.
 */
export function createTurns(name: string, patience: () => Patience): Turns {
  const queues = new Map<string, Queue>();

  function fits(call: Call<Any>, ms: number, patienceMs: number): boolean {
    return ms <= patienceMs && ms < call.remainingMs;
  }

  function join(call: Call<Any>, ask: RateLimitAsk, reply?: RateLimitReply): Promise<Refusal | undefined> {
    const { key, cost } = ask;
    const now = call.runtime.now();
    const { waitMs } = patience();
    let queue = queues.get(key);
    if (queue === undefined) {
      const told = { ask, reply: reply ?? NOTHING_TOLD, at: now };
      queues.set(key, (queue = { line: createLine(1), tokens: 0, turn: undefined, told }));
    }
    const { line } = queue;
    const mine = queue;
    return new Promise((resolve) => {
      const { tokens } = cost;
      const waiter: Waiter = {
        call,
        tokens,
        until: now + waitMs,
        wake: resolve,
        cancel: nothing,
        gone: false,
      };
      const place = line.join(waiter, 0);
      mine.tokens += tokens;
      // Aborted, or refused by somebody else on the way: the next one must not wait for who is gone.
      call.defer(() => leave(mine, place, key));
      if (line.head() === place) {
        mine.turn = place;
        wakeAfter(call, waiter, reply?.retryAfterMs ?? 0);
        return;
      }
      waiter.cancel = call.runtime.setTimer(waitMs, () => {
        resolve(refusalOf(mine, expected(mine, tokens, call.runtime.now())));
        leave(mine, place, key);
      });
    });
  }

  function leave(queue: Queue, place: Place<Waiter>, key: string): void {
    const waiter = place.value;
    if (waiter.gone) return;
    waiter.gone = true;
    waiter.cancel();
    waiter.wake(); // if it was aborted, that has told the outcome already
    place.leave();
    queue.tokens -= waiter.tokens;
    if (queue.turn !== place) return;
    queue.turn = undefined;
    callUp(key);
  }

  function pass(call: Call<Any>, key: string): void {
    const queue = queues.get(key);
    if (queue?.turn?.value.call === call) leave(queue, queue.turn, key);
  }

  function callUp(key: string): void {
    const queue = queues.get(key);
    if (queue === undefined) return;
    const head = queue.line.head();
    queue.turn = head;
    if (head === undefined) {
      queues.delete(key);
      return;
    }
    head.value.cancel();
    head.value.wake();
  }

  /** When a newcomer's turn would come, if all who wait are served, nothing is given back and nobody else takes any. */
  function expected({ line, tokens: ahead, told }: Queue, tokens: number, now: number): number {
    const { ask, reply, at } = told;
    const { limits } = ask;
    let ms = reply.retryAfterMs;
    if (limits.requests !== undefined && reply.requests !== undefined) {
      const { perMs, limit } = limits.requests;
      ms = Math.max(ms, ((line.length + 1 - reply.requests.remaining) * perMs) / limit);
    }
    if (limits.tokens !== undefined && reply.tokens !== undefined) {
      const { perMs, limit } = limits.tokens;
      ms = Math.max(ms, ((ahead + tokens - reply.tokens.remaining) * perMs) / limit);
    }
    return Math.max(1, Math.ceil(ms - (now - at)));
  }

  function refusalOf({ told }: Queue, retryAfterMs: number): Refusal {
    return rateLimited(name, told.ask, told.reply, retryAfterMs);
  }

  return {
    get any() {
      return queues.size > 0;
    },
    waiting: (key) => queues.has(key),
    hasTurn: (call, key) => queues.get(key)?.turn?.value.call === call,
    queueUp(call, ask) {
      const queue = queues.get(ask.key) as Queue;
      const ms = expected(queue, ask.cost.tokens, call.runtime.now());
      const { waitMs, queue: places } = patience();
      if (queue.line.length >= places || !fits(call, ms, waitMs)) return refusalOf(queue, ms);
      return { wait: () => join(call, ask) };
    },
    notNow(call, ask, reply) {
      const now = call.runtime.now();
      const { retryAfterMs } = reply;
      const queue = queues.get(ask.key);
      const turn = queue?.turn;
      if (queue === undefined || turn === undefined || turn.value.call !== call) {
        const { waitMs, queue: places } = patience();
        if ((queue?.line.length ?? 0) >= places || !fits(call, retryAfterMs, waitMs))
          return rateLimited(name, ask, reply, retryAfterMs);
        return { wait: () => join(call, ask, reply) };
      }
      queue.told = { ask, reply, at: now };
      if (!fits(call, retryAfterMs, turn.value.until - now))
        return rateLimited(name, ask, reply, retryAfterMs);
      return {
        wait: () =>
          new Promise((resolve) => {
            turn.value.wake = resolve;
            wakeAfter(call, turn.value, retryAfterMs);
          }),
      };
    },
    admitted(call, ask, reply) {
      const queue = queues.get(ask.key);
      if (queue === undefined) return;
      queue.told = { ask, reply, at: call.runtime.now() };
      pass(call, ask.key);
    },
    pass,
    callUp,
    callUpAll() {
      for (const key of queues.keys()) callUp(key);
    },
    lengths: () => Object.fromEntries([...queues].map(([key, { line }]) => [key, line.length])),
  };
}

function wakeAfter(call: Call<Any>, waiter: Waiter, ms: number): void {
  if (waiter.gone) waiter.wake();
  else waiter.cancel = call.runtime.setTimer(ms, () => waiter.wake());
}

const nothing = (): void => {};
const NOTHING_TOLD: RateLimitReply = { admitted: false, retryAfterMs: 0, at: 0 };

/** A refusal that says how the limit stands that is in the way for longest. */
function rateLimited(
  by: string,
  { limits }: RateLimitAsk,
  { requests, tokens }: RateLimitReply,
  retryAfterMs: number,
): Refusal {
  const refusal = { by, code: "RATE_LIMITED", retryAfterMs };
  const inTheWay = (requests?.retryAfterMs ?? -1) >= (tokens?.retryAfterMs ?? -1) ? "requests" : "tokens";
  const standing: RateStanding | undefined = inTheWay === "requests" ? requests : tokens;
  const limit = limits[inTheWay]?.limit;
  if (standing === undefined || limit === undefined) return refusal;
  return { ...refusal, limit, remaining: Math.max(0, standing.remaining), resetMs: standing.resetMs };
}
