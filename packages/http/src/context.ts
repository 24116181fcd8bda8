import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

import {
  type CallContext,
  currentContext,
  type Duration,
  milliseconds,
  type Priority,
  provideContext,
  type Runtime,
  systemRuntime,
} from "@breakwater/core";

import { clientSignal } from "./client-gone.ts";

/** What is known of a request, for every client that is called while it is served. */
export interface ContextOptions<Request = IncomingMessage> {
  /** Whose request it is. Caches are kept apart by it, so take it from what was authenticated, never from what was merely sent. */
  readonly tenant?: (req: Request) => string | undefined;
  /** How long an answer is of use. The header `x-request-timeout` (milliseconds) can only shorten it. @default no bound */
  readonly deadline?: Duration;
  /** Which requests go first where there is a queue. @default "interactive" */
  readonly priority?: (req: Request) => Priority | undefined;
  /** What logs, events and headers call this request. @default `x-request-id` if it is harmless, else a new one */
  readonly callId?: (req: Request) => string | undefined;
  /** The clock that deadlines are read from; the same as the clients'. @default the real one */
  readonly runtime?: Runtime;
}

/** The call context of a request, which always has a signal and a name. */
export interface RequestContext extends CallContext {
  /** Fires when the browser leaves before its answer is complete. */
  readonly signal: AbortSignal;
  readonly callId: string;
}

type Carrier = Pick<AsyncLocalStorage<CallContext>, "getStore" | "run">;

/** One for the process, whichever copy of this package asks first. */
function carrier(): Carrier {
  return provideContext((): Carrier => new AsyncLocalStorage<CallContext>());
}

// On the request, under a registered symbol: a body parser may lose the asynchronous context, and there may be two
// copies of this package (ESM and CommonJS) around one request.
const CONTEXT = Symbol.for("breakwater.request-context");
type Opened = IncomingMessage & { [CONTEXT]?: RequestContext };

/**
 * Serves a request inside a call context: clients that are called in `run`, however deep, are cancelled when the
 * browser leaves and know tenant, deadline, priority and call id. Opening it again adds to what is known already.
 *
 * The response says the call id, as `x-breakwater-call-id`. The functions of the options are given `source`: what a
 * framework makes of a request, where that is not the request itself.
 */
export function openContext<T, Request extends IncomingMessage = IncomingMessage>(
  req: Request,
  res: ServerResponse,
  options: ContextOptions<Request>,
  run: (context: RequestContext) => T,
): T;
export function openContext<T, Source>(
  req: IncomingMessage,
  res: ServerResponse,
  options: ContextOptions<Source>,
  run: (context: RequestContext) => T,
  source: Source,
): T;
export function openContext<T>(
  req: IncomingMessage,
  res: ServerResponse,
  options: ContextOptions<unknown>,
  run: (context: RequestContext) => T,
  source: unknown = req,
): T {
  const opened = (req as Opened)[CONTEXT];
  const context: RequestContext = {
    signal: opened?.signal ?? clientSignal(req, res),
    tenant: nonEmpty(options.tenant?.(source)) ?? opened?.tenant,
    priority: options.priority?.(source) ?? opened?.priority,
    deadlineAt: earlier(
      opened === undefined ? sentDeadline(req, options) : opened.deadlineAt,
      ownDeadline(options),
    ),
    callId:
      harmless(options.callId?.(source)) ??
      opened?.callId ??
      harmless(req.headers["x-request-id"]) ??
      randomUUID(),
  };
  (req as Opened)[CONTEXT] = context;
  if (!res.headersSent) res.setHeader("x-breakwater-call-id", context.callId);
  return carrier().run(context, () => run(context));
}

/**
 * Runs a part of what serves a request in a context that knows more. An attempt of a decorated method runs with its own
 * `signal`: clients that are called in it, however deep, are part of that attempt.
 */
export function extendContext<T>(more: CallContext, f: () => T): T {
  return carrier().run({ ...currentContext(), ...more }, f);
}

/** As `extendContext`, for every step of an iterable: a generator's body runs in the context of who asks for its next item. */
export function extendContextOf<T>(more: CallContext, items: AsyncIterable<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = items[Symbol.asyncIterator]();
      return {
        next: () => extendContext(more, () => iterator.next()),
        return: (value?: unknown) =>
          extendContext(
            more,
            () => iterator.return?.(value) ?? Promise.resolve({ done: true, value: undefined }),
          ),
      };
    },
  };
}

/**
 * Runs background work of a request: it goes on when the browser leaves, and no deadline bounds it. Tenant, priority
 * and call id stay.
 */
export function detach<T>(f: () => T): T {
  const { tenant, callId, priority } = currentContext() ?? {};
  return carrier().run({ tenant, callId, priority }, f);
}

/** It ends up in logs and headers, and a stranger has written it. */
function harmless(id: unknown): string | undefined {
  return typeof id === "string" && /^[\w.:=+/-]{1,128}$/.test(id) ? id : undefined;
}

/** Nobody's name is nobody: else all that have none would share a cache. */
function nonEmpty(tenant: string | undefined): string | undefined {
  return tenant === "" ? undefined : tenant;
}

function sentDeadline(req: IncomingMessage, options: ContextOptions<never>): number | undefined {
  const sent = req.headers["x-request-timeout"];
  return typeof sent === "string" && /^[1-9]\d{0,8}$/.test(sent)
    ? wallNow(options) + Number(sent)
    : undefined;
}

function ownDeadline(options: ContextOptions<never>): number | undefined {
  return options.deadline === undefined
    ? undefined
    : wallNow(options) + milliseconds(options.deadline, "deadline");
}

function wallNow({ runtime = systemRuntime() }: ContextOptions<never>): number {
  return runtime.wallNow();
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}
