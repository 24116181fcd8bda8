import type { Policy } from "@breakwater/core";
import { createGate } from "@breakwater/http";
import { type CanActivate, type ExecutionContext, Inject, Injectable, SetMetadata } from "@nestjs/common";
import { Reflector } from "@nestjs/core";

import { toException } from "./exception.ts";
import { BreakwaterRegistry } from "./registry.ts";
import { keyOf, unwrapped } from "./route.ts";

const INBOUND = Symbol.for("breakwater.inbound");
const SKIP = Symbol.for("breakwater.skip-inbound");

/**
 * Guards for the requests to a controller or to one route, in place of the module's `inbound`. They count all its
 * requests together, and apart from other routes'.
 *
 * @throws ConfigError for policies that do not admit, such as `retry` and `timeout`.
 *
 * @example
 * ```ts
 * import { rateLimit } from "@breakwater/core";
 * import { Inbound } from "@breakwater/nestjs";
 * import { Controller, Post } from "@nestjs/common";
 *
 * @Controller("login")
 * class LoginController {
 *   @Inbound(rateLimit({ name: "login", key: (req) => req.ip, limits: { requests: { limit: 5, per: "1m" } } }))
 *   @Post()
 *   login() {}
 * }
 * ```
 */
export function Inbound(...guards: readonly Policy[]): ClassDecorator & MethodDecorator {
  createGate(...guards); // a mistake is told where it stands; each application makes its own
  return SetMetadata(INBOUND, guards);
}

/** Whether a class or a method has guards of its own. */
export function isInbound(target: unknown): boolean {
  return typeof target === "function" && Reflect.hasMetadata(INBOUND, target);
}

/** Lets all requests to a controller or a route in; `@SkipInbound(false)` takes that back for one route. */
export function SkipInbound(skip = true): ClassDecorator & MethodDecorator {
  return SetMetadata(SKIP, skip);
}

/**
 * Limits the requests that come in: by `@Inbound()` of the route, else of its controller, else by the module's
 * `inbound`. A bulkhead counts a request to the last byte of its answer. Refusals are 429 or 503 with `Retry-After`.
 *
 * Guards are given the platform's request: `rateLimit({ key: (req) => req.ip, … })`. For other transports, or another
 * idea of whose request it is, extend it.
 *
 * @example
 * ```ts
 * import { BreakwaterGuard } from "@breakwater/nestjs";
 * import { Module } from "@nestjs/common";
 * import { APP_GUARD } from "@nestjs/core";
 *
 * @Module({ providers: [{ provide: APP_GUARD, useClass: BreakwaterGuard }] })
 * class AppModule {}
 * ```
 */
@Injectable()
export class BreakwaterGuard implements CanActivate {
  readonly #registry: BreakwaterRegistry;
  readonly #reflector: Reflector;

  constructor(
    @Inject(BreakwaterRegistry) registry: BreakwaterRegistry,
    @Inject(Reflector) reflector: Reflector,
  ) {
    this.#registry = registry;
    this.#reflector = reflector;
    registry.guarded = true;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const guards = this.#said<readonly Policy[]>(INBOUND, context) ?? this.#registry.options.inbound;
    if (guards === undefined || (await this.shouldSkip(context))) return true;
    const given = this.getRequestResponse(context);
    const { request, req, res } = unwrapped(given.req, given.res);
    if (!isFirst(this.constructor, req)) return true;
    const tenant = await this.getTracker(request, context);
    const gate = this.#registry.gate(guards, nameOf(guards, context));
    const refused = await gate.admit(req, res, { input: request, tenant });
    if (refused === undefined) return true;
    throw toException(res, refused);
  }

  /** @default what `@SkipInbound()` says, and everything that is not HTTP */
  protected shouldSkip(context: ExecutionContext): Promise<boolean> | boolean {
    return context.getType() !== "http" || this.#said<boolean>(SKIP, context) === true;
  }

  /** Whose request it is, as `call.tenant` of the guards. @default the call context's */
  protected getTracker(
    _request: unknown,
    _context: ExecutionContext,
  ): Promise<string | undefined> | string | undefined {
    return undefined;
  }

  /** Where request and response are; another one for GraphQL. */
  protected getRequestResponse(context: ExecutionContext): { readonly req: unknown; readonly res: unknown } {
    const http = context.switchToHttp();
    return { req: http.getRequest(), res: http.getResponse() };
  }

  #said<T>(key: symbol, context: ExecutionContext): T | undefined {
    return this.#reflector.getAllAndOverride<T | undefined>(key, [context.getHandler(), context.getClass()]);
  }
}

/** What events and an admin page call guards that stand before one route or one controller; the module's are `inbound`. */
function nameOf(guards: readonly Policy[], context: ExecutionContext): string {
  const owner = context.getClass();
  if (Reflect.getMetadata(INBOUND, context.getHandler()) === guards)
    return `inbound ${owner.name}.${keyOf(context)}`;
  return Reflect.getMetadata(INBOUND, owner) === guards ? `inbound ${owner.name}` : "inbound";
}

const seen = new WeakMap<object, WeakSet<object>>();

/** Of a guard that stands before the whole application and before a route as well, a request is one request. */
function isFirst(guard: object, req: object): boolean {
  const requests = seen.get(guard) ?? new WeakSet();
  if (requests.has(req)) return false;
  seen.set(guard, requests.add(req));
  return true;
}
