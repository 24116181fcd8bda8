import type { Next } from "../../around.ts";
import { discard } from "../../attempt.ts";
import { type Call, DISCARDED } from "../../call.ts";
import { type Any, type Assembly, chain, isPromise, type MaybePromise } from "../../handler.ts";
import type { Mark } from "../../marks.ts";
import { answered, cancelled, type Ending, type Meta, type Outcome } from "../../outcome.ts";
import { relay } from "../../relay.ts";
import { remember } from "../../thrown.ts";
import { type Copier, replay } from "./copier.ts";
import { type Cursor, createSharedLog, LaggingReaderError, type SharedLog } from "./shared-log.ts";

/** Told to somebody who joined: this answer cannot be shared, ask by yourself. */
export const ALONE: unique symbol = Symbol("breakwater: alone");

/** Told to all: the answer is not this attempt's, which was not made. */
export const ELSEWHERE: unique symbol = Symbol("breakwater: elsewhere");

export type Landing<Res> = Outcome<Res> | typeof ALONE | typeof ELSEWHERE;

/** What is known before an attempt is made, so that there need be none. Never rejects. */
export type Before = (call: Call<Any>) => MaybePromise<Outcome<never> | typeof ELSEWHERE | undefined>;

/** A complete answer, before anybody has it. */
export interface Cargo {
  readonly value: unknown;
  /** Whether it was streamed; `value` is the list of its items then. */
  readonly stream: boolean;
  /** Known for a stream, whose items are measured as they come. */
  readonly bytes?: number;
  /** Of a stream that was put together: where its items had their borders. */
  readonly cuts?: unknown;
}

export interface FlightOptions {
  readonly copier: Copier;
  /** So much of a stream is kept for those who join later. */
  readonly keepBytes: number;
  /** Goes on when nobody waits for it any more. */
  readonly unattended?: boolean;
  /** The answer is complete. Called before it is handed to anybody. */
  onComplete(cargo: Cargo): void;
  /** Nobody can join any more. Once. `landed`: what it came to, before any stream in it was read. */
  onOver(landed: Outcome<Any> | undefined): void;
  /** Something in a stream cannot be copied. */
  onUncopyable(error: unknown): void;
}

/** One attempt that any number of calls wait for: none of them owns it, each may leave, the last one ends it. */
export interface Flight<Res> {
  /** The attempt. Nothing around it ends it. */
  readonly call: Call<Any>;
  /** Whether he gets the whole answer who comes now. */
  joinable(call: Call<Any>): boolean;
  /** Whether it is in its synchronous part, where only work inside it can ask for it. */
  readonly starting: boolean;
  /** Starts the attempt, for `leader` or for nobody, unless `before` knows what it would come to. */
  depart(
    next: Next<Any, Res>,
    leader: Call<Any> | undefined,
    before?: Before,
  ): MaybePromise<Landing<Res>> | undefined;
  join(call: Call<Any>): MaybePromise<Landing<Res>>;
  /** From now on it ends when nobody waits for it. */
  attend(): void;
}

interface Seat<Res> {
  readonly call: Call<Any>;
  /** Whose attempt it is in the books; all others cost nothing. */
  readonly leads: boolean;
  /** What he wants to have if that is not what this attempt asks for: the stream whole, or the whole as a stream. */
  readonly wants: "whole" | "stream" | undefined;
  resolve: (landing: Landing<Res>) => void;
  /** Listens no more for the call's abort. */
  forget: () => void;
  /** Waits no more for the end of a stream. */
  calm: () => void;
}

/** For an item that cannot be measured. */
const GUESS_BYTES = 256;

/** A reader this many times behind what is kept for joiners is given up. */
const LAG = 4;

/** How long those who leave last keep what they hold for work that ignores its abort. */
const GRACE_MS = 30_000;

export function createFlight<Res>(call: Call<Any>, options: FlightOptions): Flight<Res> {
  const { copier, keepBytes, onComplete, onOver, onUncopyable } = options;
  const { shapes } = copier;
  const seats = new Set<Seat<Res>>();
  let unattended = options.unattended === true;
  let starting = false;
  let outcome: Outcome<Res> | undefined;
  let log: SharedLog<Item> | undefined;
  /** Whether every item so far could be copied. */
  let pristine = true;
  /** What is put together of a stream, for those who want it whole and to be kept so. */
  let assembly: Assembly<unknown, unknown> | undefined;
  let over = false;

  function end(): void {
    if (over) return;
    over = true;
    onOver(outcome);
  }

  // --- Those who wait ---

  function sit(who: Call<Any>, leads: boolean): Seat<Res> {
    const seat: Seat<Res> = {
      call: who,
      leads,
      wants: wantsOf(who),
      resolve: nothing,
      forget: nothing,
      calm: nothing,
    };
    seats.add(seat);
    call.extendDeadline(who.deadline);
    return seat;
  }

  function wantsOf(who: Call<Any>): Seat<Res>["wants"] {
    if (shapes === undefined) return undefined;
    const streams = shapes.streams(who.request);
    return streams === shapes.streams(call.request) ? undefined : streams ? "stream" : "whole";
  }

  /** He waits on while others read; what they are given does not count as seen by him. */
  function waitOn(seat: Seat<Res>, from: SharedLog<Item>): void {
    seat.calm = from.rush();
    seat.call.mark("withheld");
  }

  function wait(seat: Seat<Res>): Promise<Landing<Res>> {
    return new Promise((resolve) => {
      seat.resolve = resolve;
      seat.forget = seat.call.onAbort((reason) => {
        leave(seat, reason);
        resolve(seat.call.abortOutcome());
      });
    });
  }

  function leave(seat: Seat<Res>, reason: unknown): void {
    if (!seats.delete(seat)) return;
    seat.calm();
    abandon(reason, seat.call);
  }

  /** Ends the attempt if nobody is left. What `last` holds is given back when its work has really stopped. */
  function abandon(reason: unknown, last?: Call<Any>): void {
    if (over || unattended || seats.size > 0) return;
    end();
    last?.leaves(new Promise<void>((resolve) => call.hold(() => resolve(), GRACE_MS)));
    call.abort(reason);
  }

  call.watch((mark) => {
    if (UNTOLD.has(mark)) return;
    for (const seat of seats) {
      if (mark === "token" && log !== undefined && seat.wants !== "whole") continue; // told by his own stream
      if (mark !== "dispatched" || seat.leads) seat.call.markShared(mark);
    }
  });

  // --- The answer ---

  function start(next: Next<Any, Res>): MaybePromise<Outcome<Res>> {
    starting = true;
    const result = next(call);
    starting = false;
    return result;
  }

  /** It is over before its attempt has begun, and so nobody else concludes it. */
  function skip(known: Outcome<never> | typeof ELSEWHERE): Outcome<never> | typeof ELSEWHERE {
    call.conclude(known === ELSEWHERE ? cancelled(DISCARDED, call.meta) : known);
    return known;
  }

  function land(result: Outcome<Res> | typeof ELSEWHERE): void {
    if (result === ELSEWHERE) {
      end();
      for (const seat of seats) {
        seat.forget();
        leave(seat, DISCARDED);
        seat.resolve(ELSEWHERE);
      }
      return;
    }
    outcome = result;
    if (result.status === "answered") {
      if (result.end === undefined) onComplete({ value: result.value, stream: false });
      else if (isStream(result.value)) {
        log = createSharedLog<Item>({ keepBytes, lagBytes: LAG * keepBytes });
        assembly = shapes?.assemble();
        void pump(log, result.value, result.end);
      }
      // Else a stream of another kind. It has one reader.
    }
    if (log === undefined) {
      if (seats.size === 0) discard(result);
      end();
    }
    let first = true;
    for (const seat of seats) {
      if (log !== undefined && seat.wants === "whole") {
        waitOn(seat, log);
        continue;
      }
      seat.forget();
      seat.resolve(deliver(seat, first));
      if (seat.wants === undefined) first = false;
    }
  }

  /** `original`: the first one gets the answer itself, all others copies, made before he can change it. */
  function deliver(seat: Seat<Res>, original: boolean): Landing<Res> {
    const { call: who } = seat;
    const landed = outcome as Outcome<Res>;
    tell(seat);
    if (landed.status === "answered" && log !== undefined) return stream(seat, log);
    leave(seat, who.reason);
    if (landed.status !== "answered") return { ...landed, meta: who.meta };
    if (seat.wants === "stream" && landed.end === undefined) return inPieces(who, landed.value);
    if (original && seat.wants === undefined) {
      if (landed.end !== undefined) who.onAbort((reason) => call.abort(reason));
      return { ...landed, meta: who.meta };
    }
    if (landed.end !== undefined) return ALONE;
    try {
      return answered(copier.value(landed.value) as Res, who.meta);
    } catch {
      return ALONE;
    }
  }

  /** What came whole, for somebody who asked for a stream. */
  function inPieces(who: Call<Any>, value: unknown): Landing<Res> {
    try {
      const items = shapes?.pieces(copier.value(value), undefined, who.request) ?? [];
      const { stream: pieces, end: ending } = relay(replay(items, who.runtime), who);
      return answered(pieces as Res, who.meta, ending);
    } catch {
      return ALONE;
    }
  }

  /** Those who want the stream whole wait no more. */
  function release(landing: (who: Call<Any>) => Landing<Res>): void {
    for (const seat of seats) {
      if (seat.wants !== "whole") continue;
      seat.forget();
      tell(seat);
      leave(seat, DISCARDED);
      seat.resolve(landing(seat.call));
    }
  }

  function stream(seat: Seat<Res>, from: SharedLog<Item>): Outcome<Res> {
    const { call: who } = seat;
    const cursor: Cursor<Item> = from.open();
    const source: AsyncIterator<unknown> = {
      async next() {
        try {
          const step = await cursor.next();
          if (step.done !== true) return { done: false, value: out(step.value) };
        } catch (error) {
          if (error instanceof LaggingReaderError)
            remember(error, { status: "cancelled", reason: error, meta: who.meta });
          leave(seat, error);
          throw error;
        }
        leave(seat, DISCARDED);
        return { done: true, value: undefined };
      },
      async return() {
        cursor.close();
        leave(seat, who.aborted ? who.reason : DISCARDED);
        return { done: true, value: undefined };
      },
    };
    if (call.firstTokenAt !== undefined && who.firstTokenAt === undefined) who.mark("token");
    const { stream: items, end: ending } = relay(source, who);
    return answered(items as Res, who.meta, ending);
  }

  function out({ item, copyable }: Item): unknown {
    return copyable ? copier.item(item) : item;
  }

  async function pump(
    into: SharedLog<Item>,
    from: AsyncIterable<unknown>,
    ended: Promise<Ending>,
  ): Promise<void> {
    try {
      const items = from[Symbol.asyncIterator]();
      for (;;) {
        await into.room();
        if (over) return;
        const step = await items.next();
        if (over) return;
        if (step.done === true) break;
        const kept = keep(step.value);
        assemble(kept[0]);
        into.append(...kept);
        if (unattended && !into.whole && assembly === undefined) attend(); // too long to be kept: only worth it if somebody reads
      }
    } catch (error) {
      close(into, await ended, error);
      return;
    }
    const ending = await ended;
    close(into, ending, ending.error);
  }

  function keep(item: unknown): [item: Item, bytes: number] {
    try {
      const copy = copier.item(item);
      return [{ item: copy, copyable: true }, copier.sizeOfItem(copy)];
    } catch (error) {
      if (pristine) onUncopyable(error);
      pristine = false;
      return [{ item, copyable: false }, GUESS_BYTES];
    }
  }

  /** What cannot be put together, or is too long to be, has to be asked for by those who want it whole. */
  function assemble({ item, copyable }: Item): void {
    if (assembly === undefined) return;
    try {
      assembly.add(item);
      if (copyable && assembly.bytes <= keepBytes) return;
    } catch (error) {
      onUncopyable(error);
    }
    assembly = undefined;
    release(() => ALONE);
  }

  /** What is to be kept of a stream that has come to its end. */
  function cargoOf(into: SharedLog<Item>): Cargo | undefined {
    if (shapes === undefined) {
      const items = pristine ? into.items() : undefined;
      return items && { value: items.map(({ item }) => item), stream: true, bytes: into.bytes };
    }
    if (assembly === undefined) return undefined;
    const { whole, cuts } = assembly.finish();
    return { value: whole, stream: false, cuts };
  }

  function close(into: SharedLog<Item>, ending: Ending, error: unknown): void {
    if (over) return;
    const { usage } = call.meta;
    for (const { leads, call: who } of seats) {
      if (leads && ending.usage !== undefined) who.usage = ending.usage;
      if (usage !== undefined) who.meta[leads ? "usage" : "saved"] = usage;
    }
    if (ending.status === "answered") {
      const cargo = cargoOf(into);
      if (cargo !== undefined) onComplete(cargo);
      end();
      into.close();
      release((who) => (cargo === undefined ? ALONE : answered(copier.value(cargo.value) as Res, who.meta)));
    } else {
      end();
      // Judged where it failed; those who read it here must not judge it again.
      remember(error, outcomeOf(ending, error, call.meta));
      into.close({ error });
      release((who) => outcomeOf(ending, error, who.meta));
    }
  }

  /** The leader learns everything, as if it had been his own attempt; the others learn who answered. */
  function tell({ leads, call: who }: Seat<Res>): void {
    const { callId: _, attempts: __, waitedMs, firstTokenMs, usage, cache, ...answerer } = call.meta;
    Object.assign(who.meta, answerer);
    if (!leads) {
      if (usage !== undefined) who.meta.saved = usage;
      return;
    }
    if (waitedMs !== undefined) who.meta.waitedMs = (who.meta.waitedMs ?? 0) + waitedMs;
    if (firstTokenMs !== undefined) who.meta.firstTokenMs = firstTokenMs;
    if (usage !== undefined) who.meta.usage = usage;
    if (cache !== undefined) who.meta.cache = cache;
    if (call.usage !== undefined) who.usage = call.usage;
  }

  function attend(): void {
    unattended = false;
    abandon(DISCARDED);
  }

  return {
    call,
    joinable(who) {
      if (starting || over) return false;
      if (log === undefined) return true;
      return wantsOf(who) === "whole" ? assembly !== undefined : log.whole && pristine;
    },
    get starting() {
      return starting;
    },
    depart(next, leader, before) {
      // Seated before it starts, so that he is told what is marked at once.
      const seat = leader === undefined ? undefined : sit(leader, true);
      const result =
        before === undefined
          ? start(next)
          : chain<Known, Outcome<Res> | typeof ELSEWHERE>(before(call), (known) =>
              known === undefined ? start(next) : skip(known),
            );
      if (isPromise(result)) {
        void result.then(land);
        return seat === undefined ? undefined : wait(seat);
      }
      let landing: Landing<Res> | undefined;
      if (seat !== undefined) seat.resolve = (landed) => (landing = landed);
      land(result);
      return landing;
    },
    join(who) {
      const seat = sit(who, false);
      if (log !== undefined && seat.wants !== "whole") return deliver(seat, false);
      if (log !== undefined) waitOn(seat, log);
      return wait(seat);
    },
    attend,
  };
}

type Known = Awaited<ReturnType<Before>>;

interface Item {
  readonly item: unknown;
  readonly copyable: boolean;
}

/** How those who wait fare is told by their own streams; these are about ours. */
const UNTOLD: ReadonlySet<Mark> = new Set<Mark>(["answered", "paused", "resumed"]);

const nothing = (): void => {};

function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

function outcomeOf(ending: Ending, error: unknown, meta: Meta): Outcome<never> {
  if (ending.status !== "failed") return { status: "cancelled", reason: error, meta };
  const { fault, retryable, scope, retryAfterMs, limit, spent } = ending;
  return {
    status: "failed",
    error,
    fault: fault ?? "upstream",
    retryable: retryable ?? false,
    ...(scope !== undefined && { scope }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(limit !== undefined && { limit }),
    ...(spent !== undefined && { spent }),
    meta,
  };
}
