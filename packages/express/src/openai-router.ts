import { ConfigError } from "@breakwater/core";
import { mount, type WebHandler } from "@breakwater/http";
import type { RequestHandler } from "express";

/** What can be served: `createDeepSeek()`, or anything else that makes a web-standard handler of the OpenAI API. */
export interface RoutedClient<Options> {
  handler(options: Options): WebHandler;
}

/**
 * Serves the OpenAI API with your policies behind it, at `/v1` below where it is used: SDKs in other languages need
 * only its address. Paths outside of `/v1` are passed on. Use it before `express.json()`, which takes no body of more
 * than 100 kB.
 *
 * @throws ConfigError without `authorize`: a function that says who may call, or the word `"public"`. An open door to
 * your account is never a default.
 */
export function openaiRouter<Options extends { readonly authorize: unknown; readonly bodyLimit?: number }>(
  client: RoutedClient<Options>,
  options: NoInfer<Options>,
): RequestHandler {
  const { authorize, bodyLimit } = (options ?? {}) as Partial<Options>;
  if (typeof authorize !== "function" && authorize !== "public") {
    throw new ConfigError(
      'openaiRouter: authorize is required: a function that says who may call, or "public" if really everybody may.',
    );
  }
  const serve = mount(client.handler(options), bodyLimit === undefined ? {} : { bodyLimit });
  return (req, res, next) => {
    // Under `app.use("/v1", …)` Express has taken it off.
    const url = req.baseUrl.endsWith("/v1") ? `/v1${req.url}` : req.url;
    if (!/^\/v1(?![^/?])/.test(url)) next();
    else serve(req, res, { url, body: req.body }).catch(next);
  };
}
