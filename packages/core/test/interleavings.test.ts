// No interleaving of admit, abort, settle and throw leaks a permit or gives it back twice.
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  createTestClock,
  scriptedUpstream,
  type ScriptedCall,
  type ScriptedStream,
} from "../../testing/src/index.ts";
import {
  bulkhead,
  circuitBreaker,
  createClient,
  createMemoryPermitStore,
  type Outcome,
  retry,
  timeout,
} from "../src/index.ts";

type Answer = string | AsyncIterable<string>;

const which = fc.nat({ max: 7 });
const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("ask" as const),
        batch: fc.boolean(),
        deadline: fc.option(fc.integer({ min: 0, max: 300 }), { nil: undefined }),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constantFrom(
          "answer" as const,
          "fail",
          "throw",
          "stream",
          "push",
          "end",
          "break",
          "abort",
          "read",
          "leave",
        ),
        which,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 200 }) }),
    },
  ),
  { maxLength: 60 },
);

describe("permits", () => {
  it("come back exactly once, whatever happens in whatever order", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), async (script, seed) => {
        const clock = createTestClock({ seed });
        const upstream = scriptedUpstream<number, Answer>();
        const store = createMemoryPermitStore();
        const limit = bulkhead({ store, concurrency: 2, queue: 3, maxWait: 150, grace: 400 });
        const ask = createClient<number, Answer>(
          { upstream: upstream.upstream, runtime: clock },
          timeout({ name: "total", total: 500 }),
          retry({ attempts: 2, baseDelay: 20 }),
          circuitBreaker({ minimumCalls: 4, openFor: 50 }),
          limit,
          timeout({ firstToken: 120, idle: 120 }),
        );
        const active = (): number => store.active("bulkhead")[""] ?? 0;

        const controllers: AbortController[] = [];
        const outcomes: (Outcome<Answer> | undefined)[] = [];
        let settled = 0;
        const arrived: (ScriptedCall<number, Answer> & { done?: boolean })[] = [];
        const streams: ScriptedStream[] = [];
        const readers: AsyncIterator<string>[] = [];
        const reads: Promise<unknown>[] = [];
        const collect = async (): Promise<void> => {
          for (;;) arrived.push(await upstream.next());
        };
        void collect();

        for (const step of script) {
          switch (step.do) {
            case "ask": {
              const controller = new AbortController();
              const index = controllers.push(controller) - 1;
              const { signal } = controller;
              const options = {
                signal,
                priority: step.batch ? ("batch" as const) : ("interactive" as const),
                deadline: step.deadline,
              };
              void Promise.resolve(ask.outcome(index, options)).then((outcome) => {
                expect(outcomes[index]).toBeUndefined();
                outcomes[index] = outcome;
                settled++;
                if (outcome.status === "answered" && typeof outcome.value !== "string") {
                  readers.push(outcome.value[Symbol.asyncIterator]());
                }
              });
              break;
            }
            case "advance":
              await clock.advance(step.ms);
              break;
            case "abort":
              controllers[step.which]?.abort(new Error("left"));
              break;
            case "push":
              streams[step.which]?.push("more");
              break;
            case "end":
              streams[step.which]?.end();
              break;
            case "break":
              streams[step.which]?.fail(new Error("reset"));
              break;
            case "read": {
              const read = readers[step.which]?.next();
              if (read !== undefined) reads.push(read.catch(() => undefined));
              break;
            }
            case "leave":
              void readers[step.which]?.return?.();
              break;
            default: {
              const call = arrived[step.which];
              if (call === undefined || call.done === true) break;
              call.done = true;
              if (step.do === "answer") call.answer("done");
              else if (step.do === "fail") call.fail(new Error("503"));
              else if (step.do === "throw") call.throw(new TypeError("mistake"));
              else streams.push(call.stream("first"));
            }
          }
          await clock.settle();
          expect(active()).toBeLessThanOrEqual(2);
        }

        // Nobody does anything any more: everything must come to an end by itself.
        await clock.advance(120_000);
        expect(settled).toBe(controllers.length);
        expect(limit.snapshot?.()).toEqual({ limit: 2, active: {}, queued: {} });
        expect(ask.snapshot().inFlight).toBe(0);
        expect(clock.pending).toBe(0);
        await Promise.all(reads);
      }),
      { numRuns: 1_000, seed: 20_261_121 },
    );
  });
});
