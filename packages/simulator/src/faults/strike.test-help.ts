import { expect } from "vitest";

import { chat, rawPost, readStream, withSimulator, type RawAnswer } from "../http.test-help.ts";
import type { Attempt, ChatRequest, Simulator } from "../index.ts";

export const stream = chat("Hello", "reasoning=4,content=6", { stream: true });
export const json = chat("Hello", "reasoning=4,content=6");

/** One request with one fault over a bare socket, and what the log says of it once it is over. */
export async function strike(
  fault: string,
  request: ChatRequest,
  check: (answer: RawAnswer, simulator: Simulator, attempt: Attempt) => void | Promise<void>,
  stop?: (received: string) => boolean,
): Promise<void> {
  await withSimulator({ timeScale: 0.0005 }, async (simulator) => {
    const answer = await rawPost(simulator, request, { "x-sim-fault": fault }, stop);
    await expect.poll(() => simulator.attempts().length, { interval: 1 }).toBe(1);
    const attempt = simulator.attempts()[0] as Attempt;
    expect(attempt.fault).toContain(fault.split(";")[0]);
    expect(simulator.state()).toMatchObject({
      active: 0,
      queued: 0,
      open: 0,
      accounts: [{ inFlight: { "deepseek-flash": 0 } }],
    });
    await check(answer, simulator, attempt);
  });
}

/** The stream is right for 7 tokens: 4 of reasoning and 3 of text. */
export const cutAfterSeven = (answer: RawAnswer, simulator: Simulator): void => {
  const { content, reasoning } = simulator.expectedText(stream);
  const got = readStream(answer.body);
  expect(got).toMatchObject({ reasoning, finish: null, done: false });
  expect(got.content).toBe(content.split(" ").slice(0, 3).join(" "));
  expect(simulator.verifyText(stream, got)).toBe("prefix");
};
