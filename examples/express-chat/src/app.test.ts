import { readFileSync } from "node:fs";
import { request as send, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { until } from "@breakwater-internal/visitor";
import type { DeepSeekFetch } from "@breakwater/deepseek";
import { errors } from "@breakwater/express";
import { type Simulator, type SimulatorOptions, startSimulator } from "@breakwater/simulator";
import type { Express } from "express";
import { describe, expect, onTestFinished, test, vi } from "vitest";

import * as before from "./app-before.ts";
import { createApp as createBareApp } from "./app.ts";

// The app keeps its fetch to itself; the tests look at what it holds.
const fetches = vi.hoisted(() => [] as DeepSeekFetch[]);
vi.mock(import("@breakwater/deepseek"), async (original) => {
  const actual = await original();
  return {
    ...actual,
    deepseekFetch: (...args) => {
      const made = actual.deepseekFetch(...args);
      fetches.push(made);
      return made;
    },
  };
});
const inFlight = (): number =>
  fetches.flatMap((one) => one.snapshot()).reduce((sum, snapshot) => sum + snapshot.inFlight, 0);

/** As main.ts makes it. */
const after = {
  createApp: (...args: Parameters<CreateApp>): Express => createBareApp(...args).use(errors()),
};

type CreateApp = (options: { apiKey: string; baseURL: string }) => Express;

async function start(
  createApp: CreateApp,
  options: SimulatorOptions,
): Promise<{ url: string; simulator: Simulator }> {
  const simulator = await startSimulator({ timeScale: 0.01, text: { reasoningMedian: 5 }, ...options });
  const app = createApp({ apiKey: simulator.key, baseURL: simulator.url });
  const server = await new Promise<Server>((resolve) => {
    const listening = app.listen(0, "127.0.0.1", () => resolve(listening));
  });
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
    await simulator.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, simulator };
}

const messages = [{ role: "user" as const, content: "Why do ships float?" }];
const asked = { model: "deepseek-flash", messages, stream: true };

async function ask(url: string): Promise<string> {
  const response = await fetch(`${url}/chat`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages }),
  });
  return response.text();
}

/** Asks, and closes the tab at the first words. */
async function askAndLeave(url: string): Promise<void> {
  const browser = send(`${url}/chat`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    agent: false,
  });
  browser.on("error", () => undefined);
  browser.end(JSON.stringify({ messages }));
  await new Promise<void>((resolve) => {
    browser.once("response", (response) => response.once("data", () => resolve()));
  });
  browser.destroy();
}

describe("who closes the tab is gone", () => {
  const tenSeconds: SimulatorOptions = {
    timeScale: 0.2,
    text: { contentMedian: 5_000, reasoningMedian: 1, sigma: 0 },
  };

  test("after: the call upstream is cancelled, and its permit comes back", async () => {
    const { url, simulator } = await start(after.createApp, tenSeconds);
    await askAndLeave(url);
    await until(() => inFlight() === 0 && simulator.state().open === 0);
    const [attempt] = simulator.attempts();
    expect(attempt?.outcome).toBe("client_closed");
    expect(attempt?.tokensWritten).toBeLessThan(2_500);
  });

  test("before: the answer is paid for to its end", async () => {
    const { url, simulator } = await start(before.createApp, { ...tenSeconds, timeScale: 0.01 });
    await askAndLeave(url);
    await until(() => simulator.state().open === 0);
    expect(simulator.attempts()).toMatchObject([{ outcome: "completed" }]);
  });
});

describe("a busy moment", () => {
  const burst: SimulatorOptions = { faults: [{ action: ["503", "503"] }] };

  test("after: a burst of 503 is not seen", async () => {
    const { url, simulator } = await start(after.createApp, burst);
    expect(simulator.verifyText(asked, await ask(url))).toBe("complete");
    expect(simulator.attempts().map(({ status }) => status)).toEqual([503, 503, 200]);
  });

  test("after: with seven of ten calls failing, each question is answered whole or told that it was not", async () => {
    const { url, simulator } = await start(after.createApp, {
      seed: 3,
      faults: [{ match: { probability: 0.7 }, action: "503" }],
    });
    const verdicts = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const text = await ask(url);
        return text.startsWith("{")
          ? (JSON.parse(text) as { code: string }).code
          : simulator.verifyText(asked, text);
      }),
    );
    expect(verdicts.filter((verdict) => verdict !== "complete" && verdict !== "OVERLOADED")).toEqual([]);
  });
});

describe("an answer that breaks off", () => {
  const cut: SimulatorOptions = { faults: [{ action: "truncate_clean;tokens=20" }] };

  test("before: is shown as a whole one", async () => {
    const { url, simulator } = await start(before.createApp, cut);
    expect(simulator.verifyText(asked, await ask(url))).not.toBe("complete");
  });

  test("after: is never taken for one", async () => {
    const { url } = await start(after.createApp, cut);
    await expect(ask(url)).rejects.toThrow(/terminated|fetch failed/);
  });

  test("after: is asked again if it breaks before its first word", async () => {
    const { url, simulator } = await start(after.createApp, {
      faults: [{ times: 1, action: "truncate_clean;tokens=0" }],
    });
    expect(simulator.verifyText(asked, await ask(url))).toBe("complete");
  });
});

test("without errors(), too, half an answer is never shown as a whole one", async () => {
  const { url } = await start(createBareApp, { faults: [{ action: "truncate_clean;tokens=20" }] });
  await expect(ask(url)).rejects.toThrow(/terminated|fetch failed/);
});

test("a refused key is nobody else's business", async () => {
  const { url, simulator } = await start(after.createApp, { faults: [{ action: "401" }] });
  const text = await ask(url);
  expect(JSON.parse(text)).toMatchObject({ status: 502, code: "UPSTREAM_FAILED" });
  expect(text).not.toContain(simulator.key.slice(-4));
});

test.each([
  ["malformed JSON", "{oops", "application/json"],
  ["another content type", "hello", "text/plain"],
  ["no messages", "{}", "application/json"],
])("%s is a 4xx, and the server goes on", async (_, body, type) => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const { url, simulator } = await start(after.createApp, {});
  const response = await fetch(`${url}/chat`, { method: "POST", headers: { "content-type": type }, body });
  expect(response.status).toBe(400);
  expect(simulator.verifyText(asked, await ask(url))).toBe("complete");
});

test("the page is served", async () => {
  const { url } = await start(after.createApp, {});
  expect(await (await fetch(url)).text()).toContain("<title>Chat</title>");
});

describe("the diff in the README", () => {
  const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
  const diffOf = (page: string): string[] =>
    (/```diff\n(.*?)```/s.exec(read(page))?.[1] ?? "").split("\n").slice(0, -1);
  const lines = diffOf("../README.md");
  const without = (sign: string): string =>
    lines
      .filter((line) => !line.startsWith(sign))
      .map((line) => `${line.slice(1)}\n`)
      .join("");

  test("is what lies between both files", () => {
    expect(without("+")).toBe(read("app-before.ts"));
    expect(without("-")).toBe(read("app.ts"));
  });

  test("adds four lines, and takes nothing away", () => {
    expect(lines.filter((line) => line.startsWith("+"))).toHaveLength(4);
    expect(lines.filter((line) => line.startsWith("-"))).toHaveLength(0);
  });

  test.each(["../../../README.md", "../../../README.zh-CN.md"])("is what %s shows a part of", (page) => {
    const added = (diff: string[]): string[] => diff.filter((line) => line.startsWith("+"));
    expect(added(diffOf(page))).toEqual(added(lines));
    expect(diffOf(page).filter((line) => !lines.includes(line))).toEqual([]);
  });
});
