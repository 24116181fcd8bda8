import { once } from "node:events";
import type { ServerResponse } from "node:http";

import { type ExecuteOptions, type FunctionContext, lazyStream, type Pipeline } from "@breakwater/core";
import { extendContext } from "@breakwater/http";
import { type CallHandler, type ExecutionContext, StreamableFile } from "@nestjs/common";
import { defer, fromEvent, lastValueFrom, type Observable, takeUntil } from "rxjs";

import { isSse, toEvents } from "./events.ts";
import { isSafe, keyOf, rawOf } from "./route.ts";
import { single, toIterable, toObservable } from "./streams.ts";

export interface AroundOptions {
  /** Whether the handler may be run again after it failed. @default only for GET, HEAD and OPTIONS */
  readonly idempotent?: boolean;
}

/** Pipes and handler inside a pipeline: one call for each subscription, over when the answer is. */
export function around(
  pipeline: Pipeline,
  context: ExecutionContext,
  next: CallHandler,
  { idempotent = isSafe(context) }: AroundOptions,
): Observable<unknown> {
  const http = context.getType() === "http" ? rawOf(context) : undefined;
  const options: ExecuteOptions = { input: http?.request, idempotent };
  const handle = <T>(signal: AbortSignal, use: (handled: Observable<unknown>) => T): T =>
    extendContext({ signal }, () => use(next.handle()));
  const sse = isSse(context);
  // A message, too, may be answered with many.
  if (sse || /^(rpc|ws)$/.test(context.getType())) {
    const items = (leaving: AbortSignal): Promise<AsyncIterable<unknown>> =>
      pipeline.execute(
        ({ signal }) => handle(signal, (said) => toIterable(sse ? toEvents(said, http?.res) : said)),
        { ...options, signal: leaving },
      );
    return defer(() => toObservable(lazyStream(items)));
  }
  return single(async (leaving) => {
    let begun: Begun | undefined;
    const answer = await pipeline.execute(
      async ({ signal, mark }) => {
        const answering = handle(signal, (said) =>
          lastValueFrom(said.pipe(takeUntil(fromEvent(signal, "abort"))), { defaultValue: undefined }),
        );
        begun = http && (await begunBy(answering, context, http.res));
        return begun === undefined ? answering : sending(begun, http?.res as ServerResponse, mark);
      },
      { ...options, signal: leaving },
    );
    if (begun === undefined) return answer;
    const response = (answer as AsyncIterable<Begun>)[Symbol.asyncIterator]();
    await response.next();
    const end = response.next().catch(() => undefined);
    if ("value" in begun) return begun.value; // the end comes with the last byte
    await end;
    throw begun.error;
  });
}

type Begun = { readonly value: unknown } | { readonly error: unknown };

/** What goes out after the handler has returned, or was going out when it failed; undefined for all other answers. */
async function begunBy(
  answering: Promise<unknown>,
  context: ExecutionContext,
  res: ServerResponse,
): Promise<Begun | undefined> {
  try {
    const value = await answering;
    return value instanceof StreamableFile || answersItself(context) ? { value } : undefined;
  } catch (error) {
    return res.headersSent ? { error } : undefined;
  }
}

/** An answer that goes out is a stream, over when its response is; and nobody asks for one again that has begun. */
async function* sending(
  begun: Begun,
  res: ServerResponse,
  mark: FunctionContext["mark"],
): AsyncGenerator<Begun> {
  yield begun;
  if ("error" in begun) throw begun.error;
  mark("paused"); // what goes out is not seen here: no clock waits for the next piece of it
  if (!res.closed) await once(res, "close");
}

/** Whether the handler takes the response into its own hands, with `@Res()` or `@Next()`: it may be sent at any time. */
function answersItself(context: ExecutionContext): boolean {
  const said = (key: string): unknown => Reflect.getMetadata(key, context.getClass(), keyOf(context));
  const parameters = Object.keys(said("__routeArguments__") ?? {});
  // They are called by Nest's number of what they are filled with, and their own.
  return said("__responsePassthrough__") !== true && parameters.some((key) => /^[12]:/.test(key));
}
