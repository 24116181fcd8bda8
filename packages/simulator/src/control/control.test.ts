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
    await (await post(simulator, chat("a"), { "x-sim-id": "a", "x-stainless-retry-count": "1" })).text();
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
