// The admin page of a Nest application.
import { visit, until } from "@breakwater-internal/visitor";
import {
  circuitBreaker,
  type Client,
  createClient,
  createMemoryInstanceStore,
  retry,
  upstream,
} from "@breakwater/core";
import { createTestClock, scriptedUpstream } from "@breakwater/testing";
import {
  type CanActivate,
  Controller,
  Get,
  type INestApplication,
  Injectable,
  Logger,
  Module,
  Post,
  RequestMethod,
  Sse,
  VERSION_NEUTRAL,
  VersioningType,
} from "@nestjs/common";
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, RouterModule } from "@nestjs/core";
import { describe, expect, it, test, vi } from "vitest";

import { boot, platforms, serve } from "./app.test-help.ts";
import { errorLog } from "./browser.test-help.ts";
import {
  basicAuth,
  BreakwaterFilter,
  BreakwaterModule,
  type BreakwaterOptions,
  BreakwaterRegistry,
  InjectClient,
  type ModuleAdminOptions,
  UsePipeline,
  UsePolicies,
} from "./index.ts";

const authorize = basicAuth({ ada: "a long password" });
const headers = { authorization: `Basic ${btoa("ada:a long password")}` };
const given: ModuleAdminOptions = { authorize };

interface State {
  readonly clients: readonly { readonly name: string }[];
}

async function namesAt(url: string): Promise<readonly string[]> {
  const response = await fetch(`${url}/snapshot`, { headers });
  expect(response.status).toBe(200);
  return ((await response.json()) as State).clients.map(({ name }) => name);
}

const post = (url: string, body: unknown) =>
  fetch(`${url}/change`, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(body),
  });

const echo = () =>
  createClient(
    upstream(async (text: string) => text, { name: "echo" }),
    circuitBreaker(),
  );

@Controller()
class Plain {
  @Get("plain") plain() {
    return "plain";
  }
}

const modules = (options: BreakwaterOptions = {}) => ({
  imports: [BreakwaterModule.forRoot({ admin: given, ...options })],
  controllers: [Plain],
});

const quiet = (app: INestApplication): void => app.useLogger(false);

describe.each(platforms)("an admin on %s", (platform) => {
  it("is over all that the application has, and answers while nothing else does", async () => {
    @Injectable()
    class Never implements CanActivate {
      canActivate() {
        return false;
      }
    }
    @Injectable()
    class Books {
      @UsePolicies(retry()) async find() {}
    }
    const { url } = await serve(
      {
        ...modules({ clients: { echo: echo() }, pipelines: { search: [retry()] } }),
        providers: [
          Books,
          { provide: APP_GUARD, useClass: Never },
          { provide: APP_FILTER, useClass: BreakwaterFilter },
          {
            provide: APP_INTERCEPTOR,
            useValue: {
              intercept() {
                throw new Error("never asked");
              },
            },
          },
        ],
      },
      platform,
    );
    expect((await fetch(`${url}/plain`)).status).toBe(403);
    expect((await fetch(`${url}/breakwater/state`)).status).toBe(401);
    expect(await namesAt(`${url}/breakwater`)).toEqual(["handlers", "echo", "search", "Books.find"]);
  });

  it("changes policies, behind the application's own parser of bodies", async () => {
    const client = echo();
    const { url } = await serve(modules({ clients: { client } }), platform);
    const forced = await post(`${url}/breakwater`, {
      client: "echo",
      policy: "circuit-breaker",
      change: { force: "open" },
    });
    expect([forced.status, await forced.json()]).toMatchObject([200, { by: "ada" }]);
    await expect(client("x")).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
  });

  test.each<[string, (app: INestApplication) => void, string]>([
    ["a global prefix", (app) => app.setGlobalPrefix("api"), "/api/internal/bw"],
    ["a prefix with slashes", (app) => app.setGlobalPrefix("/api/all/"), "/api/all/internal/bw"],
    [
      "a prefix that it is excluded from",
      (app) => app.setGlobalPrefix("api", { exclude: ["internal/bw"] }),
      "/internal/bw",
    ],
    [
      "a prefix that others are excluded from",
      (app) =>
        app.setGlobalPrefix("api", {
          exclude: ["other", { path: "internal/bw", method: RequestMethod.GET }],
        }),
      "/api/internal/bw",
    ],
    [
      "versions",
      (app) => app.enableVersioning({ type: VersioningType.URI, defaultVersion: "1" }),
      "/internal/bw",
    ],
  ])("stands where a controller would: %s", async (_, prepare, path) => {
    const { url } = await serve(modules({ admin: { ...given, path: "/internal/bw/" } }), platform, prepare);
    expect(await namesAt(url + path)).toEqual(["handlers"]);
    const without = await fetch(url + path, { headers, redirect: "manual" });
    expect(without.status).toBe(308);
    expect(new URL(without.headers.get("location") as string, url + path).pathname).toBe(`${path}/`);
    expect((await fetch(`${url}${path}er`, { headers })).status).toBe(404);
  });

  it("has options that are made with what Nest injects", async () => {
    @Injectable()
    class Staff {
      readonly may = authorize;
    }
    @Module({ providers: [Staff], exports: [Staff] })
    class StaffModule {}
    const { url } = await serve(
      {
        imports: [
          BreakwaterModule.forRootAsync({
            imports: [StaffModule],
            inject: [Staff],
            useFactory: async (staff: Staff) => ({ admin: { path: "staff", authorize: staff.may } }),
          }),
        ],
      },
      platform,
    );
    expect(await namesAt(`${url}/staff`)).toEqual(["handlers"]);
  });

  it("comes after middleware of the application's that is used for all", async () => {
    const seen: string[] = [];
    const { url } = await serve(modules(), platform, (app) =>
      app.use((req: { url: string }, _res: unknown, next: () => void) => {
        seen.push(req.url);
        next();
      }),
    );
    await namesAt(`${url}/breakwater`);
    expect(seen).toEqual(["/breakwater/snapshot"]);
  });

  it("answers while the application shuts down, and its streams of events do not keep it open", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, AsyncIterable<unknown>>();
    const chat = createClient({ upstream: script.upstream, runtime: clock, name: "chat" });
    @Controller()
    class Talk {
      @InjectClient("chat") readonly chat!: Client<string, AsyncIterable<unknown>>;
      @Sse("say") say() {
        return this.chat("hello");
      }
    }
    const { app, url } = await serve(
      { ...modules({ clients: { chat }, runtime: clock }), controllers: [Talk, Plain] },
      platform,
      quiet,
    );
    const talking = visit(`${url}/say`);
    const stream = (await script.next()).stream("a");
    expect(await talking.event()).toEqual({ data: "a" });
    const following = visit(`${url}/breakwater/events`, { headers });
    expect((await following.response).statusCode).toBe(200);

    const closing = app.close();
    await until(() =>
      app
        .get(BreakwaterRegistry)
        .snapshot()
        .some(({ draining }) => draining),
    );
    expect((await fetch(`${url}/plain`, { headers: { connection: "close" } })).status).toBe(503);
    const looked = await fetch(`${url}/breakwater/snapshot`, { headers });
    expect([looked.status, looked.headers.get("connection")]).toEqual([200, "close"]);
    expect(await looked.json()).toMatchObject({
      clients: [{ name: "handlers", draining: true, inFlight: 1 }, { name: "chat" }],
    });
    stream.end();
    expect(await talking.rest()).toContain("[DONE]");
    expect(await following.rest()).toContain("event: call-end");
    await closing;
    expect(clock.pending).toBe(0);
  });

  it("ends with its application where clients are left to others", async () => {
    const { app, url } = await serve(modules({ drain: false }), platform);
    const following = visit(`${url}/breakwater/events`, { headers });
    await following.response;
    await app.close();
    expect(await following.rest()).toMatch(/^(: keep-alive\n\n)*$/);
  });

  it("tells the log and nobody else what authorize has thrown", async () => {
    const log = errorLog();
    const error = new Error("the password is swordfish");
    const throwing = (): never => {
      throw error;
    };
    const { url } = await serve(modules({ admin: { authorize: throwing } }), platform, log.listen);
    const response = await fetch(`${url}/breakwater/state`);
    expect([response.status, await response.text()]).toEqual([500, expect.not.stringContaining("swordfish")]);
    expect(log.errors).toEqual([error]);
  });
});

describe("an application does not start", () => {
  const start = (options: unknown, more: object = {}) =>
    serve({ ...modules({ admin: options as ModuleAdminOptions }), ...more }, "express", quiet);

  test.each<[string, unknown, string]>([
    ["without authorize", {}, "BreakwaterModule: admin: authorize is required"],
    ["with an admin that is none", "breakwater", "BreakwaterModule: admin must be an object"],
    ["with null", null, "BreakwaterModule: admin must be an object"],
    [
      "with an option that nobody knows",
      { authorize, users: {} },
      'BreakwaterModule: admin: unknown option "users"',
    ],
    ...["", "/", "a//b", "a/:id", "*", "a b", "../a?", undefined, 3].map(
      (path): [string, unknown, string] => [
        `with the path ${JSON.stringify(path)}`,
        { authorize, path: path ?? null },
        "BreakwaterModule: admin: path must be a path such as",
      ],
    ),
  ])("%s", async (_, options, told) => {
    await expect(start(options)).rejects.toThrow(told);
  });

  @Controller("Breakwater")
  class Whole {
    @Post("reports") add() {}
  }
  @Controller()
  class One {
    @Get(["here", "breakwater"]) get() {}
  }
  @Controller("breakwater-reports")
  class Beside {
    @Get() get() {}
    @Get(":breakwater") one() {}
  }
  @Controller({ path: "breakwater", version: "2" })
  class Versioned {
    @Get() get() {}
  }

  @Controller({ path: "breakwater", version: ["2", VERSION_NEUTRAL] })
  class Both {
    @Get("new") get() {}
  }

  test("where a route of its own is at the same path, without its version", async () => {
    await expect(
      serve({ ...modules(), controllers: [Both] }, "express", (app) => {
        quiet(app);
        app.enableVersioning({ type: VersioningType.URI });
      }),
    ).rejects.toThrow("Both.get is at /breakwater/new, where admin is served");
  });

  test.each([
    ["a controller's", Whole, "Whole.add is at /Breakwater/reports"],
    ["a method's", One, "One.get is at /breakwater"],
  ])("where a route of its own is at the same path: %s", async (_, controller, told) => {
    await expect(start(given, { controllers: [controller] })).rejects.toThrow(
      `BreakwaterModule: admin: ${told}, where admin is served. Give one of them another path.`,
    );
  });

  test("where a module of its own is at the same path", async () => {
    @Module({ controllers: [Plain] })
    class Inner {}
    const imports = [
      BreakwaterModule.forRoot({ admin: given }),
      Inner,
      RouterModule.register([{ path: "breakwater", module: Inner }]),
    ];
    await expect(serve({ imports }, "express", quiet)).rejects.toThrow("Plain.plain is at /breakwater/plain");
  });

  test("but it does where they only look alike", async () => {
    const { url } = await serve({ ...modules(), controllers: [Beside, Versioned] }, "express", (app) =>
      app.enableVersioning({ type: VersioningType.URI }),
    );
    expect((await fetch(`${url}/v2/breakwater`)).status).toBe(200);
    expect((await fetch(`${url}/breakwater-reports/x`)).status).toBe(200);
    expect(await namesAt(`${url}/breakwater`)).toEqual(["handlers"]);
  });
});

describe("an application without a server", () => {
  it("says that nobody can look there", async () => {
    const warn = vi.spyOn(Logger, "warn").mockImplementation(() => {});
    await boot(modules());
    expect(warn.mock.calls).toEqual([
      ["admin is not served at /breakwater: this application has no HTTP server.", "BreakwaterModule"],
    ]);
  });

  it("is seen on the pages of other instances, until it has gone", async () => {
    const warn = vi.spyOn(Logger, "warn").mockImplementation(() => {});
    const clock = createTestClock();
    const order: string[] = [];
    const instances = createMemoryInstanceStore();
    const store = {
      ...instances,
      remove: (service: string, instance: string) => {
        order.push("removed");
        return instances.remove(service, instance);
      },
      close: async () => void order.push("closed"),
    };
    const app = await boot(
      modules({
        runtime: clock,
        clients: { store },
        admin: { ...given, instances: store, instance: "worker" },
      }),
    );
    await clock.advance(2_000);
    expect(instances.all("breakwater")).toMatchObject([{ instance: "worker" }]);
    await clock.until(app.close());
    expect([instances.all("breakwater"), order, clock.pending]).toEqual([[], ["removed", "closed"], 0]);
    expect(warn.mock.calls).toEqual([]);
  });

  it("leaves nothing behind where it does not start", async () => {
    const clock = createTestClock();
    const instances = createMemoryInstanceStore();
    @Injectable()
    class Mistaken {
      @UsePipeline("nowhere") async find() {}
    }
    const app = boot({
      ...modules({ runtime: clock, admin: { ...given, instances } }),
      providers: [Mistaken],
    });
    await expect(app).rejects.toThrow('there is no pipeline "nowhere"');
    expect(clock.pending).toBe(0);
  });
});
