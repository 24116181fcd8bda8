import { createOpenAIRoute, type RoutedClient, type RouteOptions } from "@breakwater/http";
import type { Middleware } from "koa";

/**
 * Serves the OpenAI API with your policies behind it, at `/v1` below where it is used, be it in a router or mounted: SDKs
 * in other languages need only its address. Paths outside of `/v1` are passed on. Use it before a body parser, which
 * takes no body of more than 1 MB.
 *
 * @throws ConfigError without `authorize`: a function that says who may call, or the word `"public"`. An open door to
 * your account is never a default.
 */
export function openaiRouter<Options extends RouteOptions>(
  client: RoutedClient<Options>,
  options: NoInfer<Options>,
): Middleware {
  const { locate, serve } = createOpenAIRoute(client, options);
  return (ctx, next) => {
    const { originalUrl, routerPath, req, res } = ctx;
    // koa-mount takes its prefix off the url, a router leaves its own there.
    const below = originalUrl.endsWith(ctx.url) ? originalUrl.slice(0, -ctx.url.length) : "";
    const left = routerPath === undefined ? ctx.url : ctx.url.replace(/^[^?]*(?=\/v1(?![^/?]))/, "");
    const url = locate(left, below);
    if (url === undefined) return next();
    return serve(req, res, { url, body: (ctx.request as { body?: unknown }).body });
  };
}
