import { describe, expect, test } from "vitest";

import { chat, headersOf, withSimulator } from "../http.test-help.ts";
import { loadScenario, scenarioNames } from "./catalogue.ts";
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
  await withSimulator({ scenario, clock: "manual" }, async (simulator) => {
    const status = async (): Promise<number> => {
      const init = { method: "POST", headers: headersOf(simulator), body: JSON.stringify(chat("a")) };
      const answering = simulator.fetch(`${simulator.url}/chat/completions`, init);
      await simulator.advance(5_000);
      return (await answering).status;
    };
    expect(simulator.state()).toMatchObject({ phases: ["calm"], capacity: { slots: 10 } });
    expect(await status()).toBe(200);
    await simulator.advance(95_000);
    expect(simulator.state()).toMatchObject({ phases: ["busy"], capacity: { slots: 2 }, nowMs: 100_000 });
    expect(await status()).toBe(429);
    await simulator.advance(50_000);
    expect(simulator.state()).toMatchObject({ phases: ["busy", "broken"], capacity: { slots: 5 } });
    expect(await status()).toBe(503);
    await simulator.advance(50_000);
    expect(simulator.state()).toMatchObject({ phases: ["broken"], capacity: { slots: 5 } });
    expect(await status()).toBe(503);
  });
});

test("a limit that comes with a phase lets waiting requests in", async () => {
  const closing: Scenario = {
    name: "closed",
    phases: [{ name: "closed", fromMs: 0, toMs: 30_000, capacity: { slots: 0 } }],
  };
  await withSimulator({ scenario: closing, clock: "manual" }, async (simulator) => {
    const init = { method: "POST", headers: headersOf(simulator), body: JSON.stringify(chat("a")) };
    const answer = await simulator.fetch(`${simulator.url}/chat/completions`, init);
    await simulator.advance(40_000);
    expect(await answer.text()).toMatch(/^\n\n\{"id"/);
    expect(simulator.attempts()[0]).toMatchObject({
      keepAlives: 2,
      tReceived: 0,
      tQueued: 0,
      tStarted: 30_000,
    });
  });
});

test("the state says how old the scenario is, which of its rules hold, and how often they struck", async () => {
  await withSimulator({ scenario, clock: "manual" }, async (simulator) => {
    await simulator.advance(250_000);
    const init = { method: "POST", headers: headersOf(simulator), body: JSON.stringify(chat("a")) };
    await simulator.fetch(`${simulator.url}/chat/completions`, init);
    expect(simulator.state()).toMatchObject({
      scenarioMs: 250_000,
      scenarioFaults: [{ action: "503", hits: 1, phase: "broken" }],
      faults: [],
    });
    simulator.playScenario(null);
    expect(simulator.state()).toMatchObject({ scenarioMs: null, scenarioFaults: [] });
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
    expect(shipped.phases.filter(({ note = "" }) => note.length < 40)).toEqual([]);
  });
});
