import type { ServerResponse } from "node:http";

import { type CancelTimer, type Duration, milliseconds, type Runtime, systemRuntime } from "@breakwater/core";

import { isGone } from "./client-gone.ts";
import { type ProblemResponse, streamFailed, toProblem } from "./problem.ts";
import { pump } from "./pump.ts";
import { sendProblem } from "./send-problem.ts";

export interface EventOptions<T = unknown> {
  /** What is sent of an item, as JSON; `undefined` leaves it out. @default the item as it is */
  readonly render?: (item: T) => unknown;
  /**
   * Sends `: keep-alive` whenever nothing else was sent for this long, for proxies that close silent connections. It
   * may be the first thing that is sent: from then on an error can only be told inside the stream.
   *
   * @default never
   */
  readonly keepAlive?: Duration;
  /** @default the real clock */
  readonly runtime?: Runtime;
}

/** Server-sent events on one response. The head goes out with the first thing that is sent, and not before. */
export interface EventChannel {
  /** False when the client should be waited for. */
  send(data: unknown): boolean;
  /** Says that the stream is complete. */
  end(): void;
  /** No keep-alives from here on. */
  close(): void;
}

/** @internal `begin` is called before the head goes out. */
export function openEvents(
  res: ServerResponse,
  options: EventOptions<never> = {},
  begin: () => void = () => {},
): EventChannel {
  const { keepAlive, runtime = systemRuntime() } = options;
  const ms = keepAlive === undefined ? undefined : milliseconds(keepAlive, "keepAlive");
  let cancel: CancelTimer | undefined;
  let quiet = true;

  const head = (): void => {
    if (res.headersSent) return;
    begin();
    res.removeHeader("content-length"); // of a body that was meant before: a client would read no further
    res.setHeader("content-type", "text/event-stream; charset=utf-8");
    // no-transform keeps compression from collecting tokens, x-accel-buffering keeps nginx from it.
    res.setHeader("cache-control", "no-cache, no-transform");
    res.setHeader("x-accel-buffering", "no");
  };
  const write = (text: string): boolean => {
    head();
    return res.write(text);
  };
  const beat = (): void => {
    if (isGone(res)) return;
    // A client that does not read needs no more to read.
    if (quiet && !res.writableNeedDrain) write(": keep-alive\n\n");
    quiet = true;
    cancel = runtime.setTimer(ms as number, beat);
  };
  if (ms !== undefined) cancel = runtime.setTimer(ms, beat);

  return {
    send(data) {
      quiet = false;
      return write(`data: ${JSON.stringify(data)}\n\n`);
    },
    end() {
      head();
      res.end("data: [DONE]\n\n");
    },
    close: () => cancel?.(),
  };
}

/**
 * Streams an iterable as server-sent events: one `data:` of JSON for each item, `data: [DONE]` after the last one.
 * An error before the first item is thrown, so that it can still have a status of its own; after it, it is an `error`
 * event and there is no `[DONE]`.
 *
 * @returns whether the stream came to its end and the client was there to see it.
 */
export async function sendEvents<T>(
  res: ServerResponse,
  items: AsyncIterable<T>,
  options: EventOptions<T> = {},
): Promise<boolean> {
  const channel = openEvents(res, options);
  try {
    return await streamTo(channel, res, items, options);
  } finally {
    channel.close();
  }
}

/** @internal `tell` is called with an error in the middle. */
export async function streamTo<T>(
  channel: EventChannel,
  res: ServerResponse,
  items: AsyncIterable<T>,
  { render = (item: T): unknown => item }: EventOptions<T>,
  tell: (found: ProblemResponse, error: unknown) => void = (found) => sendProblem(res, found),
): Promise<boolean> {
  try {
    const complete = await pump(res, items[Symbol.asyncIterator](), (item) => {
      const data = render(item);
      return data === undefined || channel.send(data);
    });
    if (complete) channel.end();
    return complete;
  } catch (error) {
    if (!res.headersSent) throw error;
    tell(toProblem(error) ?? streamFailed(), error);
    return false;
  }
}
