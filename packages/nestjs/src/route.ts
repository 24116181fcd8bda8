import type { IncomingMessage, ServerResponse } from "node:http";

import type { CallContext } from "@breakwater/core";
import type { ArgumentsHost, ExecutionContext } from "@nestjs/common";
import { MetadataScanner } from "@nestjs/core";

/** Which handler serves the request, and whether it may serve it twice. */
export interface Route {
  readonly type: unknown;
  readonly handler: string;
  readonly safe: boolean;
  /** Node's own, if it is HTTP. */
  readonly req: IncomingMessage | undefined;
}

const ROUTE: unique symbol = Symbol.for("breakwater.nest-route");
type RouteContext = CallContext & { readonly [ROUTE]?: Route };

/** What is added to the call context while a handler is served. */
export function routeContext(context: ExecutionContext): CallContext {
  const route: Route = {
    type: context.getClass(),
    handler: keyOf(context),
    safe: isSafe(context),
    req: context.getType() === "http" ? rawOf(context).req : undefined,
  };
  const more: RouteContext = { [ROUTE]: route };
  return more;
}

/** The name of the handler's method. Its function may have none: of decorators the topmost says which one stands there. */
export function keyOf(context: ExecutionContext): string {
  const handler = context.getHandler();
  const prototype = context.getClass().prototype as Record<string, unknown>;
  if (prototype[handler.name] === handler) return handler.name;
  const keys = new MetadataScanner().getAllMethodNames(prototype);
  return keys.find((key) => prototype[key] === handler) ?? handler.name;
}

/** The route that is being served, if it is by this method of this instance. */
export function routeOf(
  context: RouteContext | undefined,
  instance: object,
  key: string | symbol,
): Route | undefined {
  const route = context?.[ROUTE];
  return route?.handler === key && route.type === instance.constructor ? route : undefined;
}

/** Whether it is the context of this very request's handler. */
export function serves(context: RouteContext | undefined, req: IncomingMessage): boolean {
  return context?.[ROUTE]?.req === req;
}

/** What may be done again without asking: HTTP's safe methods and GraphQL's queries. Of a message nothing is known. */
export function isSafe(context: ExecutionContext): boolean {
  const type = context.getType<string>();
  if (type === "http") return /^(GET|HEAD|OPTIONS)$/.test(rawOf(context).req.method ?? "");
  const info = context.getArgs<[unknown, unknown, unknown, { operation?: { operation?: string } }?]>()[3];
  return type === "graphql" && info?.operation?.operation === "query";
}

/** The platform's request and response, and Node's own, which Fastify wraps. */
export interface Raw {
  readonly request: unknown;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

export function rawOf(context: Pick<ArgumentsHost, "switchToHttp">): Raw {
  const http = context.switchToHttp();
  return unwrapped(http.getRequest(), http.getResponse());
}

export function unwrapped(request: unknown, response: unknown): Raw {
  const req = (request as { raw?: IncomingMessage }).raw ?? (request as IncomingMessage);
  const res = (response as { raw?: ServerResponse }).raw ?? (response as ServerResponse);
  return { request, req, res };
}
