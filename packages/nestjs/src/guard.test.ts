import { Readable } from "node:stream";

import { bulkhead, rateLimit, retry, timeout } from "@breakwater/core";
import {
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  Post,
  Sse,
  StreamableFile,
  type Type,
  UseGuards,
} from "@nestjs/common";
import { APP_GUARD, Reflector } from "@nestjs/core";
import { ExecutionContextHost } from "@nestjs/core/helpers/execution-context-host.js";
import { NEVER } from "rxjs";
import { describe, expect, test } from "vitest";

import { platforms, serve } from "./app.test-help.ts";
import { visit, errorLog, until } from "./browser.test-help.ts";
import {
  BreakwaterGuard,
  BreakwaterModule,
  type BreakwaterOptions,
  BreakwaterRegistry,
  Inbound,
  SkipInbound,
} from "./index.ts";

const hourly = (limit: number, name = "hourly") =>
  rateLimit({ name, limits: { requests: { limit, per: "1h", algorithm: "window" } } });

function app(
  controllers: Type | Type[],
  inbound?: BreakwaterOptions["inbound"],
  guard: Type = BreakwaterGuard,
) {
  return {
    imports: [BreakwaterModule.forRoot(inbound === undefined ? {} : { inbound })],
    controllers: [controllers].flat(),
    providers: [{ provide: APP_GUARD, useClass: guard }],
  };
}

describe.each(platforms)("inbound guards on %s", (platform) => {
  @Controller()
  class Plain {
    static runs = 0;
    @Get("a") a() {
      return `run ${++Plain.runs}`;
    }
    @Post("b") b() {
      return "b";
    }
    @Get("skipped")
    @SkipInbound()
    skipped() {
      return "skipped";
    }
  }

  const statuses = async (url: string, paths: readonly string[]): Promise<number[]> => {
    const all: number[] = [];
    for (const path of paths) all.push((await fetch(`${url}/${path}`)).status);
    return all;
  };

  test("of the module stand before all routes, and a refused request runs nothing", async () => {
    Plain.runs = 0;
    const log = errorLog();
    const { url } = await serve(app(Plain, [hourly(2)]), platform, log.listen);
    expect(await (await fetch(`${url}/a`)).text()).toBe("run 1");
    expect((await fetch(`${url}/b`, { method: "POST" })).status).toBe(201);
    const refused = await fetch(`${url}/a`);
    expect(refused.status).toBe(429);
    expect(refused.headers.get("x-breakwater-code")).toBe("RATE_LIMITED");
    expect(refused.headers.get("ratelimit")).toMatch(/^"hourly";r=0;t=\d+$/);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(refused.headers.get("x-breakwater-call-id")).toMatch(/^[\w-]{36}$/);
    expect(await refused.json()).toEqual({
      statusCode: 429,
      message: "Too many requests.",
      error: "Too Many Requests",
      code: "RATE_LIMITED",
    });
    expect(Plain.runs).toBe(1);
    expect(await statuses(url, ["skipped", "skipped"])).toEqual([200, 200]);
    expect(log.errors).toEqual([]);
  });

  test("are nobody's where there are none", async () => {
    const { url } = await serve(app(Plain), platform);
    expect(await statuses(url, ["a", "a", "a"])).toEqual([200, 200, 200]);
  });

  test("of a route take the place of its controller's, and those the place of the module's", async () => {
    @Controller("limited")
    @Inbound(hourly(2, "controller"))
    class Limited {
      @Get("one") one() {}
      @Get("two") two() {}
      @Get("own")
      @Inbound(hourly(1, "route"))
      own() {}
      @Get("open")
      @SkipInbound()
      open() {}
    }
    const { url } = await serve(app([Plain, Limited], [hourly(1, "module")]), platform);
    expect(await statuses(url, ["limited/one", "limited/two", "limited/one"])).toEqual([200, 200, 429]);
    expect(await statuses(url, ["limited/own", "limited/own"])).toEqual([200, 429]);
    expect(await statuses(url, ["limited/open", "limited/open"])).toEqual([200, 200]);
    expect(await statuses(url, ["a", "a"])).toEqual([200, 429]);
    expect((await fetch(`${url}/limited/own`)).headers.get("ratelimit")).toContain('"route"');
  });

  test("are skipped by a controller, and taken back by a route", async () => {
    @Controller("open")
    @SkipInbound()
    class Open {
      @Get("free") free() {}
      @Get("guarded")
      @SkipInbound(false)
      guarded() {}
    }
    const { url } = await serve(app(Open, [hourly(1)]), platform);
    expect(await statuses(url, ["open/free", "open/free"])).toEqual([200, 200]);
    expect(await statuses(url, ["open/guarded", "open/guarded"])).toEqual([200, 429]);
  });

  test("stand before one controller alone with @UseGuards()", async () => {
    @Controller("guarded")
    @UseGuards(BreakwaterGuard)
    class Guarded {
      @Get() get() {}
    }
    const { url } = await serve(
      {
        imports: [BreakwaterModule.forRoot({ inbound: [hourly(1)] })],
        controllers: [Plain, Guarded],
      },
      platform,
    );
    expect(await statuses(url, ["guarded", "guarded", "a", "a"])).toEqual([200, 429, 200, 200]);
  });

  test("count a request once that comes by two of them", async () => {
    class ByTeam extends BreakwaterGuard {
      protected override getTracker() {
        return "north";
      }
    }
    @Controller()
    class Twice {
      @Get("twice")
      @UseGuards(BreakwaterGuard)
      twice() {}
      @Get("other")
      @UseGuards(ByTeam)
      other() {}
    }
    const { url } = await serve(app(Twice, [hourly(3)]), platform);
    // By two that ask differently it is two.
    expect(await statuses(url, ["twice", "other", "twice"])).toEqual([200, 200, 429]);
  });

  test("know whose request it is from getTracker(), and whom to let in from shouldSkip()", async () => {
    @Injectable()
    class ByTeam extends BreakwaterGuard {
      protected override async getTracker(request: { headers: Record<string, string> }) {
        return request.headers["x-team"];
      }
      protected override async shouldSkip(context: ExecutionContext) {
        const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
        return headers["x-health"] === "yes" || (await super.shouldSkip(context));
      }
    }
    const perTeam = rateLimit({
      name: "team",
      key: (_request, call) => call.tenant,
      limits: { requests: { limit: 1, per: "1h" } },
    });
    const { url } = await serve(app(Plain, [perTeam], ByTeam), platform);
    const as = async (headers: Record<string, string>, path = "a"): Promise<number> =>
      (await fetch(`${url}/${path}`, { headers })).status;
    expect([
      await as({ "x-team": "north" }),
      await as({ "x-team": "south" }),
      await as({ "x-team": "north" }),
    ]).toEqual([200, 200, 429]);
    expect(await as({ "x-team": "north", "x-health": "yes" })).toBe(200);
    expect(await as({ "x-team": "north" }, "skipped")).toBe(200);
  });

  test("see the platform's request", async () => {
    const seen: unknown[] = [];
    const byAddress = rateLimit({
      key: (request: { ip: string }) => (seen.push(request.ip), request.ip),
      limits: { requests: { limit: 1, per: "1h" } },
    });
    const { url } = await serve(app(Plain, [byAddress]), platform);
    expect(await statuses(url, ["a", "a"])).toEqual([200, 429]);
    expect(seen).toEqual(["127.0.0.1", "127.0.0.1"]);
  });

  test("that fail fail as the error that they threw", async () => {
    const log = errorLog();
    const wrong = rateLimit({
      key: (request: { user: { id: string } }) => request.user.id,
      limits: { requests: { limit: 1, per: "1h" } },
    });
    const { url } = await serve(app(Plain, [wrong]), platform, log.listen);
    const response = await fetch(`${url}/a`);
    expect([response.status, await response.json()]).toEqual([
      500,
      { statusCode: 500, message: "Internal server error" },
    ]);
    expect(log.errors).toMatchObject([{ name: "TypeError" }]);
  });
});

describe.each(platforms)("an inbound bulkhead on %s", (platform) => {
  @Controller()
  class Routes {
    static source = new Readable({ read() {} });
    static waiting: (() => void)[] = [];
    static runs = 0;
    @Get("file") file() {
      return new StreamableFile(Routes.source);
    }
    @Sse("silent") silent() {
      return NEVER;
    }
    @Get("waiting") async waiting() {
      Routes.runs++;
      await new Promise<void>((resolve) => {
        Routes.waiting.push(resolve);
      });
      return "waited";
    }
    @Get("quick") quick() {
      return "quick";
    }
  }

  async function start(concurrency: number, queue = 0) {
    Routes.source = new Readable({ read() {} });
    Routes.waiting = [];
    Routes.runs = 0;
    const log = errorLog();
    const inbound = [bulkhead({ name: "requests", concurrency, queue })];
    const { app: nest, url } = await serve(app(Routes, inbound), platform, log.listen);
    const held = (): number =>
      nest
        .get(BreakwaterRegistry)
        .snapshot()
        .find(({ name }) => name === "inbound")?.inFlight ?? 0;
    return { url, held, log };
  }

  test("counts a request to the last byte of its answer", async () => {
    const { url, held } = await start(1);
    const browser = visit(`${url}/file`);
    Routes.source.push("one");
    await browser.read();
    expect(held()).toBe(1);
    const second = await fetch(`${url}/quick`);
    expect([second.status, second.headers.get("retry-after")]).toEqual([503, "1"]);
    Routes.source.push(null);
    await until(() => held() === 0);
    expect((await fetch(`${url}/quick`)).status).toBe(200);
    await until(() => held() === 0);
  });

  test("is free when the browser has left", async () => {
    const { url, held, log } = await start(1);
    const browser = visit(`${url}/silent`);
    await browser.response;
    expect(held()).toBe(1);
    browser.leave();
    await until(() => held() === 0);
    expect(log.errors).toEqual([]);
  });

  test("lets nobody in who has left its queue", async () => {
    const { url, held, log } = await start(1, 5);
    const first = fetch(`${url}/waiting`);
    await until(() => Routes.waiting.length === 1);
    const second = visit(`${url}/waiting`);
    await until(() => held() === 2);
    second.leave();
    await until(() => held() === 1);
    Routes.waiting[0]?.();
    expect(await (await first).text()).toBe("waited");
    await until(() => held() === 0);
    expect(Routes.runs).toBe(1);
    expect(log.errors).toEqual([]);
  });

  test("trap 33: of 5 lets exactly 5 of 1000 in", async () => {
    const { url, held } = await start(5);
    let answered = 0;
    const statuses = Array.from({ length: 1_000 }, async () => {
      const response = await visit(`${url}/waiting`).response;
      response.resume();
      answered++;
      return response.statusCode;
    });
    await until(() => answered === 995);
    expect([Routes.runs, held()]).toEqual([5, 5]);
    for (const go of Routes.waiting) go();
    const all = await Promise.all(statuses);
    expect(all.filter((status) => status === 200)).toHaveLength(5);
    expect(all.filter((status) => status === 503)).toHaveLength(995);
    await until(() => held() === 0);
  });
});

test.each([
  ["retry", () => retry()],
  ["timeout", () => timeout({ total: "1s" })],
])("@Inbound(%s()) is a mistake that is told where it stands", (kind, make) => {
  expect(() => Inbound(make())).toThrow(
    `inbound: ${kind} does not admit requests. Use guards such as rateLimit() and bulkhead()`,
  );
});

test("hooks of Fastify see refusals like any other answer", async () => {
  const seen: unknown[] = [];
  @Controller()
  class Routes {
    @Get() get() {
      return "in";
    }
  }
  const { url } = await serve(app(Routes, [hourly(1)]), "fastify", (nest) => {
    const fastify = nest.getHttpAdapter().getInstance() as FastifyHooks;
    fastify.addHook("onSend", (_request, reply, payload, done) => {
      reply.header("x-own", "mine");
      done(null, payload);
    });
    fastify.addHook("onResponse", (_request, reply, done) => {
      seen.push(reply.raw.statusCode);
      done();
    });
  });
  await fetch(url);
  const refused = await fetch(url);
  expect([refused.status, refused.headers.get("x-own")]).toEqual([429, "mine"]);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  await until(() => seen.length === 2);
  expect(seen).toEqual([200, 429]);
});

/** What is used here of a Fastify that the platform brings. */
interface FastifyHooks {
  addHook(name: "onSend", hook: (...args: [unknown, Reply, unknown, Done]) => void): void;
  addHook(name: "onResponse", hook: (...args: [unknown, Reply, Done]) => void): void;
}
interface Reply {
  readonly raw: { readonly statusCode: number };
  header(name: string, value: string): void;
}
type Done = (error?: null, payload?: unknown) => void;

test("two applications do not share what one has drained", async () => {
  @Controller()
  @Inbound(bulkhead({ concurrency: 1 }))
  class Routes {
    @Get() get() {
      return "in";
    }
  }
  const first = await serve(app(Routes));
  expect((await fetch(first.url)).status).toBe(200);
  await first.app.close();
  const second = await serve(app(Routes));
  expect((await fetch(second.url)).status).toBe(200);
});

describe("where there is no HTTP", () => {
  const inbound = () => [bulkhead({ name: "requests", concurrency: 1 }), hourly(1)];
  const contextOf = (type: string, ...args: unknown[]): ExecutionContextHost => {
    const context = new ExecutionContextHost(args, class {}, () => {});
    context.setType(type);
    return context;
  };

  test("everybody is let in", async () => {
    const { app: nest } = await serve({ imports: [BreakwaterModule.forRoot({ inbound: inbound() })] });
    const guard = new BreakwaterGuard(nest.get(BreakwaterRegistry), nest.get(Reflector));
    for (let time = 0; time < 3; time++)
      expect(await guard.canActivate(contextOf("rpc", { some: "message" }))).toBe(true);
  });

  test("a guard that knows where the request is guards all the same", async () => {
    @Injectable()
    class GraphqlGuard extends BreakwaterGuard {
      protected override shouldSkip() {
        return false;
      }
      protected override getRequestResponse(context: ExecutionContext) {
        return context.getArgByIndex<{ req: unknown; res: unknown }>(2);
      }
    }
    @Controller()
    class Routes {
      @Get() get() {}
    }
    const seen: unknown[] = [];
    const { app: nest, url } = await serve(
      { imports: [BreakwaterModule.forRoot({ inbound: inbound() })], controllers: [Routes] },
      "express",
      (made) =>
        made.use((req: unknown, res: unknown, next: () => void) => {
          const guard = new GraphqlGuard(nest.get(BreakwaterRegistry), nest.get(Reflector));
          guard.canActivate(contextOf("graphql", {}, {}, { req, res }, {})).then(
            (isIn) => (seen.push(isIn), next()),
            (error: { code: string }) => (seen.push(error.code), next()),
          );
        }),
    );
    await fetch(url);
    await fetch(url);
    expect(seen).toEqual([true, "RATE_LIMITED"]);
  });
});
