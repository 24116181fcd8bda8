import { ConfigError } from "@breakwater/core";

import { mount, type NodeHandler, type WebHandler } from "./mount.ts";

/** What can be served: `createDeepSeek()`, or anything else that makes a web-standard handler of the OpenAI API. */
export interface RoutedClient<Options> {
  handler(options: Options): WebHandler;
}

/** What a router for OpenAI clients reads of its options; the others are its client's own. */
export interface RouteOptions {
  readonly authorize: unknown;
  readonly bodyLimit?: number;
}

/** The OpenAI API, for the server of a framework. */
export interface OpenAIRoute {
  /**
   * Path and query as the API has them, or `undefined` for what is none of its business. `below` is what a framework
   * has taken off the path: an API that was mounted at `/v1` is at `/v1` all the same.
   */
  locate(url: string, below: string): string | undefined;
  readonly serve: NodeHandler;
}

/**
 * Makes what the routers of the adapters have in common.
 *
 * @throws ConfigError without `authorize`: a function that says who may call, or the word `"public"`. An open door to
 * your account is never a default.
 */
export function createOpenAIRoute<Options extends RouteOptions>(
  client: RoutedClient<Options>,
  options: Options,
): OpenAIRoute {
  const { authorize, bodyLimit } = (options ?? {}) as Partial<Options>;
  if (typeof authorize !== "function" && authorize !== "public") {
    throw new ConfigError(
      'openaiRouter: authorize is required: a function that says who may call, or "public" if really everybody may.',
    );
  }
  return {
    locate(url, below) {
      const whole = below.endsWith("/v1") ? `/v1${url}` : url;
      return /^\/v1(?![^/?])/.test(whole) ? whole : undefined;
    },
    serve: mount(client.handler(options), bodyLimit === undefined ? {} : { bodyLimit }),
  };
}
