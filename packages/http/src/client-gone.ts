import type { IncomingMessage, ServerResponse } from "node:http";

/**
 * Why a call was cancelled: whoever asked for it has closed the connection. Named `AbortError`, so that SDKs and
 * `fetch` take it for what it is.
 */
export class ClientGoneError extends Error {
  override readonly name = "AbortError";
  readonly code = "CLIENT_GONE";
  constructor() {
    super("the client closed the connection before it had its answer");
  }
}

/** Whether nobody is left to answer. False once the whole answer has been handed over. */
export function isGone(res: ServerResponse): boolean {
  return (res.closed || res.destroyed || res.socket?.destroyed === true) && !res.writableFinished;
}

/** Fires when the client leaves before its answer is complete, and never after that. */
export function clientSignal(req: IncomingMessage, res: ServerResponse): AbortSignal {
  const controller = new AbortController();
  const leave = (): void => controller.abort(new ClientGoneError());
  if (isGone(res)) leave();
  else {
    // `close` comes after every response, also after a complete one.
    res.once("close", () => {
      if (!res.writableFinished) leave();
    });
    // A client that leaves in the middle of its own request, or behind another one on the same connection.
    req.once("close", () => {
      if (!req.complete) leave();
    });
  }
  return controller.signal;
}

/**
 * Whether this error only says that the client has left, in whichever words: nobody is there to be told, and a log
 * has nothing to learn. A mistake of ours is still a mistake when the browser is gone.
 */
export function isLeave(error: unknown, res: ServerResponse): boolean {
  if (!isGone(res)) return false;
  for (let depth = 0, at = error; depth < 8 && typeof at === "object" && at !== null; depth++) {
    const { name, code, constructor, cause } = at as Partial<Record<"name" | "code" | "cause", unknown>> & {
      constructor?: { name: string };
    };
    if (name === "AbortError" || LEFT.has(code) || constructor?.name === "APIUserAbortError") return true;
    at = cause;
  }
  return false;
}

/** As a socket, a pipe, and a parser in the middle of a request say it. */
const LEFT: ReadonlySet<unknown> = new Set([
  "ECONNRESET",
  "EPIPE",
  "ERR_STREAM_PREMATURE_CLOSE",
  "HPE_INVALID_EOF_STATE",
]);

/** What a wait came to when the client left during it. */
export const GONE: unique symbol = Symbol("breakwater: the client is gone");

/** Waits that end when the client leaves. One wait at a time. */
export interface Watch {
  orGone<T>(promise: Promise<T>): Promise<T | typeof GONE>;
  /** Until the client has taken what was written. */
  drained(): Promise<unknown>;
  readonly gone: boolean;
  stop(): void;
}

/**
 * One listener for a whole stream. `Promise.race` against one long-lived promise would keep a reaction per token
 * until the stream ends.
 */
export function watchClient(res: ServerResponse): Watch {
  let gone = isGone(res);
  let interrupt: (() => void) | undefined;
  const onClose = (): void => {
    gone = true;
    interrupt?.();
  };
  res.once("close", onClose);
  const watch: Watch = {
    orGone: (promise) =>
      new Promise((resolve, reject) => {
        interrupt = () => resolve(GONE);
        promise.then(resolve, reject);
        if (gone) interrupt();
      }),
    drained: () =>
      watch.orGone(
        new Promise<void>((resolve) => {
          res.once("drain", resolve);
        }),
      ),
    get gone() {
      return gone;
    },
    stop: () => void res.off("close", onClose),
  };
  return watch;
}
