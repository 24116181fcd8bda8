// What is seen of real calls: streams, a 503, costs, and clients that are made while somebody looks.
import { createDeepSeek, deepseekFetch } from "@breakwater/deepseek";
import { type Simulator, startSimulator } from "@breakwater/simulator";
import { expect, onTestFinished, test } from "vitest";

import { admin } from "./index.ts";
import type { AdminState, ClientState } from "./state.ts";

async function simulate(): Promise<Simulator> {
  const simulator = await startSimulator({
    timeScale: 0.01,
    text: { reasoningMedian: 5, contentMedian: 20 },
    faults: [{ times: 1, action: "503" }],
  });
  onTestFinished(() => simulator.close());
  return simulator;
}

const messages = [{ role: "user" as const, content: "my prompt: why do ships float?" }];

function looking(clients: Parameters<typeof admin>[0]) {
  const page = admin(clients, { authorize: () => true });
  onTestFinished(() => page.close());
  return async () => {
    const response = await page(new Request("http://localhost/state"));
    const text = await response.text();
    const { instances } = JSON.parse(text) as AdminState;
    const named = new Map(instances[0]?.clients.map((client) => [client.name, client]));
    return { text, of: (name: string) => named.get(name) as ClientState, names: [...named.keys()] };
  };
}

test("a client of DeepSeek: tokens, costs, what was for nothing, and no word of what was said", async () => {
  const simulator = await simulate();
  const deepseek = createDeepSeek({ apiKey: simulator.key, baseURL: simulator.url });
  const look = looking(deepseek);
  for await (const _ of deepseek.stream({ messages }));
  const answer = await deepseek.chat({ messages });
  const { names, of, text } = await look();
  expect(names).toEqual(["deepseek", "deepseek-other"]);
  expect(of("deepseek").stats).toMatchObject({
    calls: 2,
    answered: 2,
    attempts: 3,
    retries: 1,
    firstToken: { count: 2 },
    duration: { count: 2 },
  });
  expect(of("deepseek").stats.tokens).toBeGreaterThanOrEqual(2 * (answer.usage?.prompt_tokens ?? 0));
  expect(of("deepseek").stats.costUsd).toBeGreaterThan(0);
  expect(of("deepseek").policies.map(({ kind }) => kind)).toContain("circuit-breaker");
  for (const secret of [simulator.key, "my prompt", answer.choices[0]?.message.content ?? "?"])
    expect(text).not.toContain(secret);
  await deepseek.close();
});

test("a fetch makes its clients later: they are seen from their first call on, and of each account", async () => {
  const simulator = await simulate();
  const fetch = deepseekFetch();
  const look = looking(fetch);
  expect((await look()).names).toEqual([]);
  const ask = async (key: string): Promise<number> => {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const body = JSON.stringify({ model: "deepseek-flash", messages });
    const response = await fetch(`${simulator.url}/chat/completions`, { method: "POST", headers, body });
    await response.text();
    return response.status;
  };
  expect(await ask(simulator.key)).toBe(200);
  const host = new URL(simulator.url).host;
  const first = await look();
  expect(first.names).toEqual([host, `${host}-other`]);
  expect(first.of(host).stats).toMatchObject({ calls: 1, answered: 1, retries: 1 });
  expect(await ask("sk-another")).toBe(401);
  const second = await look();
  expect(second.of(`${host}#1`).stats).toMatchObject({ answered: 1, failed: 0 });
  expect(second.of(`${host}#2`).stats).toMatchObject({ answered: 0, failed: 1 });
  expect(second.text).not.toContain("sk-another");
  await fetch.close();
});
