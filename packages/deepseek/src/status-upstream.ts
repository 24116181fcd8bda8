import { answered, type Call, failed, type Outcome, relay, type Upstream } from "@breakwater/core";

import { errorFailure } from "./classify.ts";
import { type FetchRequest, isReplayable } from "./fetch-request.ts";
import { retryAfterOf } from "./retry-after.ts";
import { transportFailure } from "./transport-failure.ts";
import type { Fetch } from "./transport.ts";

/** Error responses of the attempts, by error: the last one is given to the caller as it is. */
const responses = new WeakMap<object, Response>();

/** The response that stands behind a failure, if it came from the host. */
export function responseOf(error: unknown): Response | undefined {
  return typeof error === "object" && error !== null ? responses.get(error) : undefined;
}

/**
 * Everything that is not a chat: judged by its status, its body never looked at.
 *
 * @param target what errors and `meta.target` call it
 * @param argsOf where it is really sent
 */
export function statusUpstream(
  target: string,
  fetch: Fetch,
  argsOf: (request: FetchRequest, call: Call<FetchRequest>) => Parameters<Fetch> | Promise<Parameters<Fetch>>,
): Upstream<FetchRequest, Response> {
  // The response before, of a call that tries again: an unread body would keep its connection.
  const before = new WeakMap<object, Response>();

  const handler = async (call: Call<FetchRequest>): Promise<Outcome<Response>> => {
    const { meta, request } = call;
    call.sendTo(target);
    const replayable = isReplayable(request);
    const [input, init] = await argsOf(request, call);
    if (call.aborted) return call.abortOutcome();
    void before
      .get(meta)
      ?.body?.cancel()
      .catch(() => undefined);
    before.delete(meta);
    call.mark("dispatched");
    let response: Response;
    try {
      response = await fetch(input, { ...init, signal: call.signal });
    } catch (error) {
      if (call.aborted) return call.abortOutcome();
      const { error: wrapped, verdict } = transportFailure(error, { target, meta });
      return failed(wrapped, { ...verdict, retryable: replayable }, meta);
    }
    call.mark("headers");
    const { headers, status } = response;
    if (status < 400) return answer(response, call);
    const retryAfterMs = retryAfterOf(headers, call.runtime.wallNow());
    const { error, verdict } = errorFailure(
      { status, type: "", message: "" },
      { target, meta, retryAfterMs },
    );
    before.set(meta, response);
    responses.set(error, response);
    return failed(error, { ...verdict, retryable: verdict.retryable && replayable }, meta);
  };
  return Object.assign(handler, { traits: { name: target, marks: ["dispatched", "headers"] as const } });
}

/** The response as it is, but for a body that knows when it was read: until then the call is in flight. */
function answer(response: Response, call: Call<FetchRequest>): Outcome<Response> {
  const { body, headers, status, statusText } = response;
  if (body === null) return answered(response, call.meta);
  const reader = body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  const source: AsyncIterator<Uint8Array> = {
    next: () => reader.read() as Promise<IteratorResult<Uint8Array>>,
    return: () => reader.cancel().then(() => ({ done: true, value: undefined })),
  };
  const { stream, end } = relay(source, call, { progress: () => false });
  const seen = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await stream.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => void stream.return?.(),
    },
    { highWaterMark: 0 },
  );
  return answered(new Response(seen, { status, statusText, headers: decoded(headers) }), call.meta, end);
}

/** Fetch has undone the encoding of the body, and its length with it. */
function decoded(headers: Headers): Headers {
  const kept = new Headers(headers);
  if (kept.has("content-encoding")) {
    kept.delete("content-encoding");
    kept.delete("content-length");
  }
  return kept;
}
