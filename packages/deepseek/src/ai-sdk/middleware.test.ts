import { fallback, type Policy, RefusedError, retry, timeout } from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import { describe, expect, test } from "vitest";

import {
  breakwaterMiddleware,
  type LanguageModel,
  languageModelUpstream,
  type ModelAnswer,
  type ModelCall,
  type ModelPart,
} from "./index.ts";

/** A part with what belongs to its type. */
const part = (type: string, more: object = {}): ModelPart => ({ type, ...more });

const finish = (unified: string, raw?: string): ModelPart =>
  part("finish", {
    finishReason: { unified, raw },
    usage: { inputTokens: { total: 3 }, outputTokens: { total: 2 } },
  });

const FINISH = finish("stop", "stop");
const TEXT = part("text-delta", { id: "0", delta: "Hi" });
const START = part("stream-start");

/** What a stream of a model does: parts, errors, or `forever` to stay silent. */
type Step = ModelPart | Error | "forever";

function modelOf(
  ...answers: readonly (readonly Step[])[]
): LanguageModel & { readonly signals: AbortSignal[] } {
  const signals: AbortSignal[] = [];
  return {
    provider: "test",
    modelId: "model",
    signals,
    async doGenerate() {
      throw Object.assign(new Error("busy"), { statusCode: 503, isRetryable: true });
    },
    async doStream({ abortSignal }) {
      if (abortSignal !== undefined) signals.push(abortSignal);
      const steps = [...(answers[signals.length - 1] ?? [])];
      const stream = new ReadableStream<ModelPart>(
        {
          pull(controller): Promise<void> | void {
            const step = steps.shift();
            if (step === "forever") return new Promise(() => {});
            if (step === undefined) controller.close();
            else if (step instanceof Error) controller.error(step);
            else controller.enqueue(step);
          },
        },
        { highWaterMark: 0 },
      );
      return { stream, response: { headers: { "x-own": "1" } } };
    },
  };
}

async function read(stream: ReadableStream<ModelPart>): Promise<string[]> {
  const types: string[] = [];
  for await (const { type } of stream) types.push(type);
  return types;
}

function make(model: LanguageModel, ...policies: readonly Policy<ModelCall, ModelAnswer>[]) {
  const clock = createTestClock();
  const middleware = breakwaterMiddleware({ policies, runtime: clock });
  const ask = (abortSignal?: AbortSignal) =>
    middleware.wrapStream({ model, params: abortSignal === undefined ? {} : { abortSignal } });
  return { ask, clock, middleware };
}

describe("a streamed answer", () => {
  test("passes on as it is, with what the model says beside it", async () => {
    const { ask, middleware } = make(modelOf([START, TEXT, FINISH]));
    const result = await ask();
    expect(result).toMatchObject({ response: { headers: { "x-own": "1" } } });
    expect(middleware.snapshot().inFlight).toBe(1);
    expect(await read(result.stream)).toEqual(["stream-start", "text-delta", "finish"]);
    expect(middleware.snapshot().inFlight).toBe(0);
  });

  test.each<[string, readonly Step[]]>([
    ["an end without a finish part", [START]],
    ["an error part", [START, part("error", { error: { message: "overloaded" } })]],
    ["a finish that nobody gave a reason for", [finish("other")]],
    ["a finish that is an error", [finish("error", "insufficient_system_resource")]],
    ["nothing but a finish", [START, FINISH]],
  ])("is asked for again after %s", async (_, broken) => {
    const model = modelOf(broken, [START, TEXT, FINISH]);
    const { ask, clock } = make(model, retry({ attempts: 2 }));
    const { stream } = await clock.until(ask());
    expect(await read(stream)).toEqual(["stream-start", "text-delta", "finish"]);
    expect(model.signals).toHaveLength(2);
  });

  test("that breaks off after its first token is an error, and not asked for again", async () => {
    const model = modelOf([TEXT], [TEXT, FINISH]);
    const { ask, middleware } = make(model, retry({ attempts: 2 }));
    const { stream } = await ask();
    await expect(read(stream)).rejects.toMatchObject({ code: "STREAM_TRUNCATED" });
    expect(model.signals).toHaveLength(1);
    expect(middleware.snapshot().inFlight).toBe(0);
  });

  test("that falls silent is ended by the clock, and its model is told", async () => {
    const model = modelOf([TEXT, "forever"]);
    const { ask, clock, middleware } = make(model, timeout({ idle: "10s" }));
    const { stream } = await ask();
    const asked = read(stream);
    await expect(clock.until(asked)).rejects.toMatchObject({ code: "TIMED_OUT", clock: "idle" });
    expect(model.signals[0]?.aborted).toBe(true);
    expect([middleware.snapshot().inFlight, clock.pending]).toEqual([0, 0]);
  });

  test("gives everything back when its reader cancels, and when its caller aborts", async () => {
    for (const leave of ["cancel", "abort"] as const) {
      const controller = new AbortController();
      const { ask, clock, middleware } = make(modelOf([TEXT, "forever"]));
      const { stream } = await ask(controller.signal);
      if (leave === "cancel") await stream.cancel();
      else controller.abort();
      await clock.settle();
      expect(middleware.snapshot().inFlight).toBe(0);
    }
  });
});

test("a provider's error stays what it is, and says that it is not to be asked again", async () => {
  const model = modelOf();
  const { clock, middleware } = make(model, retry({ attempts: 3 }));
  const attempts: number[] = [];
  middleware.on((event) => void (event.type === "call-end" && attempts.push(event.attempts)));
  const asked = clock.until(middleware.wrapGenerate({ model, params: {} }));
  await expect(asked).rejects.toMatchObject({ message: "busy", statusCode: 503, isRetryable: false });
  expect(attempts).toEqual([3]);
});

test("another provider's model answers when this one cannot", async () => {
  const other = modelOf([TEXT, FINISH]);
  const { ask } = make(modelOf([]), fallback({ to: languageModelUpstream(other) }));
  const { stream } = await ask();
  expect(await read(stream)).toEqual(["text-delta", "finish"]);
  expect(other.signals).toHaveLength(1);
});

test("after close everything is refused", async () => {
  const { ask, clock, middleware } = make(modelOf([TEXT, FINISH]));
  await clock.until(middleware.close());
  await expect(ask()).rejects.toBeInstanceOf(RefusedError);
});

test.each([
  [{ policies: {} }, /policies must be an array/],
  [{ retries: 3 }, /unknown option "retries"/],
])("refuses %o", (options, message) => {
  expect(() => breakwaterMiddleware(options as never)).toThrow(message);
});
