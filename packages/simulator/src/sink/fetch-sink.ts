import { maximumBodyBytes, type Answering, type IncomingCall, type Sink } from "./sink.ts";

const encoder = new TextEncoder();

const networkError = (message: string): TypeError =>
  new TypeError(message, { cause: Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }) });

/** A `fetch` that reaches `answer` without a socket: the same bytes, and the errors that Node's own fetch gives. */
export function createFetch(answer: Answering): typeof fetch {
  return async (input, init) => {
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    signal?.throwIfAborted();
    const call = await toCall(input, init);
    signal?.throwIfAborted();
    return new Promise<Response>((resolve, reject) => answer(call, createFetchSink(signal, resolve, reject)));
  };
}

async function toCall(
  input: Parameters<typeof fetch>[0],
  init: RequestInit | undefined,
): Promise<IncomingCall> {
  // The common form is read as it is: a Request costs ten times as much, and follows the signal with a listener of its own.
  const body = init?.body ?? "";
  if (!(input instanceof Request) && typeof body === "string") {
    return describe(input, init?.method ?? "GET", new Headers(init?.headers), body);
  }
  const { signal: _, ...rest } = init ?? {};
  const request = new Request(input, rest);
  return describe(request.url, request.method, request.headers, await request.text());
}

function describe(target: string | URL, method: string, headers: Headers, body: string): IncomingCall {
  const url = new URL(target);
  return {
    method: method.toUpperCase(),
    path: url.pathname,
    query: url.searchParams,
    headers: Object.fromEntries(headers),
    body: Buffer.byteLength(body) > maximumBodyBytes ? undefined : body,
  };
}

function createFetchSink(
  signal: AbortSignal | undefined,
  resolve: (response: Response) => void,
  reject: (error: unknown) => void,
): Sink {
  let over = false;
  let headed = false;
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
