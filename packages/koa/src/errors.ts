import { Stream } from "node:stream";

import { isLeave, problemOfParser, toProblem } from "@breakwater/http";
import type { Middleware } from "koa";

import { setProblem } from "./reply.ts";

/**
 * Answers our errors as problem+json with their status and `Retry-After`, also where an SDK has put them inside an error
 * of its own, and what a body parser found wrong. Use it first. Everything else is thrown on as it is, so that
 * `ctx.throw` and `app.on("error")` work as ever; the latter hears of ours only where they are mistakes of the
 * application (500).
 *
 * Nothing is written twice: a stream of events that has begun ends with an `error` event, any other answer that has
 * begun is cut, and when the browser has left there is nobody to write to.
 */
export function errors(): Middleware {
  return async (ctx, next) => {
    try {
      await next();
      const { body } = ctx;
      // Koa 2 leaves an answer open whose body breaks off, and its browser waits for ever.
      if (body instanceof Stream)
        body.once("error", () => ctx.headerSent && ctx.writable && ctx.res.destroy());
    } catch (error) {
      const found = toProblem(error) ?? problemOfParser(error);
      if (found !== undefined) setProblem(ctx, found, error);
      else if (!isLeave(error, ctx.res)) throw error;
    }
  };
}
