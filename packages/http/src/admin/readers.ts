import { type BreakwaterEvent, type CancelTimer, plainEvent, type Runtime } from "@breakwater/core";

/** Whoever follows the events while they happen. */
export interface Readers {
  /**
   * A response that tells all events from now on, of these types only if some are named; `undefined` where so many read
   * already that there can be no more.
   */
  open(types: ReadonlySet<string> | undefined, reader: Reader): Response | undefined;
  tell(event: BreakwaterEvent): void;
  close(): void;
}

/** What is known of who reads. */
interface Reader {
  /** Fires when he has left. */
  readonly signal: AbortSignal;
  /** Whether his server is shutting down: it would wait for him. */
  readonly ending?: (() => boolean) | undefined;
  /** Closes his connection, where that can be done. */
  readonly cut?: (() => void) | undefined;
}

const MAX_READERS = 50;
/** What is kept for a reader who is slow; what comes when it is full is lost to him. */
const MAX_BYTES = 64 * 1024;
/** Proxies close connections that are silent for longer. */
const KEEP_ALIVE_MS = 15_000;
/** Who reads nothing for this long has gone without a word. */
const PATIENCE_MS = 30_000;
/** How soon he hears of a shutdown. */
const TICK_MS = 1_000;

export function createReaders(runtime: Runtime): Readers {
  const readers = new Set<Channel>();
  return {
    open(types, reader) {
      if (readers.size >= MAX_READERS) return undefined;
      return new Response(openChannel(runtime, types, reader, readers), {
        headers: {
          "content-type": "text/event-stream; charset=utf-8",
          // no-transform keeps compression from collecting events, x-accel-buffering keeps nginx from it.
          "cache-control": "no-store, no-transform",
          "x-accel-buffering": "no",
        },
      });
    },
    tell(event) {
      if (readers.size === 0) return;
      // Written once for all of them, and only if one of them wants it.
      let frame: Uint8Array | undefined;
      for (const reader of readers)
        if (reader.wants(event.type))
          reader.send((frame ??= frameOf(event.type, plainEvent(event, { identities: true }))));
    },
    close() {
      for (const reader of readers) reader.end();
    },
  };
}

interface Channel {
  wants(type: string): boolean;
  send(frame: Uint8Array): void;
  end(): void;
}

function openChannel(
  runtime: Runtime,
  types: ReadonlySet<string> | undefined,
  { cut, ending, signal }: Reader,
  readers: Set<Channel>,
): ReadableStream<Uint8Array> {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  let lost = 0;
  let heardAt = runtime.now();
  let readAt = heardAt;
  let cancel: CancelTimer = () => {};

  const stop = (): void => {
    cancel();
    signal.removeEventListener("abort", leave);
    readers.delete(channel);
  };
  const leave = (): void => {
    stop();
    controller.error(signal.reason);
  };
  const hasRoom = (): boolean => (controller.desiredSize ?? 0) > 0;
  const write = (frame: Uint8Array): void => {
    controller.enqueue(frame);
    heardAt = runtime.now();
  };
  const tellLost = (): void => {
    if (lost === 0 || !hasRoom()) return;
    write(frameOf("lost", { count: lost }));
    lost = 0;
  };
  const end = (): void => {
    stop();
    controller.close();
  };
  const tick = (): void => {
    const now = runtime.now();
    if (ending?.() === true) return end();
    if (hasRoom()) {
      if (now - heardAt >= KEEP_ALIVE_MS) write(KEEP_ALIVE);
    } else if (now - readAt >= PATIENCE_MS) {
      stop();
      controller.error(new Error("the reader does not read"));
      cut?.();
      return;
    }
    cancel = runtime.setTimer(TICK_MS, tick, true);
  };

  const channel: Channel = {
    end,
    wants: (type) => types === undefined || types.has(type),
    send(frame) {
      tellLost();
      if (!hasRoom()) lost++;
      else write(frame);
    },
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start: (made) => void (controller = made),
      // Asked for more: some of it was read.
      pull() {
        readAt = runtime.now();
        tellLost();
      },
      cancel: stop,
    },
    { highWaterMark: MAX_BYTES, size: (frame) => frame?.byteLength ?? 0 },
  );
  readers.add(channel);
  write(KEEP_ALIVE);
  cancel = runtime.setTimer(TICK_MS, tick, true);
  if (signal.aborted) leave();
  else signal.addEventListener("abort", leave, { once: true });
  return body;
}

const encoder = new TextEncoder();
const KEEP_ALIVE = encoder.encode(": keep-alive\n\n");

/** JSON has no line breaks of its own; a type that is no word of ours could have. */
function frameOf(type: string, data: unknown): Uint8Array {
  const name = /^[a-z-]{1,64}$/.test(type) ? `event: ${type}\n` : "";
  return encoder.encode(`${name}data: ${JSON.stringify(data)}\n\n`);
}
