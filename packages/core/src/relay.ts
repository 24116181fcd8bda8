import type { Call } from "./call.ts";
import { withTimes } from "./ending.ts";
import type { Any } from "./handler.ts";
import type { Ending } from "./outcome.ts";
import { outcomeOfThrown } from "./thrown.ts";

export interface RelayOptions<T> {
  /** The item that was already read, to learn that there is an answer. */
  readonly first?: IteratorResult<T, unknown>;
  /** Whether this item is progress. @default every item */
  readonly progress?: (item: T) => boolean;
  /** How long a reader may leave an item unfetched before the stream is given up, in ms. @default 60_000 */
  readonly readerStallMs?: number;
  /**
   * Whether the items given out so far are the whole answer, as the one with a finish reason makes them, although the
   * source is not at its end: a reader who leaves then has been answered. @default never
   */
  readonly complete?: () => boolean;
}

export interface Relay<T> {
  readonly stream: AsyncIterableIterator<T>;
  /** Resolves when the stream is really over; for the outcome. */
  readonly end: Promise<Ending>;
}

/**
 * The one place in which streams are made. Passes items on as they are asked for and sees to it that the stream has
 * an ending, exactly one: at its last item, at its error, when its reader leaves (also before the first read), when
 * its reader falls asleep, when the call is aborted. Who leaves or sleeps when he has all of it has been answered.
 *
 * An iterator written by hand: `return()` on an async generator that never started does not run its `finally`.
 */
export function relay<T>(source: AsyncIterator<T>, call: Call<Any>, options: RelayOptions<T> = {}): Relay<T> {
  const { complete = () => false, progress = () => true, readerStallMs = 60_000 } = options;
  let first = options.first;
  let settle: (ending: Ending) => void = () => {};
  const end = new Promise<Ending>((resolve) => (settle = resolve));
  let over = false;
  let failure: { readonly error: unknown } | undefined;
  let interrupt: (() => void) | undefined;
  let cancelStall: (() => void) | undefined;
  let reading = false;
  let forget: () => void = () => {}; // until there is something to forget: the call may be aborted already

  function finish(status: Ending["status"], details: Partial<Ending> = {}): void {
    if (over) return;
    over = true;
    cancelStall?.();
    forget();
    const ending = withTimes({ status, endedAt: call.runtime.now(), ...details }, call);
    settle(ending);
    call.endStream(ending); // at once: who leaves a loop and asks again finds his permit free
  }

  /** Ends with an error: the next read tells it, or the one that is outstanding. */
  function fail(error: unknown, ending: Partial<Ending> & Pick<Ending, "status">): void {
    if (over) return;
    failure = { error };
    finish(ending.status, { error, ...ending });
    interrupt?.();
  }

  /** Permits are given back when the source has really stopped. */
  function stopSource(): Promise<unknown> | undefined {
    if (source.return === undefined) return undefined;
    const stopping = (async () => source.return?.())().catch(() => undefined); // also when it throws at once
    call.leaves(stopping);
    return stopping;
  }

  forget = call.onAbort((reason) => {
    // The signal has told the source already; not all sources listen.
    if (over) return;
    void stopSource();
    const outcome = call.abortOutcome();
    fail(reason, outcome.status === "failed" ? omitMeta(outcome) : { status: "cancelled", error: reason });
  });

  function awaitReader(): void {
    call.mark("paused");
    cancelStall = call.runtime.setTimer(readerStallMs, () => {
      const whole = complete();
      void stopSource();
      if (whole) finish("answered");
      else fail(new StalledReaderError(readerStallMs), { status: "cancelled" });
    });
  }

  async function read(): Promise<IteratorResult<T, undefined>> {
    let result: IteratorResult<T, unknown>;
    if (first !== undefined) {
      result = first;
      first = undefined;
    } else {
      call.mark("resumed");
      // Interruptible: a silent source must not keep a reader whose call is over.
      result = await new Promise<IteratorResult<T, unknown>>((resolve, reject) => {
        interrupt = () => (failure === undefined ? resolve(DONE) : reject(failure.error));
        source.next().then(resolve, reject);
      });
      interrupt = undefined;
      if (over) return endOrThrow();
      if (result.done !== true && progress(result.value)) call.mark("token");
    }
    if (result.done === true) {
      finish("answered");
      return DONE;
    }
    awaitReader();
    return { done: false, value: result.value };
  }

  function endOrThrow(): IteratorResult<T, undefined> {
    if (failure === undefined) return DONE;
    throw failure.error;
  }

  const stream: AsyncIterableIterator<T> = {
    async next() {
      cancelStall?.();
      if (over) return endOrThrow();
      if (reading)
        throw new TypeError("a stream is read by one reader: the read before this one has not come back yet");
      reading = true;
      try {
        return await read();
      } catch (error) {
        if (!over) {
          const outcome = outcomeOfThrown(error, call);
          fail(error, outcome.status === "failed" ? omitMeta(outcome) : { status: outcome.status, error });
        }
        throw error;
      } finally {
        reading = false;
      }
    },
    async return(value?: unknown) {
      if (!over) {
        const whole = complete();
        const stopping = stopSource();
        finish(whole ? "answered" : "cancelled");
        interrupt?.();
        // As a for-await loop over a generator does; but not for a source that is in the middle of a read, which may be deaf.
        if (reading) call.endGuests();
        else await stopping;
      }
      return { done: true, value: value as undefined };
    },
    [Symbol.asyncIterator]() {
      return stream;
    },
  };

  if (!over) awaitReader();
  return { stream, end };
}

const DONE = { done: true, value: undefined } as const;

function omitMeta<O extends { meta: unknown }>({ meta: _, ...rest }: O): Omit<O, "meta"> {
  return rest;
}

/** The reader of a stream neither read on nor left; what it held has been given back. */
export class StalledReaderError extends Error {
  override readonly name = "StalledReaderError";
  constructor(ms: number) {
    super(
      `the stream was given up: its reader asked for nothing in ${ms} ms. Read it to its end, or leave the loop.`,
    );
  }
}
