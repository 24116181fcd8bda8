import { expect, test } from "vitest";

import { chat, headersOf, withSimulator } from "./http.test-help.ts";
import { faultNames, type SimulatorOptions } from "./index.ts";
import { createRng } from "./rng.ts";

const limits = { a: { slots: 5, queue: 7 }, b: { slots: 3, queue: 4 } };
const options: SimulatorOptions = {
  clock: "manual",
  tickMs: 50,
  replicas: [
    { name: "a", ...limits.a },
    { name: "b", ...limits.b },
  ],
  accounts: [{ concurrency: 22 }, { concurrency: 9 }],
  capacity: { releaseLagMs: 100 },
  attemptLogSize: 100,
};

// The door is no part of the books, and big bytes only cost time.
const faults = faultNames.filter((name) => name !== "refuse" && name !== "big_event");

/** 10 000 of them take eight seconds, and come to the same. */
const requests = 4000;

test("4000 requests, of which most leave at any moment or are struck: nothing negative, above a limit, or left behind", async () => {
  await withSimulator(options, async (simulator) => {
    const rng = createRng("books");
    function check(): void {
      const { replicas, accounts, active, queued } = simulator.state();
      for (const replica of replicas) {
        const { slots, queue } = limits[replica.name as keyof typeof limits];
        expect(replica.active >= 0 && replica.active <= slots).toBe(true);
        // Who was held outside of the queue enters it behind the others, even when it is full: its 200 is out.
        expect(replica.queued >= 0 && replica.maxActive <= slots).toBe(true);
        expect(replica.queued <= queue + 22 + 9).toBe(true);
      }
      expect(active + queued).toBeLessThanOrEqual(31);
      for (const [index, account] of accounts.entries()) {
        const inFlight = account.inFlight["deepseek-flash"] ?? 0;
        expect(inFlight >= 0 && inFlight <= (index === 0 ? 22 : 9)).toBe(true);
      }
    }

    let asked = 0;
    const leaving = new Set<AbortController>();
    async function ask(): Promise<void> {
      const leave = new AbortController();
      leaving.add(leave);
      const fault = rng.next() < 0.4 ? "none" : (faults[rng.below(faults.length)] as string);
      const key = rng.next() < 0.7 ? "sk-sim-1" : "sk-sim-2";
      const headers = { authorization: `Bearer ${key}`, "x-sim-fault": fault };
      const body = JSON.stringify(
        chat(`question ${asked++}`, "reasoning=10,content=20", { stream: rng.next() < 0.7 }),
      );
      try {
        const answer = await simulator.fetch(`${simulator.url}/chat/completions`, {
          method: "POST",
          headers: headersOf(simulator, headers),
          body,
          signal: leave.signal,
        });
        // Some never read, some leave by cancelling, the others read until something ends it.
        const way = rng.below(4);
        if (way === 0) await answer.body?.cancel();
        else if (way > 1) await answer.text();
      } catch {
        // Aborts and resets are what this test is made of.
      }
    }

    const asking: Promise<void>[] = [];
    while (asked < requests) {
      for (let i = rng.below(60); i > 0; i--) asking.push(ask());
      await simulator.advance(rng.below(200));
      check();
      for (const leave of leaving) {
        if (rng.next() < 0.7) continue;
        leave.abort();
        leaving.delete(leave);
        if (rng.next() < 0.05) check();
      }
      check();
      const trouble = rng.below(40);
      if (trouble === 0) simulator.replica("b").change({ dead: true });
      if (trouble === 1) simulator.replica("b").change({ dead: null });
    }
    for (const leave of leaving) leave.abort();
    await Promise.all(asking);
    await simulator.advance(1000);
    const state = simulator.state();
    expect(state).toMatchObject({ active: 0, queued: 0, open: 0 });
    for (const replica of state.replicas) expect(replica).toMatchObject({ active: 0, queued: 0 });
    expect(state.replicas.map(({ maxActive }) => maxActive)).toEqual([limits.a.slots, limits.b.slots]);
    expect(state.accounts.map((account) => account.inFlight["deepseek-flash"])).toEqual([0, 0]);
    expect(state.accounts.map((account) => account.maxInFlight["deepseek-flash"])).toEqual([22, 9]);
    const { outcomes } = state.totals;
    for (const outcome of ["completed", "faulted", "client_closed", "rejected"] as const)
      expect(outcomes[outcome]).toBeGreaterThan(20);
  });
}, 60_000);
