import { circuitBreaker, retry } from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import { afterEach, describe, expect, test, vi } from "vitest";

import { type Rig, type RigOptions, startRig } from "../src/rig.ts";
import { loadSdk, runnable, tooNew } from "../src/sdks/catalogue.ts";
import { WEATHER } from "../src/sdks/sdk.ts";

const question = { prompt: "Why is the sea salty?" };
const thoughtful = { ...question, thinking: true };
const rigs: Rig[] = [];

afterEach(async () => {
  await Promise.all(rigs.splice(0).map((rig) => rig.close()));
});

const thrownBy = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => expect.fail(`was answered: ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );

if (tooNew.length > 0) {
  console.info(
    `Not on Node ${process.versions.node}: ${tooNew.join(", ")}. \`npm run check\` runs them on a newer line.`,
  );
}

describe.each(runnable)("%s", async (name) => {
  const sdk = await loadSdk(name);
  /** What the host said, the AI SDK's own errors say where Breakwater stands around the model. */
  const hostCode = (code: string): string | undefined => (sdk.through === "fetch" ? code : undefined);

  async function rigWith(options: RigOptions = {}): Promise<Rig> {
    const rig = await startRig({ ...options, through: sdk.through });
    rigs.push(rig);
    return rig;
  }

  test("a whole answer", async () => {
    const rig = await rigWith();
    const received = await sdk.ask(rig.connect(), question);
    expect(rig.simulator.verifyText(rig.asked[0] as never, received.content)).toBe("complete");
    expect(received.finish).toBe("stop");
  });

  test.runIf(sdk.through === "fetch")("is told of failures in the way that stops it", async () => {
    const rig = await rigWith({ faults: [{ action: "503" }] });
    const connection = rig.connect({ maxRetries: 0 });
    let told: "response" | "throw" | undefined;
    const watching: typeof fetch = (input, init) => {
      const asked = connection.fetch(input, init);
      asked.then(
        () => (told = "response"),
        () => (told = "throw"),
      );
      return asked;
    };
    await thrownBy(sdk.ask({ ...connection, fetch: watching }, question));
    expect(told).toBe(sdk.errorMode);
  });

  test("a streamed one", async () => {
    const rig = await rigWith();
    let pieces = 0;
    const received = await sdk.stream(rig.connect(), question, { onPiece: () => ++pieces < 0 });
    expect(rig.simulator.verifyText(rig.asked[0] as never, received.content)).toBe("complete");
    expect(pieces).toBeGreaterThan(1);
    await vi.waitFor(() => expect(rig.inFlight()).toBe(0));
  });

  test.each(["ask", "stream"] as const)("what the model thought: %s", async (how) => {
    const rig = await rigWith();
    const { content, reasoning } = await sdk[how](rig.connect(), thoughtful);
    expect(rig.simulator.verifyText(rig.asked[0] as never, { content, reasoning })).toBe("complete");
    expect(reasoning).not.toBe("");
  });

  test("a tool is called, told about, and the answer follows", async () => {
    const rig = await rigWith();
    const { calls, final } = await sdk.tools(rig.connect({ headers: { "x-sim-answer": "tools" } }), question);
    const wanted = rig.simulator.expectedText(rig.asked[0] as never, { answer: "tools" }).toolCalls;
    expect(calls).toEqual(wanted.map((call) => ({ name: call.name, input: JSON.parse(call.arguments) })));
    expect(calls.map((call) => call.name)).toEqual([WEATHER.name]);
    expect(rig.calls()).toBe(2);
    expect(rig.simulator.verifyText(rig.asked[1] as never, final.content, { answer: "tools" })).toBe(
      "complete",
    );
  });

  test.runIf(!sdk.obeys)("asks again whatever it is told, until its own retries are off", async () => {
    const rig = await rigWith({ faults: [{ action: "503" }] });
    await thrownBy(sdk.ask(rig.connect({ maxRetries: 1 }), question));
    expect([rig.attempts(), rig.calls()]).toEqual([6, 2]);
  });

  describe.each([
    ...(sdk.obeys ? [{ retries: "untouched", maxRetries: undefined }] : []),
    { retries: "off", maxRetries: 0 },
  ])("its own retries $retries", ({ maxRetries }) => {
    test.each(["ask", "stream"] as const)("two 503s go unseen: %s", async (how) => {
      const rig = await rigWith({ faults: [{ action: "503", times: 2 }] });
      const received = await sdk[how](rig.connect({ maxRetries }), question);
      expect(rig.simulator.verifyText(rig.asked[0] as never, received.content)).toBe("complete");
      expect(rig.attempts()).toBe(3);
    });

    test.each(["ask", "stream"] as const)("nothing but 503s: three attempts, never nine: %s", async (how) => {
      const rig = await rigWith({ faults: [{ action: "503" }] });
      const error = await thrownBy(sdk[how](rig.connect({ maxRetries }), question));
      expect([rig.attempts(), rig.calls()]).toEqual([3, 1]);
      expect([sdk.statusOf(error), sdk.codeOf(error)]).toEqual([503, hostCode("OVERLOADED")]);
    });

    test("broken connections: three attempts as well", async () => {
      const rig = await rigWith({ faults: [{ action: "reset_before_headers" }] });
      const error = await thrownBy(sdk.ask(rig.connect({ maxRetries }), question));
      expect([rig.attempts(), rig.calls()]).toEqual([3, 1]);
      expect(sdk.codeOf(error)).toBe(hostCode("TRANSPORT"));
    });

    test("an empty account: one attempt", async () => {
      const rig = await rigWith({ faults: [{ action: "402" }] });
      const error = await thrownBy(sdk.ask(rig.connect({ maxRetries }), question));
      expect([rig.attempts(), rig.calls()]).toEqual([1, 1]);
      expect([sdk.statusOf(error), sdk.codeOf(error)]).toEqual([402, hostCode("QUOTA")]);
    });

    test("an open circuit: asked once, sent never", async () => {
      const policies = [
        retry({ attempts: 1 }),
        circuitBreaker({ minimumCalls: 1, window: { calls: 1 }, failureRate: 0.5 }),
      ];
      const rig = await rigWith({ faults: [{ action: "503" }], policies });
      await thrownBy(sdk.ask(rig.connect({ maxRetries }), question));
      const before = rig.calls();
      const error = await thrownBy(sdk.ask(rig.connect({ maxRetries }), question));
      expect([rig.attempts(), rig.calls() - before]).toEqual([1, 1]);
      expect(sdk.codeOf(error)).toBe("CIRCUIT_OPEN");
    });
  });

  test.each(["truncate_clean", "garbage_then_eof", "reset_mid_stream"])(
    "an answer that breaks off is an error, not an end: %s",
    async (action) => {
      const rig = await rigWith({ faults: [{ action: { name: action, tokens: 3 } }] });
      const error = await thrownBy(sdk.stream(rig.connect(), question));
      expect(["STREAM_TRUNCATED", hostCode("TRANSPORT")]).toContain(sdk.codeOf(error));
      expect(rig.attempts()).toBe(1);
      await vi.waitFor(() => expect(rig.inFlight()).toBe(0));
    },
  );

  test("a stream that stalls ends with an error, and holds nothing", async () => {
    const clock = createTestClock();
    const rig = await rigWith({
      runtime: clock,
      faults: [{ action: { name: "stall_after", tokens: 3 } }],
    });
    let pieces = 0;
    let over = false;
    const asked = thrownBy(sdk.stream(rig.connect(), question, { onPiece: () => ++pieces < 0 }));
    void asked.finally(() => (over = true));
    await vi.waitFor(() => expect(pieces).toBeGreaterThan(0));
    // A token that was still on its way starts the clock anew.
    await vi.waitFor(async () => {
      await clock.advance(31_000);
      expect(over).toBe(true);
    });
    expect(sdk.codeOf(await asked)).toBe("TIMED_OUT");
    expect(rig.inFlight()).toBe(0);
  });

  test("an abort gives the permit back, in the middle and before anything came", async () => {
    const rig = await rigWith({ faults: [{ action: { name: "stall_after", tokens: 3 } }] });
    const middle = new AbortController();
    const streamed = sdk.stream(rig.connect(), question, {
      signal: middle.signal,
      onPiece: () => {
        middle.abort();
        return false;
      },
    });
    // Some SDKs end quietly after an abort: whoever aborts knows.
    await streamed.catch(() => undefined);
    await vi.waitFor(() => expect(rig.inFlight()).toBe(0));

    rig.simulator.clearFaults();
    rig.simulator.addFault({ action: "accept_hang" });
    const early = new AbortController();
    const asked = thrownBy(sdk.ask(rig.connect({ maxRetries: 0 }), question, { signal: early.signal }));
    await vi.waitFor(() => expect(rig.inFlight()).toBe(1));
    early.abort();
    await asked;
    await vi.waitFor(() => expect(rig.inFlight()).toBe(0));
  });

  test("leaving the loop gives the permit back, at the latest when the reader was not seen for a minute", async () => {
    const clock = createTestClock();
    const rig = await rigWith({ runtime: clock });
    await sdk.stream(rig.connect({ headers: { "x-sim-tokens": "content=500" } }), question, {
      onPiece: () => true,
    });
    if (sdk.leavesQuietly) await clock.advance(60_000);
    await vi.waitFor(() => expect(rig.inFlight()).toBe(0));
    expect((await sdk.ask(rig.connect(), question)).content).not.toBe("");
  });
});
