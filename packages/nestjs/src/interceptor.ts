import { once } from "node:events";
import type { ServerResponse } from "node:http";

import { ConfigError, type ExecuteOptions, type Pipeline } from "@breakwater/core";
import { type ContextOptions, extendContext, isLeave, openContext, toProblem } from "@breakwater/http";
import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
  type OnModuleInit,
  StreamableFile,
  type Type,
} from "@nestjs/common";
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  fromEvent,
  lastValueFrom,
  map,
  Observable,
  of,
  takeUntil,
  throwError,
} from "rxjs";

import { BreakwaterException, toException } from "./exception.ts";
import { BreakwaterRegistry } from "./registry.ts";
import { isSafe, type Raw, rawOf, routeContext } from "./route.ts";
import { isAsyncIterable, lazily, single, toIterable, toObservable } from "./streams.ts";

export interface AroundOptions {
  /** Whether the handler may be run again after it failed. @default only for GET, HEAD and OPTIONS */
  readonly idempotent?: boolean;
}

/**
 * Serves every handler in a call context, so that clients that are called in it, however deep, end when the browser
 * leaves and know tenant, deadline and call id; and makes Nest's exceptions of our errors, also of those inside an
 * SDK's error. `forRoot` registers it for the whole application.
 *
 * An `@Sse()` handler may return an async iterable. An error after the head is told as an `error` event whose data is
 * the body that it would have had; Nest sends the head a moment after the handler was called.
 */
@Injectable()
export class BreakwaterInterceptor implements NestInterceptor {
  readonly #registry: BreakwaterRegistry;

  constructor(@Inject(BreakwaterRegistry) registry: BreakwaterRegistry) {
    this.#registry = registry;
  }

  /**
   * An interceptor that also puts the pipeline of that name around pipes and handler: one attempt for each
   * subscription, which ends when the answer is complete, with its error, or when nobody waits for it any more. Of
   * an `@Sse()` handler it holds its permits to the last event. Policies see the platform's request.
   *
   * @throws ConfigError when the application starts, if there is no pipeline of that name.
   *
   * @example
   * ```ts
   * import { BreakwaterInterceptor } from "@breakwater/nestjs";
   * import { Controller, Get, UseInterceptors } from "@nestjs/common";
   *
   * @Controller("reports")
   * @UseInterceptors(BreakwaterInterceptor.around("reports"))
   * class ReportsController {
   *   @Get()
   *   all() {
   *     return ["a", "b"];
   *   }
   * }
   * ```
   */
  static around(name: string, options: AroundOptions = {}): Type<NestInterceptor> {
    @Injectable()
    class PipelineInterceptor extends BreakwaterInterceptor implements OnModuleInit {
      readonly #pipelines: BreakwaterRegistry;

      constructor(@Inject(BreakwaterRegistry) registry: BreakwaterRegistry) {
        super(registry);
        this.#pipelines = registry;
      }

      onModuleInit(): void {
        try {
          this.#pipelines.pipeline(name);
        } catch (error) {
          throw new ConfigError(`BreakwaterInterceptor.around("${name}"): ${(error as Error).message}`);
        }
      }

      protected override handle(context: ExecutionContext, next: CallHandler): Observable<unknown> {
        return around(this.#pipelines.pipeline(name), context, next, options);
      }
    }
    return PipelineInterceptor;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const handled = new Observable<unknown>((subscriber) =>
      // The handler is bound to the context in which it is asked for.
      extendContext(routeContext(context), () => this.handle(context, next).subscribe(subscriber)),
    );
    if (context.getType() !== "http") return handled;
    const { request, req, res } = rawOf(context);
    const { tenant, priority, callId, deadline } = this.#registry.options.context ?? {};
    const options: ContextOptions = {
      ...(tenant && { tenant: () => tenant(request) }),
      ...(priority && { priority: () => priority(request) }),
      ...(callId && { callId: () => callId(request) }),
      ...(deadline !== undefined && { deadline }),
    };
    return new Observable<unknown>((subscriber) =>
      openContext(req, res, options, () => handled.subscribe(subscriber)),
    ).pipe(catchError((error: unknown) => told(error, res, isSse(context))));
  }

  protected handle(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return isSse(context) ? flattened(next.handle()) : next.handle();
  }
}

/** What is said of an error; as it is, if it is not ours. */
function told(error: unknown, res: ServerResponse, sse: boolean): Observable<unknown> {
  // Nobody is there to be told, and Nest would log it as a failure.
  if (isLeave(error, res)) return sse ? EMPTY : of(undefined);
  const found = error instanceof BreakwaterException ? undefined : toProblem(error);
  if (found === undefined) return throwError(() => error);
  const exception = toException(res, found, error);
  return sse && res.headersSent
    ? of({ type: "error", data: exception.getResponse() })
    : throwError(() => exception);
}

function around(
  pipeline: Pipeline,
  context: ExecutionContext,
  next: CallHandler,
  { idempotent = isSafe(context) }: AroundOptions,
): Observable<unknown> {
  const http = context.getType() === "http" ? rawOf(context) : undefined;
  const options: ExecuteOptions & { readonly idempotent: boolean } = { input: http?.request, idempotent };
  const handler = <T>(signal: AbortSignal, use: (handled: Observable<unknown>) => T): T =>
    extendContext({ signal }, () => use(next.handle()));
  if (isSse(context)) {
    return defer(() =>
      toObservable(
        lazily((leaving) =>
          pipeline.execute(({ signal }) => handler(signal, (events) => toIterable(flattened(events))), {
            ...options,
            signal: leaving,
          }),
        ),
      ),
    );
  }
  return single(async (leaving) => {
    let isFile = false;
    const answer = await pipeline.execute(
      async ({ signal }) => {
        const value = await handler(signal, (handled) =>
          lastValueFrom(handled.pipe(takeUntil(fromEvent(signal, "abort"))), { defaultValue: undefined }),
        );
        isFile = value instanceof StreamableFile && http !== undefined;
        return isFile ? untilClosed(value, (http as Raw).res) : value;
      },
      { ...options, signal: leaving },
    );
    if (!isFile) return answer;
    const file = (answer as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    const { value } = await file.next();
    file.next().catch(() => undefined); // comes with the last byte
    return value;
  });
}

/** A file is answered with before it is sent. */
async function* untilClosed(file: unknown, res: ServerResponse): AsyncGenerator<unknown> {
  yield file;
  if (!res.closed) await once(res, "close");
}

function isSse(context: ExecutionContext): boolean {
  return Reflect.getMetadata("__sse__", context.getHandler()) === true;
}

/** Events as they are, and of an async iterable each item as one, with `[DONE]` after the last. */
function flattened(events: Observable<unknown>): Observable<unknown> {
  return events.pipe(
    concatMap((event) =>
      isAsyncIterable(event) ? concat(toObservable(event), of({ data: "[DONE]" })) : of(event),
    ),
    map((event) => {
      const message =
        typeof event === "object" && event !== null && "data" in event ? event : { data: event };
      const { data } = message;
      // Nest takes strings and objects, and hangs for ever on a number.
      return typeof data === "string" || (typeof data === "object" && data !== null)
        ? message
        : { ...message, data: JSON.stringify(data) };
    }),
  );
}
