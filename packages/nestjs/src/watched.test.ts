// An application's clients and pipelines, watched as one.
import {
  type BreakwaterEvent,
  bulkhead,
  createClient,
  createPipeline,
  rateLimit,
  retry,
  upstream,
  type Watchable,
} from "@breakwater/core";
import { createDeepSeek } from "@breakwater/deepseek";
import { Controller, Get, Injectable, Module } from "@nestjs/common";
import { APP_GUARD } from "@nestjs/core";
import { describe, expect, it, test } from "vitest";

import { boot, serve } from "./app.test-help.ts";
import {
  BreakwaterGuard,
  BreakwaterModule,
  BreakwaterRegistry,
  getClientToken,
  getPipelineToken,
  Inbound,
  UsePipeline,
  UsePolicies,
} from "./index.ts";
import { watchedTogether } from "./watched.ts";

const client = (name: string) => createClient(upstream(async (text: string) => text, { name }));

/** The clients that calls were told of, in their order. */
function toldOf(watchable: Watchable) {
  const clients: string[] = [];
  const forget = watchable.on(({ type, client: name }: BreakwaterEvent) => {
    if (type === "call-start") clients.push(name);
  });
  return { forget, clients: () => clients.splice(0) };
}

const names = (watchable: Watchable) => watchable.managed().map((managed) => managed.snapshot().name);

describe("several that are watched as one", () => {
  it("tell of those that come later, and no more of those that go", async () => {
    const [first, second] = [client("first"), client("second")];
    let present: Watchable[] = [first];
    const all = watchedTogether(() => present);
    const told = toldOf(all);
    present = [first, second];
    all.follow();
    await first("x");
    await second("x");
    expect(told.clients()).toEqual(["first", "second"]);
    present = [second];
    all.follow();
    await first("x");
    await second("x");
    expect([told.clients(), names(all)]).toEqual([["second"], ["second"]]);
  });

  it("tell once of what is there twice: by itself and inside another, or under two names", async () => {
    const [inner, outer] = [client("inner"), client("outer")];
    const around: Watchable = { managed: () => inner.managed(), on: (listener) => inner.on(listener) };
    const both: Watchable = {
      managed: () => [...inner.managed(), ...outer.managed()],
      on(listener) {
        const forget = [inner.on(listener), outer.on(listener)];
        return () => {
          for (const each of forget) each();
        };
      },
    };
    for (const present of [
      [inner, around, inner],
      [inner, both, outer],
      [both, around],
    ]) {
      const all = watchedTogether(() => present);
      const told = toldOf(all);
      await inner("x");
      expect([told.clients(), names(all).filter((name) => name === "inner")]).toEqual([["inner"], ["inner"]]);
      told.forget();
    }
  });

  it("listen to one that makes its clients later", async () => {
    const late = client("late");
    const made: Watchable[] = [];
    const listeners: Parameters<Watchable["on"]>[0][] = [];
    const maker: Watchable = {
      managed: () => made.flatMap((one) => one.managed()),
      on(listener) {
        listeners.push(listener);
        return () => {};
      },
    };
    const all = watchedTogether(() => [client("first"), maker]);
    const told = toldOf(all);
    made.push(late);
    for (const listener of listeners) late.on(listener);
    await late("x");
    expect([told.clients(), names(all)]).toEqual([["late"], ["first", "late"]]);
  });

  it("forget each listener by itself, and all of them when they are closed", async () => {
    const ask = client("ask");
    const all = watchedTogether(() => [ask]);
    const [first, second] = [toldOf(all), toldOf(all)];
    await ask("x");
    first.forget();
    await ask("x");
    expect([first.clients(), second.clients()]).toEqual([["ask"], ["ask", "ask"]]);
    all.close();
    all.follow();
    await ask("x");
    expect(second.clients()).toEqual([]);
  });
});

describe("a registry", () => {
  it("is all that the application has: clients, pipelines, decorated methods, guards, handlers", async () => {
    const limits = { requests: { limit: 5, per: "1m" } } as const;
    @Injectable()
    class Books {
      @UsePolicies(retry()) async own() {}
      @UsePipeline("search") async find() {}
    }
    @Controller()
    class Routes {
      @Get("module") module() {}
      @Inbound(rateLimit({ name: "few", limits })) @Get("route") route() {}
    }
    @Controller("whole")
    @Inbound(bulkhead({ concurrency: 5 }))
    class Whole {
      @Get() get() {}
    }
    @Module({ imports: [BreakwaterModule.forFeature({ clients: { feature: client("feature") } })] })
    class Feature {}
    const deepseek = createDeepSeek({ apiKey: "sk-nobody" });
    const { app, url } = await serve({
      imports: [
        Feature,
        BreakwaterModule.forRoot({
          clients: { deepseek, chat: deepseek.client, store: { close: async () => {} } },
          pipelines: { search: [retry()] },
          inbound: [rateLimit({ name: "all", limits })],
        }),
      ],
      controllers: [Routes, Whole],
      providers: [Books, { provide: APP_GUARD, useClass: BreakwaterGuard }],
    });
    const registry = app.get(BreakwaterRegistry);
    const told = toldOf(registry);
    for (const path of ["module", "route", "whole"]) await (await fetch(`${url}/${path}`)).text();
    expect(told.clients()).toEqual([
      "inbound",
      "handlers",
      "inbound Routes.route",
      "handlers",
      "inbound Whole",
      "handlers",
    ]);
    expect(names(registry)).toEqual([
      "handlers",
      ...names(deepseek),
      "feature",
      "search",
      "Books.own",
      "inbound",
      "inbound Routes.route",
      "inbound Whole",
    ]);
    await app.get(Books).own();
    await app.get(Books).find();
    expect(told.clients()).toEqual(["Books.own", "search"]);
  });

  it("is watched from before anything is overridden, and tells of what stands there then", async () => {
    const [real, fake] = [client("real"), client("fake")];
    const [search, other] = [createPipeline({ name: "search" }), createPipeline({ name: "other" })];
    let told: ReturnType<typeof toldOf> | undefined;
    @Injectable()
    class Early {
      constructor(registry: BreakwaterRegistry) {
        told = toldOf(registry);
      }
    }
    Reflect.defineMetadata("design:paramtypes", [BreakwaterRegistry], Early);
    const app = await boot(
      {
        imports: [BreakwaterModule.forRoot({ clients: { ask: real }, pipelines: { search } })],
        providers: [Early],
      },
      (builder) =>
        builder
          .overrideProvider(getClientToken("ask"))
          .useValue(fake)
          .overrideProvider(getPipelineToken("search"))
          .useValue(other),
    );
    for (const ask of [real, fake]) await ask("x");
    for (const pipeline of [search, other]) await pipeline.execute(() => "x");
    expect(told?.clients()).toEqual(["fake", "other"]);
    expect(names(app.get(BreakwaterRegistry))).toEqual(["handlers", "fake", "other"]);
  });

  test.each<[string, unknown]>([
    ["nothing", null],
    ["a function", () => {}],
    ["a mock that says yes to everything", new Proxy({}, { get: () => () => undefined })],
  ])("goes on where a test has put %s in the place of a client", async (_, mock) => {
    const app = await boot(
      { imports: [BreakwaterModule.forRoot({ clients: { ask: client("ask") }, drain: false })] },
      (builder) => builder.overrideProvider(getClientToken("ask")).useValue(mock),
    );
    const registry = app.get(BreakwaterRegistry);
    registry.on(() => {});
    expect(names(registry)).toEqual(["handlers"]);
  });

  it("forgets who listens when its application is closed, not what another one still uses", async () => {
    const shared = client("shared");
    const options = { clients: { shared }, drain: false } as const;
    const [first, second] = [
      await boot({ imports: [BreakwaterModule.forRoot(options)] }),
      await boot({ imports: [BreakwaterModule.forRoot(options)] }),
    ];
    const [toFirst, toSecond] = [
      toldOf(first.get(BreakwaterRegistry)),
      toldOf(second.get(BreakwaterRegistry)),
    ];
    await first.close();
    await shared("x");
    expect([toFirst.clients(), toSecond.clients()]).toEqual([[], ["shared"]]);
  });
});
