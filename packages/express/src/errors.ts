import { isLeave, problemOfParser, sendProblem, toProblem } from "@breakwater/http";
import type { ErrorRequestHandler } from "express";

/**
 * Error middleware: answers our errors as problem+json with their status and `Retry-After`, also where an SDK has put
 * them inside an error of its own, and what `express.json()` found wrong. Everything else is passed on. Use it after
 * the routes, before your own error middleware.
 *
 * Nothing is written twice: a stream of events that has begun ends with an `error` event, any other answer that has
 * begun is cut, and when the browser has left there is nobody to write to.
 */
export function errors(): ErrorRequestHandler {
  // Express tells error middleware by its four parameters.
  return (error: unknown, _req, res, next) => {
    const found = toProblem(error) ?? problemOfParser(error);
    if (found !== undefined) sendProblem(res, found);
    else if (!isLeave(error, res)) next(error);
  };
}
