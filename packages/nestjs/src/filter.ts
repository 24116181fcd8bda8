import { isLeave, toProblem } from "@breakwater/http";
import { type ArgumentsHost, Catch, HttpException } from "@nestjs/common";
import { BaseExceptionFilter } from "@nestjs/core";
import { throwError } from "rxjs";

import { breakOff, toException } from "./exception.ts";
import { rawOf } from "./route.ts";

/**
 * Answers our errors, also those inside an SDK's error, in the shape of Nest's, wherever they were thrown; all others
 * as Nest does. Errors of handlers are Nest's exceptions already, thanks to `BreakwaterInterceptor`: this is for what
 * middleware and guards throw.
 *
 * An answer that has begun is not written to again: a stream of events ends with an `error` event, anything else is cut.
 *
 * Provide it before filters of your own: of several that would take an error Nest asks the last one.
 *
 * @example
 * ```ts
 * import { BreakwaterFilter } from "@breakwater/nestjs";
 * import { Module } from "@nestjs/common";
 * import { APP_FILTER } from "@nestjs/core";
 *
 * @Module({ providers: [{ provide: APP_FILTER, useClass: BreakwaterFilter }] })
 * class AppModule {}
 * ```
 */
@Catch()
export class BreakwaterFilter extends BaseExceptionFilter {
  override catch(error: unknown, host: ArgumentsHost): unknown {
    // To a microservice an answer is an Observable, and what is thrown here would end the process.
    if (host.getType() === "rpc") return throwError(() => error);
    if (host.getType() !== "http") throw error;
    const { res } = rawOf(host);
    if (isLeave(error, res)) return undefined;
    const found = error instanceof HttpException ? undefined : toProblem(error);
    if (found !== undefined && res.headersSent) return breakOff(host, found);
    // oxlint-disable-next-line promise/valid-params, promise/no-promise-in-callback -- no promise's
    return super.catch(found === undefined ? error : toException(res, found, error), host);
  }
}
