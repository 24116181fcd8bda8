import { Agent, get, type IncomingMessage } from "node:http";

import { expect, test } from "vitest";

import { paced } from "./paced.ts";
import { listener, serve, until } from "./server.test-help.ts";

/** Serves an endless source by a framework that writes whatever it is given; counts what was asked of the source. */
async function serveEndless() {
  const seen = { asked: 0, returned: 0 };
  const { listen } = listener(async (_req, res) => {
    const source: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: "x".repeat(16_384) + seen.asked++ }),
        return: async () => {
          seen.returned++;
          return { done: true, value: undefined };
        },
      }),
    };
    for await (const item of paced(source, res)) {
      res.write(item);
      if (seen.asked === 2_000) break;
    }
    res.end();
  });
  return { ...(await serve(listen)), seen };
}

test("a source is asked for no more than its client takes, and left when its reader leaves", async () => {
  const { url, seen } = await serveEndless();
  const agent = new Agent();
  const response = await new Promise<IncomingMessage>((resolve) => {
    get(url, { agent }, resolve);
  });
  response.pause();
  // The sockets' own buffers are full some time; then nothing more is asked for, however often the loop turns.
  for (let turns = 0; turns < 1_000; turns++) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  expect(seen.asked).toBeLessThan(2_000);
  expect(seen.asked).toBeGreaterThan(0);
  response.resume();
  await until(() => seen.returned === 1);
  expect(seen.asked).toBe(2_000);
  agent.destroy();
});
