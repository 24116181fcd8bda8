import type { Watched } from "@breakwater/core";
import { type AdminOptions, createAdminRoute, readAdminPath } from "@breakwater/http";
import type { Middleware } from "koa";

/** A page as Koa serves it, and the end of it. */
export type AdminMiddleware = Middleware & {
  /** Stops watching and ends what is being followed; from then on everything is answered with 503. */
  close(): Promise<void>;
};

/**
 * Shows clients while they run, and lets an operator step in: a page, and JSON for programs. All paths below `path` are
 * its own, others are passed on. A body parser may stand in front of it or not.
 *
 * @param path where it is, as `ctx.path` has it: with the prefix of a router, without that of koa-mount; `"/"` is everything
 * @throws ConfigError without `authorize`, and for other options that make no sense
 *
 * @example
 * ```ts no-run
 * import { admin, basicAuth } from "@breakwater/koa";
 * import { createDeepSeek } from "@breakwater/deepseek";
 * import Koa from "koa";
 *
 * const deepseek = createDeepSeek({ apiKey: "sk-your-key" });
 * const app = new Koa();
 * app.use(admin("/breakwater", deepseek, { authorize: basicAuth({ ada: process.env["ADMIN_PASSWORD"] }) }));
 * app.listen(3000);
 * ```
 */
export function admin(path: string, clients: Watched, options: AdminOptions): AdminMiddleware {
  const place = readAdminPath(path);
  const { close, serve } = createAdminRoute(clients, options);
  const middleware: Middleware = (ctx, next) => {
    const below = ctx.url.startsWith(place) ? ctx.url.slice(place.length) : undefined;
    if (below === undefined || !/^([/?]|$)/.test(below)) return next();
    const { originalUrl, req, request, res } = ctx;
    const url = below.startsWith("/") ? below : `/${below}`;
    return serve(req, res, { url, original: originalUrl, body: (request as { body?: unknown }).body });
  };
  return Object.assign(middleware, { close });
}
