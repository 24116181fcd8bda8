// No interleaving of joining, leaving, aborting, delivering and failing gives anybody less or more than his answer, and
// none leaves anything behind.
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  createTestClock,
  type ScriptedCall,
  type ScriptedStream,
  scriptedUpstream,
} from "../../../../testing/src/index.ts";
import { cache, createClient, type Outcome, type Shapes } from "../../index.ts";

type Answer = string | AsyncIterable<string>;

/** Where callers may want either shape, `~` asks for a stream. A whole answer is the items of the stream, with commas. */
const shapes: Shapes<Answer, string> = {
  streams: (q) => q.endsWith("~"),
  assemble() {
    const items: string[] = [];
    return {
      bytes: 0,
      add: (item) => void items.push(item),
      finish: () => ({ whole: items.join(), cuts: undefined }),
    };
  },
  pieces: (whole) => whole.split(","),
};

interface Asker {
  readonly key: string;
  readonly controller: AbortController;
  readonly deadline: number | undefined;
  outcome?: Outcome<Answer>;
  reader?: AsyncIterator<string>;
  readonly got: string[];
  reading?: boolean;
  over?: "end" | "error" | "left";
}

/** An attempt; its number is in whatever it brings: `key/number`, and of a stream `key/number/index`. */
interface Attempt {
  readonly call: ScriptedCall<string, Answer>;
  readonly name: string;
  source?: ScriptedStream;
  items: number;
  over?: "answer" | "fail" | "throw" | "end" | "break";
}

const which = fc.nat({ max: 1_000 });
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("ask" as const),
      key: fc.constantFrom("a", "a", "b"),
      shape: fc.constantFrom("", "~"),
      deadline: fc.option(fc.integer({ min: 0, max: 400 }), { nil: undefined, freq: 3 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom("answer", "fail", "throw", "stream", "stream", "stream"),
      which,
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("push", "push", "push", "end", "break"), which }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constantFrom("read", "read", "read", "leave", "abort"), which }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("delete" as const, "clear") }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 200 }) }),
  },
);
const steps = fc.array(step, { minLength: 10, maxLength: 80, size: "max" });

/** One of those that fit. */
function pick<T>(list: readonly T[], at: number, fits: (one: T) => boolean): T | undefined {
  const fitting = list.filter(fits);
  return fitting[at % fitting.length];
}

function createWorld(seed: number, stale: boolean, eitherShape: boolean) {
  const clock = createTestClock({ seed });
  const script = scriptedUpstream<string, Answer>(eitherShape ? { codec: { shapes } } : {});
  const windows = stale ? ({ staleWhileRevalidate: 100, staleIfError: 200 } as const) : {};
  const policy = cache<string, Answer>({ ttl: 100, key: (q) => q.slice(0, 1), shared: true, ...windows });
  const ask = createClient<string, Answer>({ upstream: script.upstream, runtime: clock }, policy);
  const askers: Asker[] = [];
  const attempts: Attempt[] = [];

  const collect = async (): Promise<void> => {
    for (;;) {
      const call = await script.next();
      attempts.push({ call, name: `${call.request.slice(0, 1)}/${attempts.length}`, items: 0 });
    }
  };
  void collect();

  async function read(asker: Asker): Promise<void> {
    asker.reading = true;
    try {
      const item = await (asker.reader as AsyncIterator<string>).next();
      if (item.done !== true) asker.got.push(item.value);
      else asker.over ??= "end";
    } catch {
      asker.over ??= "error";
    }
    asker.reading = false;
  }

  return {
    clock,
    script,
    policy,
    ask,
    askers,
    attempts,
    read,
    eitherShape,
    begin(key: string, shape: string, deadline: number | undefined) {
      const asker: Asker = { key, deadline, controller: new AbortController(), got: [] };
      askers.push(asker);
      const outcome = ask.outcome(eitherShape ? key + shape : key, {
        signal: asker.controller.signal,
        deadline,
      });
      void Promise.resolve(outcome).then((answer) => {
        expect(asker.outcome).toBeUndefined();
        asker.outcome = answer;
        if (eitherShape && answer.status === "answered")
          expect(typeof answer.value).toBe(shape === "~" ? "object" : "string");
        if (answer.status === "answered" && typeof answer.value !== "string")
          asker.reader = answer.value[Symbol.asyncIterator]();
      });
    },
    leave(asker: Asker) {
      asker.over ??= "left";
      void asker.reader?.return?.();
    },
    answer(attempt: Attempt, how: "answer" | "fail" | "throw" | "stream") {
      if (eitherShape && (how === "answer" || how === "stream"))
        how = shapes.streams(attempt.call.request) ? "stream" : "answer";
      if (how === "stream") {
        attempt.source = attempt.call.stream(`${attempt.name}/${attempt.items++}`);
        return;
      }
      attempt.over = how;
      if (how === "answer" && eitherShape)
        attempt.call.answer([attempt.items++, attempt.items++].map((at) => `${attempt.name}/${at}`).join());
      else if (how === "answer") attempt.call.answer(attempt.name);
      else if (how === "fail") attempt.call.fail(new Error(attempt.name));
      else attempt.call.throw(new TypeError(attempt.name));
    },
    go(attempt: Attempt, how: "push" | "end" | "break") {
      if (how === "push") {
        attempt.source?.push(`${attempt.name}/${attempt.items++}`);
        return;
      }
      attempt.over = how;
      if (how === "end") attempt.source?.end();
      else attempt.source?.fail(new Error(attempt.name));
    },
  };
}

type World = ReturnType<typeof createWorld>;

async function play(
  world: World,
  script: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[],
) {
  const { askers, attempts, clock, policy } = world;
  for (const one of script) {
    switch (one.do) {
      case "ask":
        world.begin(one.key, one.shape, one.deadline);
        break;
      case "advance":
        await clock.advance(one.ms);
        break;
      case "clear":
        await policy.clear();
        break;
      case "delete":
        await policy.delete("a");
        break;
      case "abort":
        pick(askers, one.which, ({ controller }) => !controller.signal.aborted)?.controller.abort("left");
        break;
      case "read":
      case "leave": {
        const asker = pick(
          askers,
          one.which,
          ({ reader, over, reading }) => reader !== undefined && over === undefined && reading !== true,
        );
        if (asker === undefined) break;
        if (one.do === "leave") world.leave(asker);
        else void world.read(asker);
        break;
      }
      case "push":
      case "end":
      case "break": {
        const attempt = pick(
          attempts,
          one.which,
          ({ source, over }) => source !== undefined && over === undefined,
        );
        if (attempt !== undefined) world.go(attempt, one.do);
        break;
      }
      default: {
        const attempt = pick(
          attempts,
          one.which,
          ({ source, over }) => source === undefined && over === undefined,
        );
        if (attempt !== undefined) world.answer(attempt, one.do);
      }
    }
    await clock.settle();
  }
}

/** Everybody who waits for an answer waits for an attempt that is being made. */
function expectNobodyForgotten({ askers, attempts, eitherShape }: World): void {
  const running = attempts.filter(
    ({ call, source, over }) => (!source || eitherShape) && !over && !call.call.aborted,
  );
  for (const { key, outcome } of askers)
    if (outcome === undefined)
      expect(running.map(({ call }) => call.request)).toContainEqual(expect.stringMatching(`^${key}`));
}

function expectRightAnswer({ attempts, eitherShape }: World, asker: Asker): void {
  const { key, outcome, over, reader, controller, deadline } = asker;
  const interrupted = controller.signal.aborted || deadline !== undefined;
  switch (outcome?.status) {
    case "answered":
      break;
    case "failed":
      if (interrupted) return;
      expect(attempts).toContainEqual(
        expect.objectContaining({
          name: (outcome.error as Error).message,
          over: expect.stringMatching(eitherShape ? /fail|throw|break/ : /fail|throw/),
        }),
      );
      return;
    default:
      expect(outcome?.status).toBe("cancelled");
      expect(controller.signal.aborted).toBe(true); // nobody else's leaving is his
      return;
  }
  const whole = typeof outcome.value === "string" && !eitherShape ? outcome.value : undefined;
  const got = typeof outcome.value === "string" && eitherShape ? outcome.value.split(",") : asker.got;
  const name = whole ?? got[0]?.split("/").slice(0, 2).join("/");
  const attempt = attempts.find((one) => one.name === name);
  if (name !== undefined) expect(attempt?.call.request.slice(0, 1)).toBe(key);
  if (whole !== undefined) expect(attempt?.over).toBe("answer");
  if (reader === undefined && !eitherShape) return;
  expect(got).toEqual(got.map((_, at) => `${name}/${at}`)); // one attempt's, from its first, in order, none twice
  if (over === "end" || reader === undefined) {
    expect(attempt?.over).toBe(attempt?.source === undefined ? "answer" : "end");
    expect(got).toHaveLength(attempt?.items as number);
  }
  if (over === "error" && !interrupted) {
    expect(attempt === undefined ? attempts.map((one) => one.over) : [attempt.over]).toContain("break");
    if (attempt !== undefined) expect(got).toHaveLength(attempt.items);
  }
}

async function expectNothingLeft({ policy, ask, script, clock, attempts }: World): Promise<void> {
  for (const { call, over, source } of attempts)
    if (over === undefined && source === undefined) call.answer("nobody wants it");
  await clock.advance(700_000);
  expect(policy.snapshot().flights).toBe(0);
  expect(ask.snapshot().inFlight).toBe(0);
  expect(script.active).toBe(0);
  expect(clock.pending).toBe(0);
}

describe("shared attempts", () => {
  it(
    "give everybody exactly his answer or an error, if all read to the end",
    { timeout: 60_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(steps, fc.boolean(), fc.boolean(), fc.nat(), async (script, stale, either, seed) => {
          const world = createWorld(seed, stale, either);
          await play(world, script);
          expectNobodyForgotten(world);
          for (const attempt of world.attempts)
            if (attempt.source !== undefined && attempt.over === undefined) world.go(attempt, "end");
          await world.clock.settle();
          for (const { controller, outcome } of world.askers)
            if (outcome === undefined) controller.abort("left");
          await world.clock.settle();
          for (const asker of world.askers) {
            while (asker.reader !== undefined && asker.over === undefined) {
              if (asker.reading !== true) void world.read(asker);
              await world.clock.settle();
            }
          }
          for (const asker of world.askers) expectRightAnswer(world, asker);
          await expectNothingLeft(world);
        }),
        { numRuns: 300, seed: 20_261_121 },
      );
    },
  );

  it("end when nobody waits for them, and not before", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), fc.nat(), async (script, either, seed) => {
        const world = createWorld(seed, false, either);
        await play(world, script);
        expectNobodyForgotten(world);
        for (const asker of world.askers) {
          if (asker.outcome === undefined) asker.controller.abort("left");
          else if (asker.reader !== undefined) world.leave(asker);
        }
        await world.clock.settle();
        for (const { call, source, over } of world.attempts)
          if (over === undefined)
            expect(source === undefined ? call.call.aborted : source.stopped).toBe(true);
        for (const asker of world.askers) expectRightAnswer(world, asker);
        await expectNothingLeft(world);
      }),
      { numRuns: 300, seed: 20_261_121 },
    );
  });
});
