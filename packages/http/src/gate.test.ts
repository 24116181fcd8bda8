import {
  bulkhead,
  ConfigError,
  createPipeline,
  currentContext,
  guard,
  type Policy,
  rateLimit,
  retry,
  timeout,
} from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import { describe, expect, test } from "vitest";

import { openContext } from "./context.ts";
import { createGate } from "./gate.ts";
import { sendProblem } from "./send-problem.ts";
import { visit, listener, serve, until } from "./server.test-help.ts";

async function serveGate(guards: readonly Policy[], work: (end: () => void) => void) {
  const gate = createGate(...guards);
  const { listen } = listener((req, res) =>
    openContext(req, res, { tenant: (r) => r.url?.slice(1) }, async () => {
      const refusal = await gate.admit(req, res);
      if (refusal !== undefined) sendProblem(res, refusal);
      else {
        const tenant = currentContext()?.tenant;
        work(() => res.end(tenant));
      }
    }),
  );
  return { ...(await serve(listen)), gate };
}

describe("a gate", () => {
  test("counts a request until its answer is complete", async () => {
    const ends: (() => void)[] = [];
    const { url, gate } = await serveGate([bulkhead({ name: "in", concurrency: 1 })], (end) =>
      ends.push(end),
    );
    const first = fetch(`${url}/a`);
    await until(() => ends.length === 1);
    const refused = await fetch(`${url}/b`);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.json()).toMatchObject({ code: "BULKHEAD_FULL" });
    ends[0]?.();
    expect(await (await first).text()).toBe("a");
    await until(() => gate.pipeline.snapshot().inFlight === 0);
    const second = fetch(`${url}/c`);
    await until(() => ends.length === 2);
    ends[1]?.();
    expect((await second).status).toBe(200);
  });

  test("gives the place of a browser that has left to the next one, under the next one's own tenant", async () => {
    const ends: (() => void)[] = [];
    const guards = [bulkhead({ name: "in", concurrency: 1, queue: 5, maxWait: "10s" })];
    const { url, gate } = await serveGate(guards, (end) => ends.push(end));
    const first = visit(`${url}/a`);
    await until(() => ends.length === 1);
    const impatient = visit(`${url}/b`);
    await until(() => gate.pipeline.snapshot().inFlight === 2);
    const third = fetch(`${url}/c`);
    await until(() => gate.pipeline.snapshot().inFlight === 3);
    impatient.leave();
    await until(() => gate.pipeline.snapshot().inFlight === 2);
    first.leave();
    await until(() => ends.length === 2);
    ends[1]?.();
    expect(await (await third).text()).toBe("c");
    await until(() => gate.pipeline.snapshot().inFlight === 0);
  });

  test("its guards see the request", async () => {
    const no = guard("no", {
      name: "no",
      admit: (call) =>
        call.request.url === "/no" ? { by: "no", code: "RATE_LIMITED", retryAfterMs: 10 } : undefined,
    });
    const { url } = await serveGate([no], (end) => end());
    expect((await fetch(`${url}/yes`)).status).toBe(200);
    expect((await fetch(`${url}/no`)).status).toBe(429);
  });

  test.each([
    ["retry", retry()],
    ["timeout", timeout({ total: "1s" })],
    ["retry", createPipeline(retry())],
  ])("%s admits nothing, so it is refused at construction", (kind, policy) => {
    expect(() => createGate(policy)).toThrow(ConfigError);
    expect(() => createGate(policy)).toThrow(`inbound: ${kind} does not admit requests`);
  });

  test("shows guards what the framework knows of the request", async () => {
    const seen: unknown[] = [];
    const gate = createGate(
      guard("look", {
        name: "look",
        admit: (call) => void seen.push(call.request, call.tenant),
      }),
    );
    const { listen } = listener(async (req, res) => {
      await gate.admit(req, res, { input: "ctx", tenant: "team" });
      res.end();
    });
    const { url } = await serve(listen);
    await fetch(url);
    expect(seen).toEqual(["ctx", "team"]);
  });

  test("throws a mistake in what a function of the user's has said, too", async () => {
    const limits = () => ({ requests: { limit: Number.NaN, per: "1s" } }) as const;
    const gate = createGate(rateLimit({ name: "by-plan", limits }));
    const { listen, thrown } = listener((req, res) => gate.admit(req, res));
    const { url } = await serve(listen);
    expect((await fetch(url)).status).toBe(599);
    expect(thrown).toMatchObject([
      { code: "CONFIG", message: expect.stringContaining("by-plan: limits()") as string },
    ]);
  });

  test("throws what a function of the user's has thrown, for the framework to tell", async () => {
    const mine = new RangeError("mine");
    const key = (): never => {
      throw mine;
    };
    const gate = createGate(rateLimit({ key, limits: { requests: { limit: 1, per: "1s" } } }));
    const { listen, thrown } = listener((req, res) => gate.admit(req, res));
    const { url } = await serve(listen);
    expect((await fetch(url)).status).toBe(599);
    expect(thrown).toEqual([mine]);
    expect(gate.pipeline.snapshot().inFlight).toBe(0);
  });

  test("goes by another clock where it is given one", async () => {
    const runtime = createTestClock();
    const limits = { requests: { limit: 1, per: "1m" } } as const;
    const gate = createGate({ runtime }, rateLimit({ name: "in", limits }));
    const { listen } = listener(async (req, res) => {
      const refusal = await gate.admit(req, res);
      if (refusal === undefined) res.end();
      else sendProblem(res, refusal);
    });
    const { url } = await serve(listen);
    const status = async (): Promise<number> => (await fetch(url)).status;
    expect([await status(), await status()]).toEqual([200, 429]);
    await runtime.advance(60_000);
    expect(await status()).toBe(200);
  });
});
