import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { Readable } from "node:stream";

import { createPipeline, currentContext, RefusedError, UpstreamError } from "@breakwater/core";
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  Header,
  HttpCode,
  HttpException,
  Injectable,
  type NestInterceptor,
  Post,
  Redirect,
  Res,
  ServiceUnavailableException,
  StreamableFile,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from "@nestjs/common";
import { APP_INTERCEPTOR } from "@nestjs/core";
import { ExecutionContextHost } from "@nestjs/core/helpers/execution-context-host.js";
import { EMPTY, lastValueFrom, NEVER, type Observable, of, take, throwError } from "rxjs";
import { describe, expect, test } from "vitest";

import { platforms, serve } from "./app.test-help.ts";
import { visit, errorLog, turn, until } from "./browser.test-help.ts";
import {
  BreakwaterException,
  BreakwaterInterceptor,
  BreakwaterModule,
  BreakwaterRegistry,
  type BreakwaterOptions,
  CallSignal,
  callSignal,
  detach,
} from "./index.ts";

const refusal = new RefusedError({ by: "books", code: "RATE_LIMITED", retryAfterMs: 1_500 });

/** How openai tells of a response of our fetch. */
const sdkError = Object.assign(new Error("503 sk-secret"), {
  status: 503,
  headers: new Headers({ "x-breakwater-code": "CIRCUIT_OPEN", "retry-after-ms": "2500" }),
});

const root = (options: BreakwaterOptions = {}) => [BreakwaterModule.forRoot(options)];

describe.each(platforms)("a handler on %s", (platform) => {
  @Controller()
  class Handlers {
    @Get("text") text() {
      return "text";
    }
    @Get("promise") async promise() {
      return { a: 1 };
    }
    @Get("observable") observable() {
      return of({ a: 2 });
    }
    @Get("many") many() {
      return of("first", "last");
    }
    @Get("promised-observable") async promisedObservable() {
      return of("later");
    }
    @Get("nothing") nothing() {}
    @Get("null") null() {
      return null;
    }
    @Post("posted") posted() {
      return "made";
    }
    @Post("code")
    @HttpCode(202)
    code() {
      return "accepted";
    }
    @Get("header")
    @Header("x-own", "mine")
    header() {
      return "headed";
    }
    @Get("away")
    @Redirect("/elsewhere", 301)
    away() {}
    @Get("file") file() {
      return new StreamableFile(Readable.from([Buffer.from("one "), Buffer.from("two")]), { length: 7 });
    }
    @Get("passthrough") passthrough(@Res({ passthrough: true }) res: { status(code: number): unknown }) {
      res.status(203);
      return "passed";
    }
    @Get("own") own(@Res() res: { status(code: number): { send(body: string): void } }) {
      res.status(207).send("by hand");
    }
  }

  test.each<[method: string, path: string, status: number, body: string, headers?: Record<string, string>]>([
    ["GET", "text", 200, "text"],
    ["GET", "promise", 200, '{"a":1}'],
    ["GET", "observable", 200, '{"a":2}'],
    ["GET", "many", 200, "last"],
    ["GET", "promised-observable", 200, "later"],
    ["GET", "nothing", 200, ""],
    ["GET", "null", 200, ""],
    ["HEAD", "text", 200, ""],
    ["HEAD", "file", 200, ""],
    ["POST", "posted", 201, "made"],
    ["POST", "code", 202, "accepted"],
    ["GET", "header", 200, "headed", { "x-own": "mine" }],
    ["GET", "away", 301, "", { location: "/elsewhere" }],
    ["GET", "file", 200, "one two", { "content-length": "7" }],
    ["GET", "passthrough", 203, "passed"],
    ["GET", "own", 207, "by hand"],
  ])("%s /%s answers as ever, and says its call id", async (method, path, status, body, headers = {}) => {
    const { url } = await serve({ imports: root(), controllers: [Handlers] }, platform);
    const response = await fetch(`${url}/${path}`, {
      method,
      redirect: "manual",
      headers: { "x-request-id": "r-1" },
    });
    expect(response.status).toBe(status);
    const text = await response.text();
    if (status !== 301 && !(platform === "fastify" && path === "null")) expect(text).toBe(body);
    expect(Object.fromEntries(response.headers)).toMatchObject({ ...headers, "x-breakwater-call-id": "r-1" });
  });
});

describe.each(platforms)("the call context on %s", (platform) => {
  interface Served {
    user?: { team: string };
    headers: Record<string, string>;
  }

  @Injectable()
  class Auth implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      const request = context.switchToHttp().getRequest<Served>();
      const team = request.headers["x-team"];
      if (team !== undefined) request.user = { team };
      return true;
    }
  }

  /** A service deep inside, which nobody hands anything. */
  @Injectable()
  class Deep {
    readonly seen: unknown[] = [];
    readonly signals: (AbortSignal | undefined)[] = [];

    async known() {
      await turn();
      const { tenant, callId, priority, deadlineAt, signal } = currentContext() ?? {};
      return { tenant, callId, priority, timed: deadlineAt !== undefined, signal: signal !== undefined };
    }

    async work(): Promise<string> {
      await turn();
      const signal = callSignal();
      this.signals.push(signal);
      return new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason as Error));
      });
    }
  }

  @Controller()
  @UseGuards(Auth)
  class Routes {
    readonly deep: Deep;
    constructor(deep: Deep) {
      this.deep = deep;
    }
    @Get("known") known() {
      return this.deep.known();
    }
    @Get("work") work() {
      return this.deep.work();
    }
    @Get("late") late() {
      return createPipeline().execute(({ signal }) => {
        this.deep.signals.push(signal);
        return new Promise(() => {});
      });
    }
    @Get("signal") signal(@CallSignal() signal: AbortSignal) {
      return { same: signal === callSignal(), aborted: signal.aborted };
    }
    @Get("deadline") async deadline() {
      return currentContext()?.deadlineAt;
    }
    @Get("detached") detached() {
      void detach(async () => {
        await turn();
        this.deep.seen.push({ ...currentContext() });
      });
      return "done";
    }
  }

  const app = (options: BreakwaterOptions = {}) => ({
    imports: root(options),
    controllers: [Routes],
    providers: [Deep],
  });
  const context: BreakwaterOptions["context"] = {
    tenant: (request: Served) => request.user?.team,
    priority: () => "batch",
    deadline: "2m",
  };

  test("says what guards have found out and what the request said", async () => {
    const { url } = await serve(app({ context }), platform);
    const headers = { "x-team": "north", "x-request-id": "r-7" };
    const response = await fetch(`${url}/known`, { headers });
    expect(response.headers.get("x-breakwater-call-id")).toBe("r-7");
    expect(await response.json()).toEqual({
      tenant: "north",
      callId: "r-7",
      priority: "batch",
      timed: true,
      signal: true,
    });
  });

  test("has a call id also for those who said none, or said something odd", async () => {
    const { url } = await serve(app({ context: { callId: () => undefined } }), platform);
    const response = await fetch(`${url}/known`, { headers: { "x-request-id": "<b>" } });
    const { callId } = (await response.json()) as { callId: string };
    expect(callId).toMatch(/^[\w-]{36}$/);
    expect(response.headers.get("x-breakwater-call-id")).toBe(callId);
  });

  test("a request can shorten its deadline and cannot lengthen it", async () => {
    const { url } = await serve(app({ context }), platform);
    const deadlineOf = async (ms?: string): Promise<number> =>
      Number(
        await (await fetch(`${url}/deadline`, ms ? { headers: { "x-request-timeout": ms } } : {})).text(),
      );
    const [own, shorter, longer] = [
      await deadlineOf(),
      await deadlineOf("60000"),
      await deadlineOf("3600000"),
    ];
    expect(shorter).toBeLessThan(own);
    expect(longer).toBeLessThan(own + 1_800_000);
  });

  test("what is not there at the deadline is given up, and told so", async () => {
    const { app: nest, url } = await serve(app({ context }), platform);
    const response = await fetch(`${url}/late`, { headers: { "x-request-timeout": "5" } });
    expect([response.status, response.headers.get("x-breakwater-code")]).toEqual([504, "TIMED_OUT"]);
    for (const signal of nest.get(Deep).signals) expect(signal?.aborted).toBe(true);
  });

  test("requests at the same time do not mix", async () => {
    const { url } = await serve(app({ context }), platform);
    const teams = Array.from({ length: 50 }, (_, index) => `t${index}`);
    const known = await Promise.all(
      teams.map(async (team) => {
        const headers = { "x-team": team, "x-request-id": `r-${team}` };
        return (await fetch(`${url}/known`, { headers })).json();
      }),
    );
    expect(known).toMatchObject(teams.map((team) => ({ tenant: team, callId: `r-${team}` })));
  });

  test("what a service does ends when the browser leaves, and nothing is logged", async () => {
    const log = errorLog();
    const { app: nest, url } = await serve(app(), platform, log.listen);
    const { signals } = nest.get(Deep);
    const browser = visit(`${url}/work`);
    await until(() => signals.length === 1);
    expect(signals[0]?.aborted).toBe(false);
    browser.leave();
    await until(() => signals[0]?.aborted === true);
    expect(signals[0]?.reason).toMatchObject({ name: "AbortError", code: "CLIENT_GONE" });
    expect((await fetch(`${url}/signal`)).status).toBe(200);
    expect(log.errors).toEqual([]);
  });

  test("a parameter has the signal", async () => {
    const { url } = await serve(app(), platform);
    expect(await (await fetch(`${url}/signal`)).json()).toEqual({ same: true, aborted: false });
  });

  test("background work keeps the name of its request, and neither signal nor deadline", async () => {
    const { app: nest, url } = await serve(app({ context }), platform);
    await fetch(`${url}/detached`, { headers: { "x-team": "north", "x-request-id": "r-1" } });
    const { seen } = nest.get(Deep);
    await until(() => seen.length === 1);
    expect(seen).toEqual([{ tenant: "north", callId: "r-1", priority: "batch" }]);
  });

  test("a mistake in a function of the context is an error like any other", async () => {
    const log = errorLog();
    const wrong = { tenant: (request: Served) => (request.user as { team: string }).team };
    const { url } = await serve(app({ context: wrong }), platform, log.listen);
    expect((await fetch(`${url}/known`)).status).toBe(500);
    expect(log.errors).toMatchObject([{ name: "TypeError" }]);
  });
});

describe.each(platforms)("an error on %s", (platform) => {
  class OwnError extends Error {}

  @Catch(HttpException)
  class OwnFilter implements ExceptionFilter {
    static seen: unknown[] = [];
    catch(error: HttpException, host: ArgumentsHost) {
      OwnFilter.seen.push(error);
      const response = host
        .switchToHttp()
        .getResponse<{ status(n: number): { send(body: unknown): void } }>();
      response.status(418).send({ own: error.message });
    }
  }

  @Controller()
  class Routes {
    @Get("refused") async refused() {
      throw refusal;
    }
    @Get("refused-at-once") refusedAtOnce() {
      throw refusal;
    }
    @Get("observed") observed(): Observable<unknown> {
      return throwError(() => refusal);
    }
    @Get("sdk") async sdk() {
      throw sdkError;
    }
    @Get("wrapped") async wrapped() {
      throw new Error("Connection error.", { cause: refusal });
    }
    @Get("upstream") async upstream() {
      throw new UpstreamError("SERVER_ERROR", "it said sk-secret", { status: 500, retryable: true });
    }
    @Get("own") async own() {
      throw new OwnError("mine");
    }
    @Get("http") async http() {
      throw new ServiceUnavailableException("come back", { cause: refusal });
    }
    static asked = Promise.resolve();
    @Get("half") async half(@Res() response: { raw?: NodeJS.WritableStream } & NodeJS.WritableStream) {
      (response.raw ?? response).write("half an answer");
      await Routes.asked;
      throw refusal;
    }
    @Get("filtered")
    @UseFilters(OwnFilter)
    async filtered() {
      throw refusal;
    }
  }
  const app = { imports: root(), controllers: [Routes] };

  test.each(["refused", "refused-at-once", "observed", "wrapped"])("%s has Nest's shape", async (path) => {
    const log = errorLog();
    const { url } = await serve(app, platform, log.listen);
    const response = await fetch(`${url}/${path}`);
    expect(response.status).toBe(429);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "retry-after": "2",
      ratelimit: '"books";r=0;t=2',
      "x-breakwater-code": "RATE_LIMITED",
      "content-type": "application/json; charset=utf-8",
    });
    expect(await response.json()).toEqual({
      statusCode: 429,
      message: "Too many requests.",
      error: "Too Many Requests",
      code: "RATE_LIMITED",
    });
    expect(log.errors).toEqual([]);
  });

  test("of ours inside an SDK's says what it was, and no secret", async () => {
    const { url } = await serve(app, platform);
    const response = await fetch(`${url}/sdk`);
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "3"]);
    const body = await response.text();
    expect(body).toContain('"code":"CIRCUIT_OPEN"');
    expect(body).not.toContain("sk-secret");
    expect(await (await fetch(`${url}/upstream`)).text()).not.toContain("sk-secret");
  });

  test("of the user's stays as it is: Nest logs it and answers 500", async () => {
    const log = errorLog();
    const { url } = await serve(app, platform, log.listen);
    const response = await fetch(`${url}/own`);
    expect(await response.json()).toEqual({ statusCode: 500, message: "Internal server error" });
    expect(log.errors).toEqual([new OwnError("mine")]);
  });

  test("that the user has made an exception of is the user's, whatever its cause", async () => {
    const { url } = await serve(app, platform);
    const response = await fetch(`${url}/http`);
    expect(response.status).toBe(503);
    expect(response.headers.get("x-breakwater-code")).toBeNull();
    expect(await response.json()).toMatchObject({ message: "come back" });
  });

  test("is an HttpException to the user's own filter, with the original in its cause", async () => {
    OwnFilter.seen = [];
    const { url } = await serve(app, platform);
    const response = await fetch(`${url}/filtered`);
    expect(response.status).toBe(418);
    expect(response.headers.get("retry-after")).toBe("2");
    expect(await response.json()).toEqual({ own: "Too many requests." });
    const [error] = OwnFilter.seen as [BreakwaterException];
    expect(error).toBeInstanceOf(BreakwaterException);
    expect(error).toMatchObject({ code: "RATE_LIMITED", cause: refusal });
    expect(error.getStatus()).toBe(429);
  });

  test("in the middle of an answer that a handler writes is no end of it", async () => {
    const log = errorLog();
    const { url } = await serve(app, platform, log.listen);
    let fail = (): void => {};
    Routes.asked = new Promise((resolve) => {
      fail = resolve;
    });
    const response = await fetch(`${url}/half`);
    expect(response.status).toBe(200);
    fail();
    await expect(response.text()).rejects.toThrow("terminated");
    expect((await fetch(`${url}/refused`)).status).toBe(429);
    expect(log.errors).toEqual([]);
  });
});

describe.each(platforms)("interceptors around a handler on %s", (platform) => {
  const signals: AbortSignal[] = [];

  @Injectable()
  class TakeOne implements NestInterceptor {
    intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
      return next.handle().pipe(take(1));
    }
  }

  @Controller()
  class Routes {
    @Get("quick")
    async quick(@CallSignal() signal: AbortSignal) {
      signals.push(signal);
      return "quick";
    }
    @Get("twice")
    @UseInterceptors(BreakwaterInterceptor)
    async twice() {
      throw refusal;
    }
  }

  test("two copies of it do no harm", async () => {
    let asked = 0;
    const context = { tenant: () => `asked ${++asked}` };
    const { url } = await serve({ imports: root({ context }), controllers: [Routes] }, platform);
    const response = await fetch(`${url}/twice`);
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("2");
    expect(asked).toBe(1);
  });

  test("a signal does not fire because an answer is there", async () => {
    signals.length = 0;
    // Of the root module, so it stands around ours and unsubscribes as soon as there is something.
    const providers = [{ provide: APP_INTERCEPTOR, useClass: TakeOne }];
    const { url } = await serve({ imports: root(), controllers: [Routes], providers }, platform);
    expect(await (await fetch(`${url}/quick`)).text()).toBe("quick");
    await turn();
    expect(signals[0]?.aborted).toBe(false);
  });
});

test("who unsubscribes ends what the handler does", async () => {
  const { app } = await serve({ imports: root() });
  const interceptor = new BreakwaterInterceptor(app.get(BreakwaterRegistry));
  let signal: AbortSignal | undefined;
  const handler = () => {
    signal = callSignal();
    return NEVER;
  };
  const req = new IncomingMessage(new Socket());
  const context = new ExecutionContextHost([req, new ServerResponse(req)], Object, handler);
  const subscription = interceptor.intercept(context, { handle: handler }).subscribe();
  expect(signal?.aborted).toBe(false);
  subscription.unsubscribe();
  expect(signal?.reason).toMatchObject({ name: "AbortError", message: "the subscriber has left" });
});

test("a message that is no HTTP is handled as it comes", async () => {
  const { app } = await serve({ imports: root({ context: { tenant: () => "never asked" } }) });
  const interceptor = new BreakwaterInterceptor(app.get(BreakwaterRegistry));
  const handler = () => of(currentContext()?.tenant ?? "nobody");
  const context = new ExecutionContextHost([{ some: "message" }], Object, handler);
  context.setType("rpc");
  expect(await lastValueFrom(interceptor.intercept(context, { handle: handler }))).toBe("nobody");
  const failing = { handle: () => throwError(() => refusal) };
  await expect(lastValueFrom(interceptor.intercept(context, failing))).rejects.toBe(refusal);
  const empty = interceptor.intercept(context, { handle: () => EMPTY });
  expect(await lastValueFrom(empty, { defaultValue: "empty" })).toBe("empty");
});
