// Guards hold for every kind of answer, streams that break in their middle included.
import { describe, expect, it } from "vitest";

import { createTestClock, type Finished, finish, forEachKind } from "../../testing/src/index.ts";
import { bulkhead, circuitBreaker, createClient, type Policy, rateLimit } from "../src/index.ts";

const busy = (): never => {
  throw Object.assign(new Error("busy"), { status: 503 });
};
const full = (): never => {
  throw Object.assign(new Error("too many"), { status: 429 });
};
const wrong = (): never => {
  throw Object.assign(new Error("no such field"), { status: 400 });
};

forEachKind(({ kind, upstream }) => {
  const play = (policy: Policy) => {
    let act: () => unknown = () => "well";
    const ask = createClient(
      { upstream: upstream((_: string) => act()), runtime: createTestClock() },
      policy,
    );
    return {
      ask,
      state: () => ask.snapshot().policies[0]?.state,
      call: (how: () => unknown): Promise<Finished> => {
        act = how;
        return finish(ask.outcome("q"));
      },
    };
  };

  describe(`over an upstream that answers ${kind}`, () => {
    it("trap 17, 27, 28: a permit comes back once, however a call ends", async () => {
      const { call, state, ask } = play(bulkhead({ concurrency: 1 }));
      for (const how of [() => 1, busy, full, wrong, () => undefined]) {
        await call(how);
        expect(state()).toMatchObject({ active: {} });
      }
      const ends = await Promise.all([1, 2, 3].map(() => finish(ask.outcome("q"))));
      const passed = ends.filter(({ status }) => status === "answered").length;
      expect(passed).toBe(kind === "at once" ? 3 : 1);
      expect(state()).toMatchObject({ active: {} });
    });

    it("trap 7, 19: only what the upstream did wrong opens a circuit", async () => {
      const { call, state, ask } = play(
        circuitBreaker({ window: { calls: 4 }, minimumCalls: 4, failureRate: 0.75 }),
      );
      for (let i = 0; i < 10; i++) for (const how of [full, wrong]) await call(how);
      const leaving = new AbortController();
      leaving.abort();
      await finish(ask.outcome("q", { signal: leaving.signal }));
      expect(state()).toMatchObject({ "": { status: "closed" } });
      for (let i = 0; i < 4; i++) await call(busy);
      expect(state()).toMatchObject({ "": { status: "open" } });
      expect(await call(() => "well")).toMatchObject({ status: "refused", error: { code: "CIRCUIT_OPEN" } });
    });

    it("trap 35, 36: what a limit refuses is never sent", async () => {
      const { call } = play(rateLimit({ limits: { requests: { limit: 2, per: "1s" } } }));
      let sent = 0;
      const ends = [];
      for (let i = 0; i < 5; i++) ends.push(await call(() => ++sent));
      expect(ends.map(({ status }) => status)).toEqual([
        "answered",
        "answered",
        "refused",
        "refused",
        "refused",
      ]);
      expect(sent).toBe(2);
    });
  });
});
