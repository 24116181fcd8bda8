import { type Simulator, startSimulator } from "@breakwater/simulator";
import { createTestClock } from "@breakwater/testing";
import { expect, test } from "vitest";

import { withLimitsOfNode } from "../src/faults/limits-of-node.ts";

type Limits = { readonly headersTimeout: number; readonly bodyTimeout: number };

/** The agent that Node has inside, with limits of a moment. */
function shortLimits(): RequestInit {
  const name = Object.getOwnPropertySymbols(globalThis).find(({ description }) =>
    description?.startsWith("undici.globalDispatcher"),
  );
  const agent = name === undefined ? undefined : (Reflect.get(globalThis, name) as object);
  if (agent === undefined) throw new Error("this Node keeps its dispatcher somewhere else: look for it");
  const Agent = agent.constructor as new (limits: Limits) => object;
  return { dispatcher: new Agent({ headersTimeout: 50, bodyTimeout: 50 }) } as RequestInit;
}

/** What is thrown by a request that nobody answers, or that stalls after its first tokens. */
async function thrownBy(read: () => Promise<unknown>): Promise<unknown> {
  const error = await read().catch((thrown: unknown) => thrown);
  if (!(error instanceof Error) || !(error.cause instanceof Error)) return error;
  const { cause, message, name } = error;
  return {
    name,
    message,
    cause: { name: cause.name, message: cause.message, code: Reflect.get(cause, "code") },
  };
}

const initOf = ({ key }: Simulator): RequestInit => ({
  method: "POST",
  headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
  body: JSON.stringify({
    model: "deepseek-flash",
    messages: [{ role: "user", content: "Hello" }],
    stream: true,
  }),
});

test.each(["accept_hang", "stall_after"])("%s ends as Node ends it", async (fault) => {
  const faults = [{ action: fault }];
  const real = await startSimulator({ timeScale: 0.001, faults });
  await fetch(real.url); // Node makes its dispatcher when it is first used.
  const ofNode = thrownBy(async () =>
    (await fetch(`${real.url}/chat/completions`, { ...initOf(real), ...shortLimits() })).text(),
  );

  const virtual = await startSimulator({ clock: "manual", faults });
  const clock = createTestClock();
  const limited = withLimitsOfNode(fetch, clock);
  const ours = thrownBy(async () =>
    (await limited(`${virtual.url}/chat/completions`, initOf(virtual))).text(),
  );
  let over = false;
  void ours.then(() => (over = true));
  while (!over) {
    await virtual.advance(100);
    await clock.advance(100);
  }

  expect(await ours).toMatchObject({ cause: { code: expect.stringMatching(/^UND_ERR_\w+_TIMEOUT$/) } });
  expect(await ours).toEqual(await ofNode);
  await Promise.all([real.close(), virtual.close()]);
});
