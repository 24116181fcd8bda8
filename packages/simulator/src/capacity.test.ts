import { expect, test } from "vitest";

import { chat, post, rawPost, until, withSimulator } from "./http.test-help.ts";
import { createRng } from "./rng.ts";
import { createSlots } from "./slots.ts";

test("slots, then the queue in order, then 503", async () => {
  await withSimulator({ capacity: { slots: 0, queue: 3 } }, async (simulator) => {
    const ask = (name: string): Promise<Response> => post(simulator, chat(name), { "x-sim-id": name });
    const answers = [];
    for (const [index, name] of ["a", "b", "c"].entries()) {
      answers.push(ask(name));
      await until(() => simulator.state().queued === index + 1);
    }
    expect((await ask("d")).status).toBe(503);
    simulator.configure({ capacity: { slots: 1 } });
    for (const answer of answers) expect((await answer).status).toBe(200);
    await until(() => simulator.state().open === 0);
    const completed = simulator.attempts().filter((attempt) => attempt.outcome === "completed");
    expect(completed.map((attempt) => attempt.scope)).toEqual(["a", "b", "c"]);
    expect(simulator.state()).toMatchObject({ maxActive: 1, maxQueued: 3, active: 0, queued: 0 });
  });
});

test("who waits gets headers at once, a keep-alive after one interval and not before, and a clean end after the timeout", async () => {
  const capacity = { slots: 0, queue: 5, keepAliveMs: 12_000, queueTimeoutMs: 60_000 };
  await withSimulator({ capacity, timeScale: 0.002 }, async (simulator) => {
    const stream = await rawPost(simulator, chat("a", undefined, { stream: true }));
    expect(stream).toMatchObject({ status: 200, ending: "end" });
    expect(stream.chunks).toEqual(
      Array.from({ length: simulator.attempts()[0]?.keepAlives ?? -1 }, () => ": keep-alive\n\n"),
    );
    // 60 s hold five intervals; the fifth may or may not be written before the timeout.
    expect(stream.chunks.length).toBeGreaterThanOrEqual(3);
    expect(stream.chunks.length).toBeLessThanOrEqual(5);
    const json = await rawPost(simulator, chat("b"));
    expect(json.body).toMatch(/^\n+$/);
    expect(simulator.attempts().map((attempt) => attempt.outcome)).toEqual([
      "queue_timeout",
      "queue_timeout",
    ]);
  });
});

test("more slots let waiting requests in", async () => {
  await withSimulator({ capacity: { slots: 0 } }, async (simulator) => {
    const answers = [post(simulator, chat("a")), post(simulator, chat("b"))];
    await until(() => simulator.state().queued === 2);
    simulator.configure({ capacity: { slots: 2 } });
    for (const answer of answers) expect(await (await answer).json()).toHaveProperty("usage");
  });
});

test("an account counts a request from its arrival to its end, over all of its keys", async () => {
  const accounts = [{ keys: ["sk-a", "sk-b"], concurrency: { "deepseek-flash": 2 } }, { keys: ["sk-c"] }];
  await withSimulator({ accounts }, async (simulator) => {
    const ask = (key: string, fault = "none", more = {}): Promise<Response> =>
      post(simulator, chat("a", undefined, more), { authorization: `Bearer ${key}`, "x-sim-fault": fault });
    const [first, second] = [await ask("sk-a", "queue_forever"), await ask("sk-b", "queue_forever")];
    expect((await ask("sk-a")).status).toBe(429);
    expect((await ask("sk-c")).status).toBe(200);
    expect((await ask("sk-a", "none", { model: "deepseek-v4-pro" })).status).toBe(200);
    await first.body?.cancel();
    await until(() => simulator.state().accounts[0]?.inFlight["deepseek-flash"] === 1);
    expect((await ask("sk-a")).status).toBe(200);
    await second.body?.cancel();
    expect(simulator.state().accounts[0]?.maxInFlight["deepseek-flash"]).toBe(2);
  });
});

test("releaseLagMs: the account gets its place back late after an abort", async () => {
  await withSimulator(
    { clock: "manual", capacity: { releaseLagMs: 2000 }, accounts: [{ concurrency: 1 }] },
    async (simulator) => {
      const inFlight = () => simulator.state().accounts[0]?.inFlight["deepseek-flash"];
      const answer = await post(simulator, chat("a"), { "x-sim-fault": "queue_forever" });
      await answer.body?.cancel();
      await until(() => simulator.attempts().length === 1);
      await simulator.advance(1_999);
      expect(inFlight()).toBe(1);
      await simulator.advance(1);
      expect(inFlight()).toBe(0);
    },
  );
});

test("money: prompt and generated tokens are billed, also those of a caller who left; at zero comes 402", async () => {
  await withSimulator({ accounts: [{ balanceUsd: 0.000_01 }] }, async (simulator) => {
    const answer = await post(simulator, chat("Hello", "reasoning=0,content=500", { stream: true }), {
      "x-sim-fault": "stall_after;tokens=20",
    });
    const reader = answer.body?.getReader();
    await reader?.read();
    await until(() => simulator.state().active === 0);
    await reader?.cancel();
    await until(() => simulator.attempts().length === 1);
    // It stalled: nothing more was computed before the caller left.
    expect(simulator.attempts()[0]?.billedUsd).toBeCloseTo((6 * 0.15 + 20 * 0.6) / 1e6, 12);
    expect((await post(simulator, chat("again"))).status).toBe(402);
  });
  await withSimulator({ accounts: [{ balanceUsd: 0.000_01 }] }, async (simulator) => {
    await (await post(simulator, chat("Hello", "reasoning=0,content=500"))).text();
    const [attempt] = simulator.attempts();
    expect(attempt?.billedUsd).toBeCloseTo((6 * 0.15 + 500 * 0.6) / 1e6, 12);
    expect((await post(simulator, chat("again"))).status).toBe(402);
    simulator.changeAccount("account-1", { balanceUsd: 5 });
    expect((await post(simulator, chat("again"))).status).toBe(200);
  });
});

test("a caller who leaves stops the computing within a few tokens, and those are counted as waste", async () => {
  await withSimulator({ timeScale: 0.01 }, async (simulator) => {
    const leave = new AbortController();
    const request = chat("Hello", "reasoning=0,content=5000", { stream: true });
    const answer = await post(
      simulator,
      request,
      { "x-breakwater-call-id": "call-1" },
      { signal: leave.signal },
    );
    await answer.body?.getReader().read();
    leave.abort();
    await until(() => simulator.attempts().length === 1);
    const [attempt] = simulator.attempts();
    expect(attempt).toMatchObject({ outcome: "client_closed", callId: "call-1" });
    expect(attempt?.tokensGenerated).toBe((attempt?.tokensWritten ?? 0) + 8);
    expect(attempt?.tokensGenerated).toBeLessThan(5000);
    expect(simulator.state().totals.tokensWasted).toBe(attempt?.tokensGenerated);
  });
});

test("books: under 1500 requests that leave at any moment nothing goes negative, above a limit, or stays behind", async () => {
  const capacity = { slots: 7, queue: 11 };
  const accounts = [{ concurrency: 25 }];
  await withSimulator({ capacity, accounts, timeScale: 0.0002, attemptLogSize: 100 }, async (simulator) => {
    const rng = createRng("aborts");
    const faults = [
      "none",
      "none",
      "stall_after",
      "queue_for;ms=3000",
      "truncate_clean",
      "reset_mid_stream",
      "503",
      "isr",
      "queue_forever",
    ];
    const check = (): void => {
      const {
        active,
        queued,
        accounts: [account],
      } = simulator.state();
      expect(active).toBeGreaterThanOrEqual(0);
      expect(active).toBeLessThanOrEqual(7);
      expect(queued).toBeGreaterThanOrEqual(0);
      expect(account?.inFlight["deepseek-flash"] ?? 0).toBeGreaterThanOrEqual(0);
    };
    async function ask(index: number): Promise<void> {
      const leave = new AbortController();
      const fault = faults[rng.below(faults.length)] as string;
      const hurry = rng.below(4);
      // What would never end is left soon; so is every fourth of the others.
      const endless = fault === "queue_forever" || fault === "stall_after";
      const timer = endless || hurry === 1 ? setTimeout(() => leave.abort(), 2) : undefined;
      try {
        const answer = await simulator.fetch(`${simulator.url}/chat/completions`, {
          method: "POST",
          headers: {
            authorization: `Bearer ${simulator.key}`,
            "content-type": "application/json",
            "x-sim-fault": fault,
          },
          body: JSON.stringify(
            chat(`question ${index}`, "reasoning=20,content=40", { stream: rng.next() < 0.5 }),
          ),
          signal: leave.signal,
        });
        check();
        if (hurry === 0) leave.abort();
        const reader = answer.body?.getReader();
        while ((await reader?.read())?.done === false) check();
      } catch {
        // Aborts and resets are what this test is made of.
      }
      clearTimeout(timer);
      check();
    }
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < 1500) await ask(next++);
    };
    await Promise.all(Array.from({ length: 40 }, worker));
    await until(() => simulator.state().open === 0);
    const state = simulator.state();
    expect(state).toMatchObject({
      active: 0,
      queued: 0,
      maxActive: 7,
      accounts: [{ inFlight: { "deepseek-flash": 0 } }],
    });
    expect(state.accounts[0]?.maxInFlight["deepseek-flash"]).toBe(25);
    // Whoever had already left when the request arrived is no attempt.
    expect(state.totals.attempts).toBeGreaterThan(1450);
    expect(simulator.attempts()).toHaveLength(100);
  });
}, 20_000);

test("a place that is left twice frees one slot", () => {
  const limits = { slots: 1, queue: 5 };
  const replica = createSlots(() => limits);
  const started: string[] = [];
  const enter = (name: string) => replica.enter({ onSlot: () => started.push(name) });
  const [a, b] = [enter("a"), enter("b"), enter("c")];
  a?.leave();
  a?.leave();
  expect(started).toEqual(["a", "b"]);
  b?.leave();
  expect(started).toEqual(["a", "b", "c"]);
  expect([replica.active, replica.queued]).toEqual([1, 0]);
});
