import { isLeave, sendProblem, toProblem } from "@breakwater/http";
import { type ArgumentsHost, Catch, HttpException } from "@nestjs/common";
import { BaseExceptionFilter } from "@nestjs/core";

import { toException } from "./exception.ts";
import { rawOf } from "./route.ts";

/**
 * Answers our errors, also those inside an SDK's error, in the shape of Nest's, wherever they were thrown; all others
 * as Nest does. Errors of handlers are Nest's exceptions already, thanks to `BreakwaterInterceptor`: this is for what
 * middleware and guards throw.
 *
 * An answer that has begun is not written to again: a stream of events ends with an `error` event, anything else is cut.
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
  override catch(error: unknown, host: ArgumentsHost): void {
    if (host.getType() !== "http") throw error;
    const { res } = rawOf(host);
    if (isLeave(error, res)) return;
    const found = error instanceof HttpException ? undefined : toProblem(error);
    if (found !== undefined && res.headersSent) sendProblem(res, found);
    // oxlint-disable-next-line promise/valid-params, promise/no-promise-in-callback -- no promise's
    else super.catch(found === undefined ? error : toException(res, found, error), host);
  }
}
