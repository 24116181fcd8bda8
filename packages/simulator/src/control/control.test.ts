import { expect, test } from "vitest";

import { chat, post, until, withSimulator } from "../http.test-help.ts";
import type { Attempt, Simulator, SimulatorState } from "../index.ts";

async function control(
  simulator: Simulator,
  call: string,
  body?: unknown,
): Promise<{ status: number; json: unknown }> {
  const [method = "GET", path = ""] = call.split(" ");
  const response = await fetch(`${simulator.url}/__sim${path}`, {
    method,
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return { status: response.status, json: await response.json() };
}

test("state and requests", async () => {
  await withSimulator({}, async (simulator) => {
    const told = { "x-stainless-retry-count": "1", "x-breakwater-call-id": "c1", "x-breakwater-hop": "2" };
    await (await post(simulator, chat("a"), { "x-sim-id": "a", ...told })).text();
    await (await post(simulator, chat("b"), { "x-sim-id": "b" })).text();
    const state = (await control(simulator, "GET /state")).json as SimulatorState;
    expect(state).toMatchObject({
      seed: 1,
      scenario: null,
      active: 0,
      totals: { attempts: 2, outcomes: { completed: 2 } },
    });
    const all = (await control(simulator, "GET /requests")).json as Attempt[];
    expect(all.map((attempt) => [attempt.seq, attempt.scope, attempt.retryCount])).toEqual([
      [1, "a", "1"],
      [2, "b", undefined],
    ]);
    expect(all[0]).toMatchObject({
      callId: "c1",
      breakwaterHeaders: { "x-breakwater-call-id": "c1", "x-breakwater-hop": "2" },
      replica: "main",
    });
    expect(all[1]).not.toHaveProperty("breakwaterHeaders");
    expect((await control(simulator, "GET /requests?since=1")).json).toEqual([all[1]]);
    expect((await control(simulator, "GET /requests?scope=a")).json).toEqual([all[0]]);
    expect((await control(simulator, "GET /requests?since=x")).status).toBe(400);
  });
});

test("faults are added, listed and removed", async () => {
  await withSimulator({}, async (simulator) => {
    const added = await control(simulator, "POST /faults", [
      { action: "503" },
      { id: "mine", action: "500" },
    ]);
    expect(added.json).toEqual({ ids: ["rule-1", "mine"] });
    expect((await post(simulator, chat("a"))).status).toBe(503);
    expect((await control(simulator, "DELETE /faults/rule-1")).status).toBe(200);
    expect((await control(simulator, "DELETE /faults/rule-1")).status).toBe(404);
    expect((await post(simulator, chat("a"))).status).toBe(500);
    expect(simulator.state().faults).toEqual([{ id: "mine", action: "500", hits: 1 }]);
    expect((await control(simulator, "DELETE /faults")).status).toBe(200);
    expect((await post(simulator, chat("a"))).status).toBe(200);
    const wrong = await control(simulator, "POST /faults", [{ action: "503" }, { action: "504" }]);
    expect(wrong).toMatchObject({
      status: 400,
      json: { error: { message: expect.stringContaining('faults[1].action: got "504"') as unknown } },
    });
    expect(simulator.state().faults).toEqual([]);
  });
});

test("a rule may name another path", async () => {
  await withSimulator(
    { faults: [{ match: { path: "/user/balance" }, action: "503" }] },
    async (simulator) => {
      const headers = { authorization: `Bearer ${simulator.key}` };
      expect((await fetch(`${simulator.url}/user/balance`, { headers })).status).toBe(503);
      expect((await fetch(`${simulator.url}/models`, { headers })).status).toBe(200);
      expect((await post(simulator, chat("a"))).status).toBe(200);
    },
  );
});

test("config, accounts and scenario change what runs", async () => {
  await withSimulator({}, async (simulator) => {
    await control(simulator, "PATCH /config", { capacity: { slots: 3 }, timeScale: 0.01 });
    await control(simulator, "POST /accounts/account-1", { balanceUsd: 0 });
    expect(simulator.state()).toMatchObject({
      timeScale: 0.01,
      capacity: { slots: 3, queue: 256 },
      accounts: [{ balanceUsd: 0 }],
    });
    expect((await post(simulator, chat("a"))).status).toBe(402);
    await control(simulator, "POST /scenario", '"busy-evening"');
    expect(simulator.state()).toMatchObject({ scenario: "busy-evening", capacity: { slots: 40 } });
    await control(simulator, "POST /scenario", "null");
    expect(simulator.state()).toMatchObject({ scenario: null, phases: [], capacity: { slots: 3 } });
    expect(await control(simulator, "POST /accounts/nobody", {})).toMatchObject({ status: 400 });
    expect(await control(simulator, "PATCH /config", "{slots")).toMatchObject({ status: 400 });
    expect(await control(simulator, "GET /nothing")).toMatchObject({
      status: 404,
      json: { error: { message: expect.stringContaining("GET /__sim/state") as unknown } },
    });
  });
});

test("reset: time, log and counters start again, the options come back, open requests are broken", async () => {
  await withSimulator({ faults: [{ id: "first", match: { nth: 1 }, action: "503" }] }, async (simulator) => {
    expect((await post(simulator, chat("a"))).status).toBe(503);
    expect((await post(simulator, chat("a"))).status).toBe(200);
    const stalled = await post(simulator, chat("b", undefined, { stream: true }), {
      "x-sim-fault": "stall_after",
    });
    simulator.configure({ capacity: { slots: 1 } });
    simulator.clearFaults();
    await until(() => simulator.state().nowMs > 5);
    await control(simulator, "POST /reset", { seed: 9 });
    await expect(stalled.text()).rejects.toThrow("terminated");
    expect(simulator.state()).toMatchObject({
      seed: 9,
      open: 0,
      capacity: { slots: 64 },
      totals: { attempts: 0 },
    });
    expect((await post(simulator, chat("a"))).status).toBe(503);
    expect(simulator.attempts()).toHaveLength(1);
  });
});

test("metrics: text for Prometheus, with labels of few values", async () => {
  await withSimulator({ replicas: [{ name: "a" }, { name: "b" }] }, async (simulator) => {
    await (await post(simulator, chat("a"), { "x-sim-fault": "truncate_clean;tokens=3" })).text();
    await post(simulator, chat("b"), { "x-sim-fault": "503" });
    const response = await fetch(`${simulator.url}/__sim/metrics`);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const text = await response.text();
    for (const line of [
      "# TYPE deepseek_simulator_attempts_total counter",
      'deepseek_simulator_attempts_total{outcome="faulted"} 1',
      'deepseek_simulator_responses_total{status="503"} 1',
      'deepseek_simulator_faults_total{fault="truncate_clean"} 1',
      "deepseek_simulator_tokens_wasted_total 3",
      'deepseek_simulator_slots{replica="b"} 64',
      'deepseek_simulator_up{replica="a"} 1',
      'deepseek_simulator_in_flight{account="account-1",model="deepseek-flash"} 0',
    ])
      expect(text.split("\n")).toContain(line);
    for (const line of text.trimEnd().split("\n"))
      expect(line).toMatch(
        /^(?:# (?:HELP|TYPE) [a-z_]+ .+|[a-z_]+(?:\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})? -?[\d.e+-]+)$/,
      );
  });
});

test("clock: time passes on request, and the calendar moves", async () => {
  await withSimulator({ clock: "manual" }, async (simulator) => {
    const answer = post(simulator, chat("a"));
    await until(() => simulator.state().open === 1);
    expect((await control(simulator, "POST /clock", { advanceMs: 30_000 })).status).toBe(200);
    expect((await answer).status).toBe(200);
    expect(simulator.state().nowMs).toBe(30_000);
    await control(simulator, "POST /clock", { setNow: "2026-11-23T02:00:00Z" });
    expect(simulator.state()).toMatchObject({ utc: "2026-11-23T02:00:00.000Z", tier: "peak" });
    for (const body of [
      {},
      { advanceMs: 1, setNow: "2026-11-23T02:00:00Z" },
      { advanceMs: -1 },
      { setNow: 5 },
    ])
      expect((await control(simulator, "POST /clock", body)).status).toBe(400);
  });
  await withSimulator({}, async (simulator) =>
    expect(await control(simulator, "POST /clock", { advanceMs: 1 })).toMatchObject({
      status: 400,
      json: { error: { message: expect.stringContaining('clock: "manual"') as unknown } },
    }),
  );
});

test("reset takes a config, and changes nothing when it is wrong", async () => {
  await withSimulator({ seed: 3 }, async (simulator) => {
    await (await post(simulator, chat("a"))).text();
    const wrong = { seed: 9, config: { capacity: { slots: -1 } } };
    expect((await control(simulator, "POST /reset", wrong)).status).toBe(400);
    expect(simulator.state()).toMatchObject({ seed: 3, totals: { attempts: 1 } });
    await control(simulator, "POST /reset", { seed: 9, config: { capacity: { slots: 2 }, timeScale: 0.5 } });
    expect(simulator.state()).toMatchObject({ seed: 9, timeScale: 0.5, capacity: { slots: 2 } });
  });
});

test("questions that tests ask", async () => {
  await withSimulator({ clock: "manual" }, async (simulator) => {
    const ask = (call: string, fault: string): Promise<Response> =>
      post(simulator, chat("a"), { "x-sim-fault": fault, "x-breakwater-call-id": call });
    const open = [ask("one", "none"), ask("two", "truncate_clean;tokens=3")];
    await until(() => simulator.state().open === 2);
    await ask("one", "503");
    await simulator.advance(60_000);
    await Promise.all(open);
    expect(Object.fromEntries(simulator.attemptsPerCall())).toEqual({ one: 2, two: 1 });
    expect(simulator.wastedTokens()).toBe(3);
    expect(simulator.maxInFlight("account-1")).toBe(3);
    expect(simulator.maxInFlight("account-1", "deepseek-v4-pro")).toBe(0);
    expect(simulator.requestsAfter("account-1", 30_000)).toEqual([]);
    await ask("three", "402");
    expect(simulator.requestsAfter("account-1", 30_000)).toMatchObject([{ status: 402, tReceived: 60_000 }]);
    expect(() => simulator.maxInFlight("nobody")).toThrow('account: got "nobody"');
  });
});

test("a page of another origin controls nothing", async () => {
  await withSimulator({}, async (simulator) => {
    const ask = (origin: string) =>
      fetch(`${simulator.url}/__sim/faults`, {
        method: "POST",
        headers: { origin },
        body: JSON.stringify({ action: "503" }),
      });
    expect((await ask("https://somewhere.example")).status).toBe(403);
    expect(simulator.state().faults).toEqual([]);
    expect((await ask(simulator.url)).status).toBe(200);
    expect(simulator.state().faults).toHaveLength(1);
  });
});
