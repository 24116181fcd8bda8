import { describe, expect, it } from "vitest";

import { createTestClock, scriptedUpstream } from "../../testing/src/index.ts";
import {
  answered,
  around,
  attempt,
  type Call,
  createClient,
  relay,
  retry,
  timeout,
  upstream,
} from "./index.ts";
import { callOfSignal } from "./signals.ts";

describe("a call", () => {
  it("that is detached writes into a meta of its own, since its caller may have his answer already", async () => {
    let detached: Call<string> | undefined;
    const behind = around<string, string>("behind", {
      name: "behind",
      run(call, next) {
        detached = call.fork({ detached: true });
        return next(detached);
      },
    });
    const ask = createClient(
      upstream((q: string, { call }) => {
        call.meta.model = "small";
        return q;
      }),
      behind,
    );
    const outcome = await ask.outcome("q", { callId: "c-1" });
    expect(detached?.meta).toEqual({ callId: "c-1", attempts: 1, model: "small" });
    expect(outcome.meta).toBe(detached?.meta);
  });

  it("that is detached has the latest deadline of those who joined it, and so has what runs inside it already", async () => {
    const clock = createTestClock();
    const inside: Call<string>[] = [];
    let detached: Call<string> | undefined;
    const behind = around<string, string>("behind", {
      name: "behind",
      run(call, next) {
        detached = call.fork({ detached: true });
        return next(detached);
      },
    });
    const twice = around<string, string>("twice", { name: "twice", run: (call, next) => next(call.fork()) });
    const ask = createClient(
      {
        upstream: upstream((q: string, { call }) => {
          inside.push(call);
          return q;
        }),
        runtime: clock,
      },
      behind,
      timeout({ total: "1m" }),
      twice,
    );
    await ask("q", { deadline: "1s" });
    const [call] = inside;
    expect([detached?.deadline, call?.deadline]).toEqual([1_000, 1_000]);
    detached?.extendDeadline(5_000);
    expect([detached?.deadline, call?.deadline]).toEqual([5_000, 5_000]);
    detached?.extendDeadline(3_000);
    expect(call?.deadline).toBe(5_000);
    detached?.extendDeadline(Infinity);
    expect(call?.deadline).toBe(60_000); // a clock inside still bounds it
  });

  it("bounds what runs inside it by what bounds it later", async () => {
    let inner: Call<string> | undefined;
    const outer = around<string, string>("outer", {
      name: "outer",
      run(call, next) {
        inner = call.fork();
        call.limitDeadline(7);
        return attempt(inner, () => next(call.fork()));
      },
    });
    const ask = createClient(
      upstream((q: string) => q),
      outer,
    );
    await ask("q");
    expect(inner?.deadline).toBe(7);
  });

  it("that is carried is not ended by the answer that reads it on, and is by whoever ends that", async () => {
    const clock = createTestClock();
    const letters = scriptedUpstream<string, AsyncIterable<string>>();
    const loud = around<string, AsyncIterable<string>>("loud", {
      name: "loud",
      async run(call, next) {
        const outcome = await next(call.fork({ carried: true }));
        if (outcome.status !== "answered") return outcome;
        const quiet = outcome.value[Symbol.asyncIterator]();
        const source: AsyncIterator<string> = {
          async next() {
            const step = await quiet.next();
            return step.done === true ? step : { done: false, value: step.value.toUpperCase() };
          },
        };
        const { stream, end } = relay(source, call);
        return answered(stream, call.meta, end);
      },
    });
    const ask = createClient({ upstream: letters.upstream, runtime: clock }, loud);
    const controller = new AbortController();
    const asked = ask("x", { signal: controller.signal });
    const { call, stream } = await letters.next();
    const script = stream("a");
    const reader = (await asked)[Symbol.asyncIterator]();
    script.push("b");
    expect([await reader.next(), await reader.next()]).toMatchObject([{ value: "A" }, { value: "B" }]);
    expect(call.aborted).toBe(false);
    controller.abort("left");
    expect(call.reason).toBe("left");
    await clock.settle();
    expect([ask.snapshot().inFlight, clock.pending]).toEqual([0, 0]);
  });

  it("lets go of its signal when it is over: whoever keeps the signal must not keep the call", async () => {
    const signals: AbortSignal[] = [];
    const owners = (): unknown[] => signals.map(callOfSignal);
    const ask = createClient(
      upstream((_: string, { signal }) => {
        signals.push(signal);
        expect(owners().at(-1)).toBeDefined();
        return signals.length < 3 ? Promise.reject(new Error("busy")) : Promise.resolve("there");
      }),
      retry({ attempts: 3, baseDelay: 0 }),
    );
    expect(await ask("x")).toBe("there");
    expect(owners()).toEqual([undefined, undefined, undefined]);
  });
});
