import type { Client, MaybePromise, Policy, Settings } from "@breakwater/core";
import type { ContextOptions, RequestContext, SendOptions } from "@breakwater/http";
import { answerRequest, checkContextOptions, checkRoute, createGate, openContext } from "@breakwater/http";
import type { Context, Middleware } from "koa";

import { replyOf, setProblem } from "./reply.ts";

declare module "koa" {
  interface ExtendableContext {
    /** What is known of this request, and the signal that fires when its browser leaves: there once `breakwater()` is in use. */
    callContext: RequestContext;
  }
}

/**
 * Opens the call context: every client that is called while a request is served, also deep inside, is cancelled when
 * the browser leaves and knows tenant, deadline, priority and call id. It is `ctx.callContext`, too. Use it first,
 * behind `errors()` alone.
 *
 * @throws ConfigError for options that make no sense, as NaN that an unset variable became.
 *
 * @example
 * ```ts
 * import { breakwater } from "@breakwater/koa";
 * import Koa from "koa";
 *
 * const app = new Koa();
 * app.use(breakwater({ tenant: (ctx) => ctx.state.user?.team, deadline: "2m" }));
 * ```
 */
export function breakwater(options: ContextOptions<Context> = {}): Middleware {
  checkContextOptions("breakwater", options);
  return (ctx, next) => {
    const run = (context: RequestContext): Promise<unknown> => {
      ctx.callContext = context;
      return next();
    };
    return openContext(ctx.req, ctx.res, options, run, ctx);
  };
}

/** Makes a client's request of Koa's context. May throw, or answer later. */
export type ToRequest<Req> = (ctx: Context) => MaybePromise<Req>;

/**
 * A route that answers with what a client answers: JSON, or server-sent events where the answer is a stream. Our own
 * errors are answered as problem+json; any other error is thrown on as it is.
 *
 * An answer in one piece becomes `ctx.body`. A stream is written to `ctx.res` until it is over, and so `await next()`
 * in the middleware around it takes as long.
 *
 * @throws ConfigError for what is no client or no function, and for options that make no sense.
 *
 * @example
 * ```ts
 * import { createClient, upstream } from "@breakwater/core";
 * import { respond } from "@breakwater/koa";
 * import Koa from "koa";
 *
 * const greet = createClient(upstream(async (name: string) => ({ text: `hello ${name}` })));
 * new Koa().use(respond(greet, (ctx) => String(ctx.query["name"])));
 * ```
 */
export function respond<Req, Res>(
  client: Pick<Client<Req, Res>, "outcome">,
  toRequest: ToRequest<Req>,
  options: SendOptions<Res> = {},
): Middleware {
  checkRoute("respond", client, toRequest, options);
  return (ctx) => answerRequest(ctx.req, ctx.res, client, () => toRequest(ctx), options, replyOf(ctx));
}

/**
 * Guards in front of routes, for the requests that come in. A bulkhead counts a request until its answer is complete;
 * `key` and `limits` of a rate limit see Koa's context.
 *
 * @example
 * ```ts
 * import { rateLimit } from "@breakwater/core";
 * import { inbound } from "@breakwater/koa";
 * import Koa from "koa";
 *
 * const limits = { requests: { limit: 60, per: "1m" } } as const;
 * new Koa().use(inbound(rateLimit({ name: "by-address", key: (ctx) => ctx.ip, limits })));
 * ```
 */
export function inbound(...guards: readonly (Policy | Settings)[]): Middleware {
  const gate = createGate(...guards);
  return async (ctx, next) => {
    const refusal = await gate.admit(ctx.req, ctx.res, { input: ctx });
    return refusal === undefined ? next() : setProblem(ctx, refusal);
  };
}
