import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

import { until } from "@breakwater-internal/visitor";
import { drain } from "@breakwater/koa";
import { type Simulator, type SimulatorOptions, startSimulator } from "@breakwater/simulator";
import OpenAI from "openai";
import { describe, expect, onTestFinished, test } from "vitest";

import { createGateway } from "./app.ts";

const per = "1h";
const teams = {
  "search-key": { name: "search", limits: { requests: { limit: 100, per } } },
  "chat-key": { name: "chat", limits: { requests: { limit: 2, per } } },
  "next-chat-key": { name: "chat", limits: { requests: { limit: 2, per } } },
} as const;

async function start(options: SimulatorOptions = {}) {
  const simulator = await startSimulator({ timeScale: 0.01, text: { reasoningMedian: 5 }, ...options });
  const { app, deepseek } = createGateway({ apiKey: simulator.key, baseURL: simulator.url, teams });
  const server = await new Promise<Server>((resolve) => {
    const listening = app.listen(0, "127.0.0.1", () => resolve(listening));
  });
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
    await deepseek.close();
    await simulator.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  /** The plain SDK, as a team has it: it knows an address and a key. */
  const sdk = (apiKey: string): OpenAI => new OpenAI({ apiKey, baseURL: `${url}/v1` });
  return { simulator, deepseek, server, url, sdk };
}

const asked = {
  model: "deepseek-flash",
  messages: [{ role: "user" as const, content: "Why do ships float?" }],
};

async function readAll(stream: AsyncIterable<OpenAI.ChatCompletionChunk>): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  return text;
}

const verdict = (simulator: Simulator, text: string | null | undefined): string =>
  simulator.verifyText(asked, text ?? "");

/** Ten seconds of answer at least, however slow the machine is. */
const endless: SimulatorOptions = {
  timeScale: 0.2,
  text: { contentMedian: 5_000, reasoningMedian: 1, sigma: 0 },
};

describe("the openai SDK needs an address and a key", () => {
  test("for whole answers, for streams and for the list of models", async () => {
    const { sdk, simulator } = await start();
    const openai = sdk("search-key");
    const whole = await openai.chat.completions.create(asked);
    expect(verdict(simulator, whole.choices[0]?.message.content)).toBe("complete");
    const stream = await openai.chat.completions.create({ ...asked, stream: true });
    expect(verdict(simulator, await readAll(stream))).toBe("complete");
    expect((await openai.models.list()).data.map(({ id }) => id)).toContain("deepseek-flash");
  });

  test("and what a team's calls cost is known by its name", async () => {
    const { sdk, deepseek } = await start();
    await sdk("search-key").chat.completions.create(asked);
    await sdk("chat-key").chat.completions.create(asked);
    const costs = deepseek.costs.by(["tenant"]);
    expect(costs.map(({ tenant }) => tenant).toSorted((a, b) => a.localeCompare(b))).toEqual([
      "chat",
      "search",
    ]);
    for (const { attempts, usd } of costs) {
      expect(attempts).toBe(1);
      expect(Number(usd)).toBeGreaterThan(0);
    }
  });
});

describe("nobody gets in without a key", () => {
  test("a wrong one is what every SDK calls an authentication error, and nothing is asked", async () => {
    const { sdk, simulator } = await start();
    const refused = sdk("guessed").chat.completions.create(asked);
    await expect(refused).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    await expect(refused).rejects.toMatchObject({ status: 401, code: "UNAUTHORIZED" });
    expect(simulator.attempts()).toEqual([]);
  });

  test("nor with the account's own, or with none", async () => {
    const { url, simulator } = await start();
    for (const headers of [{}, { authorization: "Bearer" }, { authorization: `Bearer ${simulator.key}` }]) {
      const response = await fetch(`${url}/v1/models`, { headers });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ error: { message: /key/ } });
    }
  });

  test("and who is let in learns nothing of the account when it is refused", async () => {
    const { url, simulator } = await start({ faults: [{ action: "401" }] });
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: "Bearer search-key", "content-type": "application/json" },
      body: JSON.stringify(asked),
    });
    expect(response.status).toBe(502);
    expect(await response.text()).not.toContain(simulator.key.slice(-4));
  });
});

test("a team over its limit is told when to come again, and does not slow the others", async () => {
  const { sdk, simulator } = await start();
  const ask = (key: string) => sdk(key).chat.completions.create(asked);
  const calls = [
    ...Array.from({ length: 6 }, (_, n) => ask(n % 2 === 0 ? "chat-key" : "next-chat-key")),
    ...Array.from({ length: 10 }, () => ask("search-key")),
  ];
  const results = await Promise.allSettled(calls);
  const chat = results.slice(0, 6);
  expect(chat.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
  for (const result of chat) {
    if (result.status === "fulfilled") continue;
    expect(result.reason).toBeInstanceOf(OpenAI.RateLimitError);
    const { headers } = result.reason as InstanceType<typeof OpenAI.RateLimitError>;
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(60);
    expect(headers.get("x-should-retry")).toBe("false");
  }
  for (const result of results.slice(6)) {
    if (result.status === "rejected") throw result.reason;
    expect(verdict(simulator, result.value.choices[0]?.message.content)).toBe("complete");
  }
  // What was refused was never sent, however often an SDK likes to try again.
  expect(simulator.attempts()).toHaveLength(2 + 10);
});

test.each([true, false])("a burst of 503 is not seen (stream: %s)", async (stream) => {
  const { sdk, simulator } = await start({ faults: [{ action: ["503", "503"] }] });
  const { completions } = sdk("search-key").chat;
  const text = stream
    ? await readAll(await completions.create({ ...asked, stream }))
    : (await completions.create({ ...asked, stream })).choices[0]?.message.content;
  expect(verdict(simulator, text)).toBe("complete");
  expect(simulator.attempts().map(({ status }) => status)).toEqual([503, 503, 200]);
});

test("an answer that breaks off is an error for its SDK, and never taken for a whole one", async () => {
  const { sdk } = await start({ faults: [{ action: "truncate_clean;tokens=20" }] });
  const stream = await sdk("search-key").chat.completions.create({ ...asked, stream: true });
  await expect(readAll(stream)).rejects.toBeInstanceOf(OpenAI.APIError);
});

test("who leaves in the middle stops costing, and gives the place back", async () => {
  const { sdk, simulator, deepseek, url } = await start(endless);
  const stream = await sdk("search-key").chat.completions.create({ ...asked, stream: true });
  await stream[Symbol.asyncIterator]().next();
  expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: "ok", inFlight: 1 });
  stream.controller.abort();
  await until(() => deepseek.snapshot().inFlight === 0 && simulator.state().open === 0);
  expect(simulator.attempts()).toMatchObject([{ outcome: "client_closed" }]);
  expect(simulator.attempts()[0]?.tokensWritten).toBeLessThan(2_500);
});

test("a shutdown finishes the streams that run, and takes nothing new", async () => {
  const { sdk, simulator, server, deepseek, url } = await start();
  const stream = await sdk("search-key").chat.completions.create({ ...asked, stream: true });
  const drained = drain(server, [deepseek]);
  await expect(fetch(`${url}/healthz`)).rejects.toThrow("fetch failed");
  expect(verdict(simulator, await readAll(stream))).toBe("complete");
  expect(await drained).toBe(true);
});

test("what is not there is Koa's 404", async () => {
  const { url } = await start();
  const response = await fetch(`${url}/admin`);
  expect(response.status).toBe(404);
  expect(await response.text()).toBe("Not Found");
});
