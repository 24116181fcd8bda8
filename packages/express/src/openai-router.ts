import { createOpenAIRoute, type RoutedClient, type RouteOptions } from "@breakwater/http";
import type { RequestHandler } from "express";

/**
 * Serves the OpenAI API with your policies behind it, at `/v1` below where it is used: SDKs in other languages need
 * only its address. Paths outside of `/v1` are passed on. Use it before `express.json()`, which takes no body of more
 * than 100 kB.
 *
 * @throws ConfigError without `authorize`: a function that says who may call, or the word `"public"`. An open door to
 * your account is never a default.
 */
export function openaiRouter<Options extends RouteOptions>(
  client: RoutedClient<Options>,
  options: NoInfer<Options>,
): RequestHandler {
  const { locate, serve } = createOpenAIRoute(client, options);
  return (req, res, next) => {
    const url = locate(req.url, req.baseUrl);
    if (url === undefined) next();
    else serve(req, res, { url, body: req.body }).catch(next);
  };
}
