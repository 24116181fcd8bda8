import { describe, expect, test } from "vitest";

import { chat, headersOf, post, readStream, until, withSimulator } from "./http.test-help.ts";
import type { Simulator, SimulatorOptions } from "./index.ts";

const stream = chat("Hello", "reasoning=4,content=6", { stream: true });

const two: SimulatorOptions = {
  clock: "manual",
  replicas: [{ name: "a", slots: 2, queue: 3 }, { name: "b" }],
};

/** Asks without sockets; waits for nothing but the headers. */
function ask(simulator: Simulator, base: string, fault = "none", id = "one"): Promise<Response> {
  return simulator.fetch(`${base}/chat/completions`, {
    method: "POST",
    headers: headersOf(simulator, { "x-sim-fault": fault, "x-sim-id": id }),
    body: JSON.stringify(stream),
  });
}

const replicasOf = (simulator: Simulator): (string | undefined)[] =>
  simulator.attempts().map((attempt) => attempt.replica);

test("a path pins a replica, and composes with /v1 and /beta", async () => {
  await withSimulator(two, async (simulator) => {
    const url = simulator.replicaUrl("b");
    expect(url).toBe(`${simulator.url}/r/b`);
    for (const base of [url, `${url}/v1`, `${url}/beta`, `${url}/beta/v1`]) await ask(simulator, base, "503");
    expect(replicasOf(simulator)).toEqual(["b", "b", "b", "b"]);
    const headers = { authorization: `Bearer ${simulator.key}` };
    expect((await simulator.fetch(`${url}/models`, { headers })).status).toBe(200);
    expect((await simulator.fetch(`${simulator.url}/r/c/models`, { headers })).status).toBe(404);
    expect(() => simulator.replicaUrl("c")).toThrow('replica: got "c"; allowed is one of a, b.');
  });
});

test("own slots and queue, and a limit that falls", async () => {
  await withSimulator(two, async (simulator) => {
    const url = simulator.replicaUrl("a");
    expect(simulator.replica("a").state()).toMatchObject({ slots: 2, queue: 3, up: true, trouble: {} });
    expect(simulator.replica("b").state()).toMatchObject({ slots: 64, queue: 256 });
    simulator.replica("a").change({ capacityDrop: { slots: 1 } });
    const answers = Array.from({ length: 5 }, (_, index) => ask(simulator, url, "none", `user ${index}`));
    await until(() => simulator.replica("a").state().queued === 3);
    expect((await (answers[4] as Promise<Response>)).status).toBe(503);
    expect(simulator.replica("a").state()).toMatchObject({ active: 1, slots: 1, rejected: 1 });
    simulator.replica("a").change({ capacityDrop: null });
    expect(simulator.state()).toMatchObject({ active: 2, queued: 2, maxActive: 2, maxQueued: 3 });
    await simulator.advance(10_000);
    for (const answer of answers.slice(0, 4))
      expect(simulator.verifyText(stream, readStream(await (await answer).text()))).toBe("complete");
    expect(simulator.replica("a").state()).toMatchObject({ completed: 4, active: 0, queued: 0 });
  });
});

describe("the balancer", () => {
  test("least loaded by default, in turn when equal; a replica that is down is left out", async () => {
    const replicas = [
      { name: "a", slots: 1 },
      { name: "b", slots: 4 },
    ];
    await withSimulator({ clock: "manual", replicas }, async (simulator) => {
      const open = Array.from({ length: 5 }, (_, index) =>
        ask(simulator, simulator.url, "none", `user ${index}`),
      );
      expect(simulator.state().replicas.map(({ active }) => active)).toEqual([0, 0]);
      await until(() => simulator.state().open === 5);
      expect(simulator.state().replicas.map(({ active }) => active)).toEqual([1, 4]);
      await simulator.advance(10_000);
      await Promise.all(open);
      simulator.replica("b").change({ dead: true });
      await ask(simulator, simulator.url, "503");
      expect(replicasOf(simulator).at(-1)).toBe("a");
      simulator.replica("a").close();
      expect((await ask(simulator, simulator.url)).status).toBe(502);
    });
  });

  test("round robin", async () => {
    await withSimulator({ ...two, balance: "round-robin" }, async (simulator) => {
      for (let i = 0; i < 4; i++) await ask(simulator, simulator.url, "503");
      expect(replicasOf(simulator)).toEqual(["a", "b", "a", "b"]);
    });
  });
});

describe("a listener of its own", () => {
  const options: SimulatorOptions = { clock: "manual", replicas: [{ name: "a" }, { name: "b", port: 0 }] };

  test("really refuses when it is closed; who is in stays in", async () => {
    await withSimulator(options, async (simulator) => {
      const b = simulator.replica("b");
      expect(b.url).toBe(`http://127.0.0.1:${simulator.portOf("b")}`);
      expect(() => simulator.portOf("a")).toThrow("allowed is one with the option port");
      const leave = new AbortController();
      const body = JSON.stringify(stream);
      const headers = headersOf(simulator, { "x-sim-fault": "queue_for;ms=60000" });
      const staying = await fetch(`${b.url}/chat/completions`, { method: "POST", headers, body });
      b.close();
      for (const send of [fetch, simulator.fetch])
        await expect(send(`${b.url}/models`)).rejects.toMatchObject({
          message: "fetch failed",
          cause: { code: "ECONNREFUSED" },
        });
      expect(b.state().up).toBe(false);
      const reading = staying.text();
      await simulator.advance(70_000);
      expect(simulator.verifyText(stream, readStream(await reading))).toBe("complete");
      await b.open();
      expect((await fetch(`${b.url}/models`)).status).toBe(401);
      leave.abort();
    });
  });

  test("dead: what it serves is broken, and nobody gets in until it lives", async () => {
    await withSimulator(options, async (simulator) => {
      const b = simulator.replica("b");
      const send = (): Promise<Response> =>
        fetch(`${b.url}/chat/completions`, {
          method: "POST",
          headers: headersOf(simulator, { "x-sim-fault": "queue_forever" }),
          body: JSON.stringify(stream),
        });
      const open = await send();
      b.change({ dead: true });
      await expect(open.text()).rejects.toMatchObject({ cause: { code: "ECONNRESET" } });
      await expect(send()).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
      expect(simulator.state()).toMatchObject({ open: 0, active: 0 });
      expect(simulator.attempts()).toMatchObject([{ replica: "b", outcome: "faulted" }]);
      b.change({ dead: null });
      await b.open();
      expect((await fetch(b.url)).status).toBe(401);
      b.change({ dead: true });
      simulator.reset();
      await b.open();
      expect((await fetch(b.url)).status).toBe(401);
    });
  });

  test("a port that is taken starts nothing", async () => {
    await withSimulator(options, async (simulator) => {
      const port = simulator.portOf("b");
      await expect(
        withSimulator(
          {
            replicas: [
              { name: "a", port: 0 },
              { name: "b", port },
            ],
          },
          async () => {},
        ),
      ).rejects.toThrow(/is in use/);
    });
  });
});

test("without a listener of its own, a dead replica resets", async () => {
  await withSimulator(two, async (simulator) => {
    simulator.replica("b").change({ dead: true });
    for (const send of [fetch, simulator.fetch])
      await expect(send(`${simulator.replicaUrl("b")}/models`)).rejects.toMatchObject({
        message: "fetch failed",
        cause: { code: "ECONNRESET" },
      });
    expect((await ask(simulator, simulator.replicaUrl("a"), "503")).status).toBe(503);
  });
});

test("brownout: later tokens, fewer of them, some 503, and an end", async () => {
  await withSimulator(two, async (simulator) => {
    const b = simulator.replica("b");
    const time = async (): Promise<{ first: number; gaps: number }> => {
      const answer = ask(simulator, b.url);
      await simulator.advance(60_000);
      await (await answer).text();
      const { tStarted = 0, tFirstToken = 0, tEnded } = simulator.attempts().at(-1) ?? { tEnded: 0 };
      return { first: tFirstToken - tStarted, gaps: tEnded - tFirstToken };
    };
    const healthy = await time();
    b.change({ brownout: { latencyX: 8, tpsX: 0.25, slotsX: 0.5, forMs: 130_000 } });
    expect(b.state()).toMatchObject({ slots: 32, trouble: { brownout: { latencyX: 8 } } });
    const ill = await time();
    expect(ill.first / healthy.first).toBeCloseTo(8);
    // The gaps vary with the request's own chance, by a fifth up and down.
    expect(ill.gaps / healthy.gaps).toBeGreaterThan(2.5);
    await simulator.advance(70_000);
    expect(b.state()).toMatchObject({ slots: 64, trouble: {} });

    b.change({ brownout: { errorRate: 0.3 } });
    const statuses = await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const answer = simulator.fetch(`${b.url}/chat/completions`, {
          method: "POST",
          headers: headersOf(simulator, { "x-sim-id": `user ${index}` }),
          body: JSON.stringify({ ...stream, max_tokens: 1 }),
        });
        return (await Promise.race([answer, simulator.advance(60_000).then(() => answer)])).status;
      }),
    );
    const failed = statuses.filter((status) => status === 503).length;
    expect(failed).toBeGreaterThan(8);
    expect(failed).toBeLessThan(30);
  });
});

test("flap: up, down, up", async () => {
  await withSimulator(two, async (simulator) => {
    const b = simulator.replica("b");
    b.change({ flap: { upMs: 5000, downMs: 3000 } });
    const seen: boolean[] = [];
    for (let second = 0; second < 16; second++) {
      seen.push(b.state().up);
      await simulator.advance(1000);
    }
    expect(seen.map((up) => (up ? "+" : "-")).join("")).toBe("+++++---+++++---");
    await simulator.advance(6000);
    expect(b.state().up).toBe(false);
    b.change({ flap: null });
    expect(b.state()).toMatchObject({ up: true, trouble: {} });
  });
});

test("a rule may name a replica, or a key", async () => {
  const faults = [
    { match: { replica: "b" }, action: "500" },
    { match: { key: "sk-sim-1" }, action: "429_plain" },
  ];
  await withSimulator({ ...two, faults }, async (simulator) => {
    const status = async (name: string): Promise<number> =>
      (await post({ ...simulator, url: simulator.replicaUrl(name) }, stream)).status;
    expect([await status("a"), await status("b")]).toEqual([429, 500]);
  });
});

test("over HTTP", async () => {
  await withSimulator(two, async (simulator) => {
    const change = (name: string, body: unknown): Promise<Response> =>
      fetch(`${simulator.url}/__sim/replicas/${name}`, { method: "POST", body: JSON.stringify(body) });
    expect((await change("b", { dead: true, slots: 7 })).status).toBe(200);
    expect(simulator.replica("b").state()).toMatchObject({ up: false, slots: 7 });
    const wrong = await change("b", { brownout: { errorRate: 2 } });
    expect(await wrong.json()).toMatchObject({
      error: { message: expect.stringContaining("replicas.b.brownout.errorRate: got 2") as unknown },
    });
    expect((await change("c", {})).status).toBe(400);
  });
});

test.each<[unknown, string]>([
  [[], "replicas: got []"],
  [[{ name: "a" }, { name: "a" }], 'replicas[1].name: got "a"'],
  [[{ name: "a/b" }], 'replicas[0].name: got "a/b"'],
  [[{ name: "a", slots: -1 }], "replicas[0].slots: got -1"],
  [[{ name: "a", port: 70_000 }], "replicas[0].port: got 70000"],
  [[{ name: "a", weight: 1 }], 'unknown field "weight"'],
])("%j is refused", async (replicas, message) => {
  const options = { replicas } as SimulatorOptions;
  await expect(withSimulator(options, async () => {})).rejects.toThrow(message);
});
