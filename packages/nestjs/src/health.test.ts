import { circuitBreaker, createClient, retry, upstream } from "@breakwater/core";
import { createTestClock, scriptedUpstream } from "@breakwater/testing";
import { Controller, Get, Inject, Injectable } from "@nestjs/common";
import { HealthCheck, HealthCheckService, TerminusModule } from "@nestjs/terminus";
import { describe, expect, it } from "vitest";

import { boot, serve } from "./app.test-help.ts";
import { until } from "./browser.test-help.ts";
import {
  BreakwaterHealthIndicator,
  BreakwaterModule,
  type BreakwaterOptions,
  type HealthOptions,
  UsePipeline,
} from "./index.ts";

let asked: HealthOptions = {};

@Controller("health")
class Health {
  @Inject(HealthCheckService) readonly health!: HealthCheckService;
  @Inject(BreakwaterHealthIndicator) readonly breakwater!: BreakwaterHealthIndicator;
  @Get() @HealthCheck() check() {
    return this.health.check([() => this.breakwater.isHealthy("breakwater", asked)]);
  }
}

const modules = (options: BreakwaterOptions) => [
  BreakwaterModule.forRoot(options),
  TerminusModule.forRoot({ logger: false }),
];

async function get(url: string) {
  const response = await fetch(`${url}/health`);
  return { status: response.status, body: (await response.json()) as { details: Record<string, unknown> } };
}

describe("health of a Nest application", () => {
  it("is up with what everything is doing, and down for an open circuit only where that is asked for", async () => {
    asked = {};
    const breaker = circuitBreaker({ name: "books", minimumCalls: 1, window: { calls: 1 } });
    const failing = createClient(
      upstream((_: string): Promise<string> => Promise.reject(new Error("away")), { name: "books" }),
      breaker,
    );
    const fine = createClient(
      upstream(async (text: string) => text, { name: "fine" }),
      retry(),
    );
    const { url } = await serve({ imports: modules({ clients: { failing, fine } }), controllers: [Health] });
    const details = { fine: { inFlight: 0, draining: false }, handlers: { inFlight: 1 } };
    expect(await get(url)).toMatchObject({
      status: 200,
      body: { status: "ok", details: { breakwater: { status: "up", ...details } } },
    });
    await expect(failing("x")).rejects.toThrow("away");
    expect(await get(url)).toMatchObject({
      status: 200,
      body: { details: { breakwater: { status: "up", books: { circuit: "open" } } } },
    });
    asked = { openIsDown: true };
    expect(await get(url)).toMatchObject({
      status: 503,
      body: {
        status: "error",
        error: { breakwater: { status: "down", ...details, books: { circuit: "open" } } },
      },
    });
  });

  it("is down from the moment on in which the application begins to shut down", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream();
    @Injectable()
    class Work {
      @UsePipeline("work") async run() {
        return ask("x");
      }
    }
    const ask = createClient({ upstream: script.upstream, runtime: clock });
    const app = await boot({
      imports: modules({ runtime: clock, pipelines: { work: [] } }),
      providers: [Work],
    });
    const health = app.get(BreakwaterHealthIndicator);
    expect(health.isHealthy()).toMatchObject({ breakwater: { status: "up" } });
    const running = app.get(Work).run();
    const { answer } = await script.next();
    const closing = app.close();
    await until(() => health.isHealthy()["breakwater"]?.status === "down");
    expect(health.isHealthy("mine")).toMatchObject({ mine: { status: "down", work: { inFlight: 1 } } });
    answer("done");
    expect(await running).toBe("done");
    await closing;
  });

  it("tells of all that have one name, the worst of their circuits, and takes no name for its own", async () => {
    const circuit = (name: string) => circuitBreaker({ name, minimumCalls: 1, window: { calls: 1 } });
    const named = (name: string) =>
      createClient({ upstream: upstream(async () => name), name }, circuit("a"), circuit("b"));
    const clients = { one: named("same"), two: named("same"), three: named("status") };
    const app = await boot({ imports: modules({ clients }) });
    await clients.two.close();
    expect(app.get(BreakwaterHealthIndicator).isHealthy()).toEqual({
      breakwater: {
        handlers: { inFlight: 0, draining: false },
        same: { inFlight: 0, draining: false, circuit: "closed" },
        "same (2)": { inFlight: 0, draining: true, circuit: "closed" },
        "status (2)": { inFlight: 0, draining: false, circuit: "closed" },
        status: "down",
      },
    });
  });
});
