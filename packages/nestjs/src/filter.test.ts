import { bulkhead, RefusedError } from "@breakwater/core";
import {
  BadRequestException,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  Post,
  Res,
  Sse,
  UseGuards,
} from "@nestjs/common";
import { APP_FILTER, HttpAdapterHost } from "@nestjs/core";
import { ExecutionContextHost } from "@nestjs/core/helpers/execution-context-host.js";
import { lastValueFrom, type Observable } from "rxjs";
import { describe, expect, test } from "vitest";

import { platforms, serve } from "./app.test-help.ts";
import { visit, errorLog, turn, until } from "./browser.test-help.ts";
import { BreakwaterFilter, BreakwaterGuard, BreakwaterModule, Inbound } from "./index.ts";

const refusal = new RefusedError({ by: "books", code: "CIRCUIT_OPEN", retryAfterMs: 1_500 });
const told = {
  statusCode: 503,
  message: "The service that would answer is failing at the moment.",
  error: "Service Unavailable",
  code: "CIRCUIT_OPEN",
};

interface Reply {
  readonly raw: NodeJS.WritableStream;
  hijack(): void;
}
type Out = NodeJS.WritableStream & { setHeader(name: string, value: string): void };
function nodes(response: unknown): Out {
  if (!("hijack" in (response as object))) return response as Out;
  (response as Reply).hijack();
  return (response as Reply).raw as Out;
}

describe.each(platforms)("a filter on %s", (platform) => {
  @Injectable()
  class Refusing implements CanActivate {
    canActivate(): boolean {
      throw refusal;
    }
  }
  @Injectable()
  class Wrapping implements CanActivate {
    canActivate(): boolean {
      throw new Error("Connection error.", { cause: refusal });
    }
  }

  @Controller()
  class Routes {
    static later = Promise.resolve();
    static begun = 0;
    @Get("middleware") middleware() {}
    @Get("guard")
    @UseGuards(Refusing)
    guard() {}
    @Get("wrapped")
    @UseGuards(Wrapping)
    wrapped() {}
    @Get("handler") async handler() {
      throw refusal;
    }
    @Sse("events")
    @UseGuards(Refusing)
    events() {}
    @Get("http") http() {
      throw new BadRequestException("yours", { cause: refusal });
    }
    @Get("own") own() {
      throw new Error("mine");
    }
    @Post("body") body() {
      return "read";
    }
    @Get("half") async half(@Res() response: unknown) {
      nodes(response).write("half an answer");
      await Routes.later;
      throw refusal;
    }
    @Get("half-events") async halfEvents(@Res() response: unknown) {
      const out = nodes(response);
      out.setHeader("content-type", "text/event-stream");
      out.write("data: one\n\n");
      await Routes.later;
      throw refusal;
    }
    @Get("left") async left() {
      Routes.begun++;
      await Routes.later;
      throw Object.assign(new Error("the caller left"), { name: "AbortError" });
    }
  }

  function app(withInterceptor = true) {
    @Module({
      imports: withInterceptor ? [BreakwaterModule.forRoot()] : [],
      controllers: [Routes],
      providers: [{ provide: APP_FILTER, useClass: BreakwaterFilter }],
    })
    class App implements NestModule {
      configure(consumer: MiddlewareConsumer): void {
        const refuse = (_req: unknown, _res: unknown, next: (error: unknown) => void): void => next(refusal);
        consumer.apply(refuse).forRoutes("middleware");
      }
    }
    return { imports: [App] };
  }

  /** Lets a handler go on when the test says so. */
  function hold(): () => void {
    let go = (): void => {};
    Routes.later = new Promise((resolve) => {
      go = resolve;
    });
    return go;
  }

  test.each(["guard", "wrapped", "handler", "events", "middleware"])(
    "tells of a refusal: %s",
    async (path) => {
      for (const withInterceptor of [true, false]) {
        const log = errorLog();
        const { url } = await serve(app(withInterceptor), platform, log.listen);
        const response = await fetch(`${url}/${path}`);
        expect(response.status).toBe(503);
        expect(Object.fromEntries(response.headers)).toMatchObject({
          "retry-after": "2",
          "x-breakwater-code": "CIRCUIT_OPEN",
          "content-type": "application/json; charset=utf-8",
        });
        expect(await response.json()).toEqual(told);
        expect(log.errors).toEqual([]);
      }
    },
  );

  test("leaves exceptions of Nest, of the user and of body parsers as they are", async () => {
    const log = errorLog();
    const { url } = await serve(app(), platform, log.listen);
    const http = await fetch(`${url}/http`);
    expect([http.status, http.headers.get("x-breakwater-code")]).toEqual([400, null]);
    expect(await http.json()).toMatchObject({ statusCode: 400, message: "yours" });
    expect((await fetch(`${url}/nowhere`)).status).toBe(404);
    const headers = { "content-type": "application/json" };
    expect((await fetch(`${url}/body`, { method: "POST", headers, body: "{" })).status).toBe(400);
    const before = log.errors.length;
    expect(await (await fetch(`${url}/own`)).json()).toEqual({
      statusCode: 500,
      message: "Internal server error",
    });
    expect(log.errors.slice(before)).toEqual([new Error("mine")]);
  });

  test.each([true, false])("cuts what has begun, with the interceptor: %s", async (withInterceptor) => {
    const log = errorLog();
    const { url } = await serve(app(withInterceptor), platform, log.listen);
    const go = hold();
    const half = await fetch(`${url}/half`);
    const events = await fetch(`${url}/half-events`);
    go();
    await expect(half.text()).rejects.toThrow("terminated");
    const [one, error] = (await events.text()).trim().split("\n\n");
    expect(one).toBe("data: one");
    expect(error).toMatch(/^event: error\ndata: \{.*"CIRCUIT_OPEN"/);
    expect(log.errors).toEqual([]);
  });

  test.each([true, false])("has nothing to say to one who left, with the interceptor: %s", async (with_) => {
    Routes.begun = 0;
    const log = errorLog();
    const { url, app: nest } = await serve(app(with_), platform, log.listen);
    const go = hold();
    const connections = (): Promise<number> =>
      new Promise((resolve) => {
        (nest.getHttpServer() as { getConnections(f: (e: unknown, n: number) => void): void }).getConnections(
          (_, count) => resolve(count),
        );
      });
    const browser = visit(`${url}/left`);
    await until(() => Routes.begun === 1);
    browser.leave();
    while ((await connections()) > 0) await turn();
    go();
    for (let turns = 0; turns < 5; turns++) await turn();
    expect((await fetch(`${url}/guard`)).status).toBe(503);
    expect(log.errors).toEqual([]);
  });

  test("stands behind filters of the user's that come after it", async () => {
    const seen: unknown[] = [];
    @Catch(RefusedError)
    class Own implements ExceptionFilter {
      catch(error: unknown, host: ExecutionContextHost) {
        seen.push(error);
        const response = host
          .switchToHttp()
          .getResponse<{ status(n: number): { send(body: string): void } }>();
        response.status(418).send("own");
      }
    }
    const providers = [BreakwaterFilter, Own].map((useClass) => ({ provide: APP_FILTER, useClass }));
    const { url } = await serve({ controllers: [Routes], providers }, platform);
    expect((await fetch(`${url}/guard`)).status).toBe(418);
    expect(seen).toEqual([refusal]);
  });

  test("has nothing to add to what a guard of ours has refused", async () => {
    @Controller("full")
    @UseGuards(BreakwaterGuard)
    @Inbound(bulkhead({ name: "full", concurrency: 1, queue: 0 }))
    class Full {
      static end = (): void => {};
      static begun = 0;
      @Get() get() {
        Full.begun++;
        return new Promise<string>((resolve) => {
          Full.end = () => resolve("in");
        });
      }
    }
    const { url } = await serve({ ...app(), controllers: [Full] }, platform);
    const first = fetch(`${url}/full`);
    await until(() => Full.begun === 1);
    const second = await fetch(`${url}/full`);
    expect([second.status, second.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await second.json()).toMatchObject({ statusCode: 503, code: "BULKHEAD_FULL" });
    Full.end();
    expect(await (await first).text()).toBe("in");
  });
});

test("a filter is nobody's where there is no HTTP", async () => {
  const { app } = await serve({});
  const filter = new BreakwaterFilter(app.get(HttpAdapterHost).httpAdapter);
  const host = new ExecutionContextHost([{ some: "message" }]);
  host.setType("rpc");
  await expect(lastValueFrom(filter.catch(refusal, host) as Observable<unknown>)).rejects.toBe(refusal);
  host.setType("graphql");
  expect(() => filter.catch(refusal, host)).toThrow(refusal);
});
