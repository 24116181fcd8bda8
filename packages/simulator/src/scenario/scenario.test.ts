import { describe, expect, test } from "vitest";

import { chat, post, until, withSimulator } from "../http.test-help.ts";
import { loadScenario, scenarioNames } from "./load.ts";
import { checkScenario, type Scenario } from "./scenario.ts";

const scenario: Scenario = {
  name: "three-acts",
  capacity: { slots: 10 },
  concurrency: 100,
  phases: [
    { name: "calm", fromMs: 0, toMs: 100_000 },
    {
      name: "busy",
      fromMs: 100_000,
      toMs: 200_000,
      capacity: { slots: 2 },
      concurrency: 0,
    },
    {
      name: "broken",
      fromMs: 150_000,
      capacity: { slots: 5 },
      concurrency: { "deepseek-flash": 9 },
      faults: [{ action: "503" }],
    },
  ],
};

test("phases come and go: limits of the latest, faults of all, and the scenario's own outside", async () => {
  await withSimulator({ scenario, timeScale: 0.001 }, async (simulator) => {
    expect(simulator.state()).toMatchObject({ phases: ["calm"], capacity: { slots: 10 } });
    expect((await post(simulator, chat("a"))).status).toBe(200);
    await until(() => simulator.state().nowMs >= 100_000 && simulator.state().phases.includes("busy"));
    if (simulator.state().nowMs < 145_000) {
      expect((await post(simulator, chat("a"))).status).toBe(429);
      expect(simulator.state()).toMatchObject({ phases: ["busy"], capacity: { slots: 2 } });
    }
    await until(() => simulator.state().phases.includes("broken"));
    expect((await post(simulator, chat("a"))).status).toBe(503);
    await until(() => simulator.state().phases.length === 1);
    expect(simulator.state()).toMatchObject({ phases: ["broken"], capacity: { slots: 5 } });
    expect(simulator.state().nowMs).toBeGreaterThanOrEqual(200_000);
    expect((await post(simulator, chat("a"))).status).toBe(503);
  });
});

test("a rule's window counts from the start of its phase, and is checked with the scenario", () => {
  const wrong = { name: "x", phases: [{ name: "y", fromMs: 0, faults: [{ action: "nope" }] }] };
  expect(() => checkScenario(wrong)).toThrow(/scenario\.phases\[0\]\.faults\[0\]\.action: got "nope"/);
  expect(() => checkScenario({ name: "x" })).toThrow(/scenario\.phases: got undefined/);
  expect(() => checkScenario({ name: "x", phases: [], until: 5 })).toThrow(/unknown field "until"/);
});

describe.each(scenarioNames)("%s", (name) => {
  const shipped = loadScenario(name);

  test("is plain data that survives a file", () => {
    expect(checkScenario(JSON.parse(JSON.stringify(shipped)))).toEqual(shipped);
  });

  test("says why: a note on the whole and on every phase", () => {
    expect(shipped.note?.length).toBeGreaterThan(40);
    for (const phase of shipped.phases) expect(phase.note?.length, phase.name).toBeGreaterThan(40);
  });
});

test("busy-evening under its own load: everything it promises happens", async () => {
  // 11 requests a second for five minutes, at a two-hundredth of the time.
  await withSimulator({ scenario: "busy-evening", timeScale: 0.004, seed: 7 }, async (simulator) => {
    const leave = new AbortController();
    const open = new Set<Promise<unknown>>();
    let asked = 0;
    const headers = { authorization: `Bearer ${simulator.key}`, "content-type": "application/json" };
    while (simulator.state().nowMs < 300_000) {
      while (asked < (simulator.state().nowMs / 1000) * 11) {
        const { metadata: _, ...body } = chat(`question ${asked++}`, "", { stream: true });
        const answering = simulator
          .fetch(`${simulator.url}/chat/completions`, {
            method: "POST",
            headers,
            body: JSON.stringify(body),
            signal: leave.signal,
          })
          .then((answer) => answer.text())
          .catch(() => {});
        open.add(answering);
      }
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
    leave.abort();
    await Promise.all(open);
    await until(() => simulator.state().open === 0);
    const attempts = simulator.attempts();
    const share = (count: number): number => count / attempts.length;
    const faulted = (fault: string): number =>
      share(attempts.filter((attempt) => attempt.fault?.startsWith(fault)).length);
    const status = (code: number): number =>
      share(attempts.filter((attempt) => attempt.status === code).length);
    expect(share(attempts.filter((attempt) => attempt.outcome === "completed").length)).toBeGreaterThan(0.3);
    expect(simulator.state().maxQueued).toBe(200);
    expect(attempts.some((attempt) => attempt.keepAlives > 0)).toBe(true);
    expect(status(503)).toBeGreaterThan(0.02);
    expect(status(504)).toBeGreaterThan(0);
    expect(status(429)).toBeGreaterThan(0.01);
    expect(faulted("stall_after")).toBeGreaterThan(0.005);
    expect(faulted("truncate_clean")).toBeGreaterThan(0.003);
    expect(faulted("isr")).toBeGreaterThan(0);
    console.log(asked, simulator.state().totals, {
      s503: status(503),
      s504: status(504),
      s429: status(429),
      stall: faulted("stall_after"),
    });
  });
}, 20_000);
