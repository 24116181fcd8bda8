import type { Client, MaybePromise, Policy, Settings } from "@breakwater/core";
import {
  answerRequest,
  checkContextOptions,
  checkRoute,
  type ContextOptions,
  createGate,
  openContext,
  type SendOptions,
  sendProblem,
} from "@breakwater/http";
import type { Request, RequestHandler } from "express";

/**
 * Opens the call context: every client that is called while a request is served, also deep inside, is cancelled when
 * the browser leaves and knows tenant, deadline, priority and call id. Use it first.
 *
 * @throws ConfigError for options that make no sense, as NaN that an unset variable became.
 *
 * @example
 * ```ts
 * import { breakwater } from "@breakwater/express";
 * import express from "express";
 *
 * const app = express();
 * app.use(breakwater({ tenant: (req) => req.get("x-team"), deadline: "2m" }));
 * ```
 */
export function breakwater(options: ContextOptions<Request> = {}): RequestHandler {
  checkContextOptions("breakwater", options);
  return (req, res, next) => openContext(req, res, options, () => next());
}

/** Makes a client's request of a web request. May throw, or answer later. */
export type ToRequest<Req> = (req: Request) => MaybePromise<Req>;

/**
 * A route that answers with what a client answers: JSON, or server-sent events where the answer is a stream. Our own
 * errors are answered as problem+json; any other error goes to your error middleware as it is.
 *
 * @throws ConfigError for what is no client or no function, and for options that make no sense.
 *
 * @example
 * ```ts
 * import { createClient, upstream } from "@breakwater/core";
 * import { respond } from "@breakwater/express";
 * import express from "express";
 *
 * const greet = createClient(upstream(async (name: string) => ({ text: `hello ${name}` })));
 * express().get("/greet/:name", respond(greet, (req) => String(req.params["name"])));
 * ```
 */
export function respond<Req, Res>(
  client: Pick<Client<Req, Res>, "outcome">,
  toRequest: ToRequest<Req>,
  options: SendOptions<Res> = {},
): RequestHandler {
  checkRoute("respond", client, toRequest, options);
  return (req, res, next) => {
    answerRequest(req, res, client, () => toRequest(req), options).catch(next);
  };
}

/**
 * Guards in front of routes, for the requests that come in. A bulkhead counts a request until its answer is complete;
 * `key` and `limits` of a rate limit see Express's request.
 *
 * @example
 * ```ts
 * import { bulkhead } from "@breakwater/core";
 * import { inbound } from "@breakwater/express";
 * import express from "express";
 *
 * express().use("/chat", inbound(bulkhead({ name: "chat", concurrency: 100 })));
 * ```
 */
export function inbound(...guards: readonly (Policy | Settings)[]): RequestHandler {
  const gate = createGate(...guards);
  return (req, res, next) => {
    gate
      .admit(req, res)
      .then((refusal) => (refusal === undefined ? next() : sendProblem(res, refusal)), next);
  };
}
