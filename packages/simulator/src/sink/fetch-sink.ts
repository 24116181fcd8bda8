import { maximumBodyBytes, type Answering, type IncomingCall, type Sink } from "./sink.ts";

const encoder = new TextEncoder();

const networkError = (message: string): TypeError =>
  new TypeError(message, { cause: Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }) });

/** A `fetch` that reaches `answer` without a socket: the same bytes, and the errors that Node's own fetch gives. */
export function createFetch(answer: Answering): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const call = await toCall(request);
    const signal = request.signal;
    signal.throwIfAborted();
    return new Promise<Response>((resolve, reject) => answer(call, createFetchSink(signal, resolve, reject)));
  };
}

async function toCall(request: Request): Promise<IncomingCall> {
  const url = new URL(request.url);
  const body = await request.text();
  return {
    method: request.method,
    path: url.pathname,
    query: url.searchParams,
    headers: Object.fromEntries(request.headers),
    body: Buffer.byteLength(body) > maximumBodyBytes ? undefined : body,
  };
}

function createFetchSink(
  signal: AbortSignal,
  resolve: (response: Response) => void,
  reject: (error: unknown) => void,
): Sink {
  let over = false;
  let headed = false;
  let gone: (() => void) | undefined;
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  function finish(): void {
    over = true;
    signal.removeEventListener("abort", aborted);
  }
  function fail(error: unknown): void {
    finish();
    if (headed) controller?.error(error);
    else reject(error);
  }
  function aborted(): void {
    if (over) return;
    fail(signal.reason);
    gone?.();
  }
  signal.addEventListener("abort", aborted);

  return {
    head(status, headers) {
      if (over) return;
      headed = true;
      const body = new ReadableStream<Uint8Array>({
        start: (made) => {
          controller = made;
        },
        cancel: () => {
          if (over) return;
          finish();
          gone?.();
        },
      });
      resolve(new Response(body, { status, headers }));
    },
    // A response exists from its head on.
    flush() {},
    write(text) {
      if (!over) controller?.enqueue(encoder.encode(text));
    },
    end() {
      if (over) return;
      finish();
      controller?.close();
    },
    reset() {
      if (!over) fail(networkError(headed ? "terminated" : "fetch failed"));
    },
    onClientGone(callback) {
      gone = callback;
    },
  };
}
