import { currentContext } from "@breakwater/core";
import {
  type ContextOptions,
  extendContext,
  isLeave,
  openContext,
  streamFailed,
  toProblem,
} from "@breakwater/http";
import {
  type CallHandler,
  type ExecutionContext,
  HttpException,
  Inject,
  Injectable,
  Logger,
  type NestInterceptor,
  type OnModuleInit,
  type Type,
} from "@nestjs/common";
import { catchError, defer, EMPTY, Observable, of, tap, throwError } from "rxjs";

import { around, type AroundOptions } from "./around.ts";
import { isSse, toEvents } from "./events.ts";
import { breakOff, toException } from "./exception.ts";
import { BreakwaterRegistry, placed } from "./registry.ts";
import { rawOf, routeContext, serves } from "./route.ts";
import { LeftError } from "./streams.ts";

export type { AroundOptions };

/**
 * Serves every handler in a call context, so that clients that are called in it, however deep, end when the browser
 * leaves and know tenant, deadline and call id; and makes Nest's exceptions of our errors, also of those inside an
 * SDK's error. `forRoot` registers it for the whole application.
 *
 * An `@Sse()` handler may return an async iterable: each item is the data of an event, or a message of Nest's if it has
 * `data`; `[DONE]` follows the last. None is asked for before the browser has taken those before it, which an Observable
 * cannot be told. An error after the head is told as an `error` event whose data is the body that it would have had; Nest
 * sends the head a moment after the handler was called.
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
   * an `@Sse()` handler it holds its permits to the last event, of a message's to the last answer, of a file and of a
   * handler that answers with `@Res()` to the last byte. What has begun to go out is not retried. Policies see the
   * platform's request.
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
      onModuleInit(): void {
        placed(`BreakwaterInterceptor.around("${name}")`, () => this.#registry.pipeline(name));
      }

      protected override handle(context: ExecutionContext, next: CallHandler): Observable<unknown> {
        return around(this.#registry.pipeline(name), context, next, options);
      }
    }
    return PipelineInterceptor;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const route = routeContext(context);
    if (context.getType() !== "http") {
      return new Observable((subscriber) => {
        subscriber.add(this.#registry.begin());
        // The handler is bound to the context in which it is asked for.
        return extendContext(route, () => this.handle(context, next).subscribe(subscriber));
      });
    }
    const sse = isSse(context);
    const { request, req, res } = rawOf(context);
    const { context: said = {}, runtime } = this.#registry.options;
    const { tenant, priority, callId, deadline } = said;
    const options: ContextOptions = {
      ...(tenant && { tenant: () => tenant(request) }),
      ...(priority && { priority: () => priority(request) }),
      ...(callId && { callId: () => callId(request) }),
      ...(deadline !== undefined && { deadline }),
      ...(runtime && { runtime }),
    };
    const served = new Observable<unknown>((subscriber) => {
      subscriber.add(this.#registry.begin());
      return openContext(req, res, options, ({ signal }) => {
        const leaving = new AbortController();
        const follow = (): void => leaving.abort(signal.reason);
        if (signal.aborted) follow();
        else signal.addEventListener("abort", follow, { once: true });
        let over = false;
        const end = (): void => void (over = true);
        extendContext({ ...route, signal: leaving.signal }, () =>
          this.handle(context, next)
            .pipe(tap({ next: sse ? () => {} : end, complete: end, error: end }))
            .subscribe(subscriber),
        );
        return () => {
          // Nobody waits for the answer any more, as behind RxJS's own timeout().
          if (!over) leaving.abort(new LeftError());
        };
      });
    }).pipe(catchError((error: unknown) => told(error, context)));
    // Inside another one of these the context stays, and an error what it is: a pipeline's attempt may be in between.
    return defer(() => (serves(currentContext(), req) ? this.handle(context, next) : served));
  }

  protected handle(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (!isSse(context)) return next.handle();
    return toEvents(next.handle(), context.getType() === "http" ? rawOf(context).res : undefined);
  }
}

/** What is said of an error; as it is, if it is not ours. */
function told(error: unknown, context: ExecutionContext): Observable<unknown> {
  const { res } = rawOf(context);
  const sse = isSse(context);
  // Nobody is there to be told, and Nest would log it as a failure.
  if (isLeave(error, res)) return sse ? EMPTY : of(undefined);
  // Who makes an exception of our error has said what is to be answered.
  const found = error instanceof HttpException ? undefined : toProblem(error);
  const exception = found === undefined ? error : toException(res, found, error);
  if (sse && res.headersSent) {
    if (exception instanceof HttpException) return of({ type: "error", data: exception.getResponse() });
    // Nest would tell the browser what the error says, and nobody else.
    Logger.error(error, BreakwaterInterceptor.name);
    return of({ type: "error", data: toException(res, streamFailed(), error).getResponse() });
  }
  // Nest would end what the handler has begun to send, as if it were whole.
  if (res.headersSent && found !== undefined) breakOff(context, found);
  return throwError(() => exception);
}
