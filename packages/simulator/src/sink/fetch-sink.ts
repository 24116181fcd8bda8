import { openAgain, type Door } from "./door.ts";
import { piecesOf } from "./pieces.ts";
import { maximumBodyBytes, type Answering, type IncomingCall, type Sink } from "./sink.ts";

const encoder = new TextEncoder();

/** Nothing is made in advance, so what the queue holds is what the reader has not taken. */
const backlogInBytes = new ByteLengthQueuingStrategy({ highWaterMark: 0 });

/** What Node's fetch names as the cause when a connection ends in an unusual way. */
interface Break {
  readonly message: string;
  readonly code: string;
}
const reset: Break = { message: "read ECONNRESET", code: "ECONNRESET" };
const hungUp: Break = { message: "other side closed", code: "UND_ERR_SOCKET" };
const refused = (port: number): Break => ({
  message: `connect ECONNREFUSED 127.0.0.1:${port}`,
  code: "ECONNREFUSED",
});

const networkError = (headed: boolean, { message, code }: Break): TypeError =>
  new TypeError(headed ? "terminated" : "fetch failed", {
    cause: Object.assign(new Error(message), { code }),
  });

/** A way in, and what answers behind it. */
export interface Way {
  readonly door: Door;
  readonly answer: Answering;
}

/** All requests by one way share one imagined connection. */
interface Entrance extends Way {
  /** The next request is reset. */
  spoiled: boolean;
}

/**
 * A `fetch` that reaches `answer` without a socket: the same bytes, and the errors that Node's own fetch gives.
 *
 * @param wayFor Where a URL leads to.
 */
export function createFetch(wayFor: (url: URL) => Way): typeof fetch {
  const entrances = new Map<Door, Entrance>();
  function enter(url: URL): Entrance {
    const way = wayFor(url);
    const { door } = way;
    let entrance = entrances.get(door);
    if (entrance === undefined) entrances.set(door, (entrance = { ...way, spoiled: false }));
    if (!door.isOpen) throw networkError(false, refused(door.port));
    if (entrance.spoiled) {
      entrance.spoiled = false;
      throw networkError(false, reset);
    }
    return entrance;
  }

  return async (input, init) => {
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    signal?.throwIfAborted();
    const { url, call } = await toCall(input, init);
    signal?.throwIfAborted();
    const entrance = enter(url);
    return new Promise<Response>((resolve, reject) =>
      entrance.answer(call, createFetchSink(entrance, signal, resolve, reject)),
    );
  };
}

async function toCall(
  input: Parameters<typeof fetch>[0],
  init: RequestInit | undefined,
): Promise<{ url: URL; call: IncomingCall }> {
  // The common form is read as it is: a Request costs ten times as much, and follows the signal with a listener of its own.
  const body = init?.body ?? "";
  if (!(input instanceof Request) && typeof body === "string") {
    return describe(input, init?.method ?? "GET", new Headers(init?.headers), body);
  }
  const { signal: _, ...rest } = init ?? {};
  const request = new Request(input, rest);
  return describe(request.url, request.method, request.headers, await request.text());
}

function describe(
  target: string | URL,
  method: string,
  headers: Headers,
  body: string,
): { url: URL; call: IncomingCall } {
  const url = new URL(target);
  const call = {
    method: method.toUpperCase(),
    path: url.pathname,
    query: url.searchParams,
    headers: Object.fromEntries(headers),
    body: Buffer.byteLength(body) > maximumBodyBytes ? undefined : body,
  };
  return { url, call };
}

function createFetchSink(
  entrance: Entrance,
  signal: AbortSignal | undefined,
  resolve: (response: Response) => void,
  reject: (error: unknown) => void,
): Sink {
  let over = false;
  let headed = false;
  let pieceBytes = Infinity;
  let gone: (() => void) | undefined;
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  function finish(): void {
    over = true;
    signal?.removeEventListener("abort", aborted);
  }
  function fail(error: unknown): void {
    finish();
    if (headed) controller?.error(error);
    else reject(error);
  }
  const broken = (how: Break): void => {
    if (!over) fail(networkError(headed, how));
  };
  function aborted(): void {
    if (over) return;
    fail(signal?.reason);
    gone?.();
  }
  signal?.addEventListener("abort", aborted);

  return {
    head(status, headers) {
      if (over) return;
      headed = true;
      const body = new ReadableStream<Uint8Array>(
        {
          start: (made) => {
            controller = made;
          },
          cancel: () => {
            if (over) return;
            finish();
            gone?.();
          },
        },
        backlogInBytes,
      );
      resolve(new Response(body, { status, headers }));
    },
    // A response exists from its head on.
    flush() {},
    write(text) {
      if (over) return;
      const bytes = encoder.encode(text);
      for (const piece of piecesOf(bytes, pieceBytes)) controller?.enqueue(piece);
    },
    backlog: () => -(controller?.desiredSize ?? 0),
    split(bytes) {
      pieceBytes = bytes;
    },
    end() {
      if (over) return;
      finish();
      controller?.close();
    },
    hangUp: () => broken(hungUp),
    reset: () => broken(reset),
    refuse() {
      const { door } = entrance;
      door.shut();
      broken(refused(door.port));
      return () => openAgain(door);
    },
    spoil() {
      entrance.spoiled = true;
    },
    onClientGone(callback) {
      gone = callback;
    },
  };
}
