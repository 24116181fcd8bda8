import { Readable, Stream } from "node:stream";

import { isLeave, problemOfParser, sendProblem, toProblem } from "@breakwater/http";
import type { Middleware } from "koa";

import { setProblem } from "./reply.ts";

/**
 * Answers our errors as problem+json with their status and `Retry-After`, also where an SDK has put them inside an error
 * of its own, and what a body parser found wrong. Use it first. Everything else is thrown on as it is, so that
 * `ctx.throw` and `app.on("error")` work as ever; the latter hears of ours only where they are mistakes of the
 * application (500).
 *
 * Nothing is written twice: a stream of events that has begun ends with an `error` event, any other answer that has
 * begun is cut, and when the browser has left there is nobody to write to, and nothing to tell listeners.
 */
export function errors(): Middleware {
  return async (ctx, next) => {
    const { onerror } = ctx;
    // Where Koa hears of a body that breaks, and of a socket that does.
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- a method of Koa's context, which has no listeners
    ctx.onerror = (error) => {
      const found = toProblem(error);
      if (found !== undefined) sendProblem(ctx.res, found);
      else if (!isLeave(error, ctx.res)) onerror.call(ctx, error);
      // Koa would leave it open for ever.
      if (ctx.headerSent && ctx.writable) ctx.res.destroy();
    };
    try {
      await next();
      const web = webStreamOf(ctx.body);
      // Koa 3 would cut the connection whatever is wrong, and not tell a stream that is silent that its reader has left.
      if (web !== undefined) ctx.body = Readable.fromWeb(web);
      // Before the pipe of Koa 3, which cuts the connection at once, hears of it.
      if (ctx.body instanceof Stream)
        ctx.body.once("error", (error) => toProblem(error) && ctx.onerror(error));
    } catch (error) {
      const found = toProblem(error) ?? problemOfParser(error);
      if (found !== undefined) setProblem(ctx, found, error);
      else if (!isLeave(error, ctx.res)) throw error;
    }
  };
}

function webStreamOf(body: unknown): ReadableStream | undefined {
  const stream: unknown = body instanceof Response ? body.body : body;
  return stream instanceof ReadableStream ? (stream as ReadableStream) : undefined;
}
