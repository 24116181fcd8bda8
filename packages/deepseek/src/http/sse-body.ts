import type { Ending, Runtime } from "@breakwater/core";

import { rawOf } from "../raw.ts";
import type { ChatChunk } from "../types.ts";

/** A streamed answer, or the event that stands for the error that came instead. */
export type Feed =
  | { readonly chunks: AsyncIterator<ChatChunk>; readonly end?: Promise<Ending> | undefined }
  | { readonly event: string };

export interface SseBodyOptions {
  readonly runtime: Runtime;
  /** Writes `: keep-alive` when there was nothing to write for so long, in ms. */
  readonly keepAliveMs?: number;
  /** The event that tells an error, or undefined to break the stream off with it. */
  readonly inBand: (error: unknown, ending: Ending | undefined) => string | undefined;
  /** The reader has left. */
  readonly onCancel?: (reason: unknown) => void;
}

const KEEP_ALIVE = ": keep-alive\n\n";
const DONE = "data: [DONE]\n\n";

interface Piece {
  readonly text: string;
  readonly last: boolean;
}

/**
 * A streamed answer as bytes, read from as it is read: a slow client slows the host down, and nothing piles up here.
 * Keep-alives stand between events only.
 */
export function sseBody(feed: Feed | Promise<Feed>, options: SseBodyOptions): ReadableStream<Uint8Array> {
  const { runtime, keepAliveMs, inBand, onCancel } = options;
  const encoder = new TextEncoder();
  let pending: Promise<Piece> | undefined;
  let left = false;

  async function nextPiece(): Promise<Piece> {
    const known = await feed;
    if ("event" in known) return { text: known.event, last: true };
    try {
      const result = await known.chunks.next();
      return result.done === true
        ? { text: DONE, last: true }
        : { text: `data: ${rawOf(result.value).replaceAll("\n", "\ndata: ")}\n\n`, last: false };
    } catch (error) {
      const event = inBand(error, await known.end);
      if (event === undefined) throw error;
      return { text: event, last: true };
    }
  }

  async function leave(reason: unknown): Promise<void> {
    left = true;
    onCancel?.(reason);
    const known = await Promise.resolve(feed).catch(() => undefined);
    if (known !== undefined && "chunks" in known) await known.chunks.return?.();
  }

  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // Aborted while nobody reads: who has not asked for more yet is told when he does, and not given what was left.
        const watch = async (): Promise<void> => {
          const known = await feed;
          const ending = "chunks" in known ? await known.end : undefined;
          if (ending?.status !== "cancelled" || left || pending !== undefined) return;
          if (inBand(ending.error, ending) === undefined) controller.error(ending.error);
        };
        watch().catch(() => undefined);
      },
      async pull(controller) {
        pending ??= nextPiece();
        const piece = await orKeepAlive(pending);
        if (left) return;
        if (piece === undefined) {
          controller.enqueue(encoder.encode(KEEP_ALIVE));
          return;
        }
        pending = undefined;
        controller.enqueue(encoder.encode(piece.text));
        if (piece.last) controller.close();
      },
      cancel: leave,
    },
    { highWaterMark: 0 },
  );

  async function orKeepAlive(piece: Promise<Piece>): Promise<Piece | undefined> {
    if (keepAliveMs === undefined) return piece;
    let cancelTimer: () => void = () => {};
    const silence = new Promise<undefined>((resolve) => {
      cancelTimer = runtime.setTimer(keepAliveMs, () => resolve(undefined));
    });
    try {
      return await Promise.race([piece, silence]);
    } finally {
      cancelTimer();
    }
  }
}
