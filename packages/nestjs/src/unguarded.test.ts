import { rateLimit } from "@breakwater/core";
import { Controller, Get, Injectable, Logger, type ModuleMetadata, Scope, UseGuards } from "@nestjs/common";
import { APP_GUARD, Reflector } from "@nestjs/core";
import { beforeEach, describe, expect, test, vi } from "vitest";

import { boot, serve } from "./app.test-help.ts";
import { BreakwaterGuard, BreakwaterModule, BreakwaterRegistry, Inbound, SkipInbound } from "./index.ts";

const limit = () => rateLimit({ name: "limit", limits: { requests: { limit: 1, per: "1h" } } });
const inbound = () => BreakwaterModule.forRoot({ inbound: [limit()] });

@Controller()
class Plain {
  @Get()
  get() {
    return "plain";
  }
}

@Controller("guarded")
@UseGuards(BreakwaterGuard)
class Guarded extends Plain {}

@Controller("skipped")
@SkipInbound()
class Skipped extends Plain {}

@Controller()
@Inbound(limit())
class Whole extends Plain {}

@Controller()
class OneRoute {
  @Get()
  @Inbound(limit())
  export() {
    return "all of it";
  }
}

@Injectable({ scope: Scope.REQUEST })
class PerRequest extends BreakwaterGuard {}

describe("inbound guards that stand before nothing", () => {
  const told: string[] = [];
  beforeEach(() => {
    told.length = 0;
    vi.spyOn(Logger, "warn").mockImplementation((message: unknown) => void told.push(String(message)));
  });

  test.each<[string, ModuleMetadata]>([
    ["`inbound` of BreakwaterModule", { imports: [inbound()], controllers: [Plain] }],
    ["@Inbound() of Whole", { imports: [BreakwaterModule.forRoot()], controllers: [Plain, Whole] }],
    ["@Inbound() of OneRoute.export", { imports: [BreakwaterModule.forRoot()], controllers: [OneRoute] }],
  ])("%s: one warning when the application starts", async (given, metadata) => {
    await boot(metadata);
    expect(told).toEqual([
      `${given} guards nothing: there is no BreakwaterGuard. Provide { provide: APP_GUARD, useClass: BreakwaterGuard }, or write @UseGuards(BreakwaterGuard) on a controller.`,
    ]);
  });

  test.each<[string, ModuleMetadata]>([
    ["is for the whole application", { providers: [{ provide: APP_GUARD, useClass: BreakwaterGuard }] }],
    ["is made for each request", { providers: [{ provide: APP_GUARD, useClass: PerRequest }] }],
    ["stands before a controller", { controllers: [Guarded] }],
  ])("none where a guard %s", async (_, metadata) => {
    await boot({ imports: [inbound()], ...metadata });
    expect(told).toEqual([]);
  });

  test("none where it is given by useGlobalGuards", async () => {
    await serve({ imports: [inbound()], controllers: [OneRoute] }, "express", (app) =>
      app.useGlobalGuards(new BreakwaterGuard(app.get(BreakwaterRegistry), app.get(Reflector))),
    );
    expect(told).toEqual([]);
  });

  test("none where a test has put something else in its place", async () => {
    await boot({ imports: [inbound()], controllers: [Guarded] }, (builder) =>
      builder.overrideGuard(BreakwaterGuard).useValue({ canActivate: () => true }),
    );
    expect(told).toEqual([]);
  });

  test("none where there are none", async () => {
    await boot({ imports: [BreakwaterModule.forRoot()], controllers: [Plain, Skipped] });
    expect(told).toEqual([]);
  });
});
