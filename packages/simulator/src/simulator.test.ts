import { connect } from "node:net";

import { describe, expect, test } from "vitest";

import { chat, headersOf, post, rawPost, until, withSimulator } from "./http.test-help.ts";
import { loadScenario, startSimulator, SimulatorConfigError, type SimulatorOptions } from "./index.ts";

describe("close", () => {
  test("breaks open requests, frees the port, leaves no handle, and may be called twice", async () => {
    const handles = (): number =>
      process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP") || name === "Timeout").length;
    const before = handles();
    const simulator = await startSimulator({ timeScale: 0.01 });
    const stalled = rawPost(simulator, chat("a", undefined, { stream: true }), {
      "x-sim-fault": "stall_after;tokens=1",
    });
    const queued = rawPost(simulator, chat("b"), { "x-sim-fault": "queue_forever" });
    const idle = connect(simulator.port, "127.0.0.1").on("error", () => {});
    const idleClosed = new Promise((resolve) => idle.once("close", resolve));
    await until(() => simulator.state().open === 2);
    const closing = simulator.close();
    expect(simulator.close()).toBe(closing);
    await closing;
    expect((await stalled).ending).not.toBe("end");
    expect((await queued).ending).not.toBe("end");
    await idleClosed;
    await expect(fetch(`${simulator.url}/models`)).rejects.toThrow("fetch failed");
    await expect(simulator.fetch(`${simulator.url}/models`)).rejects.toThrow("fetch failed");
    expect(simulator.state()).toMatchObject({ open: 0, active: 0, queued: 0 });
    await expect.poll(handles).toBeLessThanOrEqual(before);
  });

  test("so it does with listeners of replicas, doors that are shut, readers of events and machines that flap", async () => {
    const handles = (): number =>
      process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP") || name === "Timeout").length;
    const before = handles();
    const simulator = await startSimulator({
      timeScale: 0.01,
      replicas: [
        { name: "a", port: 0 },
        { name: "b", port: 0 },
      ],
    });
    const events = await fetch(`${simulator.url}/__sim/events`);
    simulator.replica("a").change({ flap: { upMs: 5, downMs: 5 }, brownout: { tpsX: 2, forMs: 60_000 } });
    await rawPost(simulator, chat("a"), { "x-sim-fault": "refuse;forMs=100000" });
    simulator.replica("b").close();
    const opening = simulator.replica("b").open();
    await simulator.close();
    await opening;
    await events.text().catch(() => {});
    await expect(fetch(simulator.replica("b").url)).rejects.toThrow("fetch failed");
    await expect.poll(handles).toBeLessThanOrEqual(before);
  });

  test("two simulators are two hosts; a port that is taken is said", async () => {
    await withSimulator({ seed: 3 }, async (one) => {
      await withSimulator({ seed: 3 }, async (two) => {
        expect(one.port).not.toBe(two.port);
        const request = chat("Hello");
        const [a, b] = [await (await post(one, request)).json(), await (await post(two, request)).json()];
        expect((a as { choices: unknown }).choices).toEqual((b as { choices: unknown }).choices);
        await expect(startSimulator({ port: two.port })).rejects.toThrow(
          /port: \d+ is in use; write another one/,
        );
      });
    });
  });
});

describe("fetch without a socket", () => {
  const url = "http://deepseek.test/chat/completions";

  test("has the errors of Node's fetch", async () => {
    await withSimulator({}, async (simulator) => {
      const ask = (fault: string, init: RequestInit = {}): Promise<Response> =>
        simulator.fetch(url, {
          method: "POST",
          headers: headersOf(simulator, { "x-sim-fault": fault }),
          body: JSON.stringify(chat("a", undefined, { stream: true })),
          ...init,
        });
      await expect(ask("reset_before_headers")).rejects.toMatchObject({
        message: "fetch failed",
        cause: { code: "ECONNRESET" },
      });
      const cut = await ask("reset_mid_stream");
      await expect(cut.text()).rejects.toMatchObject({
        message: "terminated",
        cause: { code: "ECONNRESET" },
      });
      const reason = new Error("the tab was closed");
      await expect(ask("none", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      const leave = new AbortController();
      const stalled = await ask("stall_after", { signal: leave.signal });
      const reading = stalled.text();
      leave.abort(reason);
      await expect(reading).rejects.toBe(reason);
      expect(simulator.attempts().at(-1)?.outcome).toBe("client_closed");
    });
  });
});

describe("options that are wrong are refused before anything starts", () => {
  test.each<[unknown, RegExp]>([
    [{ host: "0.0.0.0" }, /host: got "0\.0\.0\.0"; allowed is 127\.0\.0\.1 only/],
    [{ prt: 4141 }, /unknown field "prt"; allowed are port, host/],
    [{ port: Number.NaN }, /port: got NaN; allowed is a whole number/],
    [{ port: 70_000 }, /port: got 70000/],
    [{ timeScale: 0 }, /timeScale: got 0; allowed is a number above 0/],
    [{ capacity: { slot: 3 } }, /capacity: got the unknown field "slot"/],
    [{ capacity: { slots: 1.5 } }, /capacity\.slots: got 1\.5; allowed is a whole number of 0 or more/],
    [{ accounts: [] }, /accounts: got \[\]/],
    [
      { accounts: [{ keys: ["a"] }, { keys: ["a"] }] },
      /accounts\[1\]\.keys\[0\]: got "a"; allowed is a key that no other account has/,
    ],
    [{ accounts: [{ concurrency: -1 }] }, /accounts\[0\]\.concurrency: got -1/],
    [{ models: [{ id: "x" }] }, /models\[0\]\.contextWindow: got undefined/],
    [{ faults: [{ action: "nope" }] }, /faults\[0\]\.action: got "nope"/],
    [{ scenario: "busy" }, /scenario: got "busy"; allowed is one of calm, busy-evening/],
    [
      { scenario: { name: "x", phases: [{ name: "y", fromMs: 5, toMs: 4 }] } },
      /scenario\.phases\[0\]\.toMs: got 4; allowed is a number above 5/,
    ],
    [{ text: { sigma: "wide" } }, /text\.sigma: got "wide"/],
    [{ requireKey: "no" }, /requireKey: got "no"/],
  ])("%o", async (options, message) => {
    const starting = startSimulator(options as SimulatorOptions);
    await expect(starting).rejects.toThrow(message);
    await expect(starting).rejects.toBeInstanceOf(SimulatorConfigError);
  });

  test("what is right is accepted, and requireKey: false lets anybody in", async () => {
    await withSimulator({ requireKey: false, scenario: loadScenario("calm") }, async (simulator) => {
      const answer = await post(simulator, chat("a"), { authorization: "" });
      expect(answer.status).toBe(200);
      expect(simulator.state()).toMatchObject({ scenario: "calm", capacity: { slots: 1024 } });
    });
  });
});
