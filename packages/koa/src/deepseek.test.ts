import { Readable } from "node:stream";

import { guard, retry } from "@breakwater/core";
import { createDeepSeek, type DeepSeekFetch, deepseekFetch } from "@breakwater/deepseek";
import { type Simulator, type SimulatorOptions, startSimulator } from "@breakwater/simulator";
import { bodyParser } from "@koa/bodyparser";
import OpenAI from "openai";
import { describe, expect, onTestFinished, test } from "vitest";

import { breakwater, drain, errors, openaiRouter, respond } from "./index.ts";
import { visit, post, serve, until, versions } from "./server.test-help.ts";

async function simulate(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ timeScale: 0.01, text: { reasoningMedian: 5 }, ...options });
  onTestFinished(() => simulator.close());
  return simulator;
}

/** Ten seconds of answer at least, however slow the machine is. */
const endless: SimulatorOptions = {
  timeScale: 0.2,
  text: { contentMedian: 5_000, reasoningMedian: 1, sigma: 0 },
};

const messages = [{ role: "user" as const, content: "Why do ships float?" }];
const request = { model: "deepseek-flash", messages, stream: true as const };

/** What is held at this moment, by all clients behind a fetch. */
const inFlight = (fetch: DeepSeekFetch): number =>
  fetch.snapshot().reduce((sum, { inFlight: one }) => sum + one, 0);

/** What its bulkheads have given out. */
const permits = (fetch: DeepSeekFetch): number =>
  fetch
    .snapshot()
    .flatMap(({ policies }) => policies.filter(({ kind }) => kind === "adaptive"))
    .flatMap(({ state }) => Object.values((state as { active: Record<string, number> }).active))
    .reduce((sum, one) => sum + one, 0);

describe.each(versions)("%s with the plain openai SDK", (_, Koa) => {
  /** A route as it stands in many applications: nothing in it knows of Breakwater. */
  function chat(simulator: Simulator, fetch: DeepSeekFetch) {
    const openai = new OpenAI({ apiKey: simulator.key, baseURL: simulator.url, fetch });
    async function* textOf(stream: AsyncIterable<OpenAI.ChatCompletionChunk>) {
      for await (const chunk of stream) yield chunk.choices[0]?.delta.content ?? "";
    }
    const app = new Koa().use(errors()).use(breakwater()).use(bodyParser());
    return app.use(async (ctx) => {
      const stream = await openai.chat.completions.create({ ...request, ...(ctx.request.body as object) });
      ctx.body = Readable.from(textOf(stream));
    });
  }

  test("a call is cancelled when its browser leaves, and its permit comes back", async () => {
    const simulator = await simulate(endless);
    const fetch = deepseekFetch();
    const { url } = await serve(chat(simulator, fetch));
    const browser = visit(`${url}/chat`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    await browser.read();
    expect(inFlight(fetch)).toBe(1);
    expect(permits(fetch)).toBe(1);
    browser.leave();
    await until(() => inFlight(fetch) === 0 && simulator.state().open === 0);
    expect(permits(fetch)).toBe(0);
    expect(simulator.attempts()).toMatchObject([{ outcome: "client_closed" }]);
  });

  test("a call that waits in DeepSeek's queue is cancelled, too", async () => {
    const simulator = await simulate({ faults: [{ action: "queue_forever" }] });
    const fetch = deepseekFetch();
    const { url } = await serve(chat(simulator, fetch));
    const browser = visit(`${url}/chat`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    await until(() => simulator.state().open === 1);
    browser.leave();
    await until(() => inFlight(fetch) === 0 && simulator.state().open === 0);
  });

  test("a burst of 503 is not seen", async () => {
    const simulator = await simulate({ faults: [{ times: 2, action: "503" }] });
    const { url } = await serve(chat(simulator, deepseekFetch()));
    const response = await fetch(`${url}/chat`, post({}));
    expect(response.status).toBe(200);
    expect(simulator.verifyText(request, await response.text())).toBe("complete");
    expect(simulator.attempts()).toHaveLength(3);
  });

  test("half an answer is never shown as a whole one", async () => {
    const simulator = await simulate({ faults: [{ action: "truncate_clean;tokens=20" }] });
    const { url } = await serve(chat(simulator, deepseekFetch()));
    await expect(fetch(`${url}/chat`, post({})).then((response) => response.text())).rejects.toThrow(
      /terminated|fetch failed/,
    );
  });

  const limit = guard("limit", {
    name: "account",
    admit: () => ({ by: "account", code: "RATE_LIMITED", retryAfterMs: 2_500 }),
  });
  test("a refusal inside the SDK's error has its own status", async () => {
    const simulator = await simulate();
    for (const errorMode of ["response", "throw"] as const) {
      const { url } = await serve(chat(simulator, deepseekFetch({ policies: [limit], errorMode })));
      const response = await fetch(`${url}/chat`, post({}));
      expect(response.status).toBe(429);
      expect(response.headers.get("retry-after")).toBe("3");
      expect(await response.json()).toMatchObject({ code: "RATE_LIMITED" });
    }
    expect(simulator.attempts()).toEqual([]);
  });

  test.each([
    ["401", 502, "UPSTREAM_FAILED"],
    ["402", 502, "UPSTREAM_FAILED"],
    ["503", 502, "OVERLOADED"],
    ["429_tpm", 503, "UPSTREAM_BUSY"],
    ["400_context", 400, "CONTEXT_WINDOW"],
  ])("what DeepSeek answers with %s is told as %d %s, without its words", async (action, status, code) => {
    const simulator = await simulate({ faults: [{ action }] });
    const { url } = await serve(chat(simulator, deepseekFetch({ policies: [retry({ attempts: 1 })] })));
    const response = await fetch(`${url}/chat`, post({}));
    expect(response.status).toBe(status);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ code });
    expect(text).not.toContain(simulator.key.slice(-4));
  });
});

describe.each(versions)("%s with a client of DeepSeek", (_, Koa) => {
  test("respond streams its chunks, and drain finishes them", async () => {
    const simulator = await simulate();
    const deepseek = createDeepSeek({ apiKey: simulator.key, baseURL: simulator.url });
    const app = new Koa().use(errors()).use(breakwater());
    const render = (chunk: unknown): unknown =>
      (chunk as OpenAI.ChatCompletionChunk).choices[0]?.delta.content ?? undefined;
    app.use(respond(deepseek.client, () => request, { render }));
    const { url, server } = await serve(app);
    const response = await fetch(`${url}/chat`, post({}));
    const drained = drain(server, [deepseek]);
    const events = (await response.text()).trim().split("\n\n");
    expect(events.pop()).toBe("data: [DONE]");
    const text = events.map((event) => JSON.parse(event.slice("data: ".length)) as string).join("");
    expect(simulator.verifyText(request, text)).toBe("complete");
    expect(await drained).toBe(true);
  });

  describe("openaiRouter", () => {
    async function router(simulator: Simulator) {
      const deepseek = createDeepSeek({ apiKey: simulator.key, baseURL: simulator.url });
      const authorize = (incoming: Request): { tenant: string } | false =>
        incoming.headers.get("authorization") === "Bearer team-key" && { tenant: "team" };
      const app = new Koa().use(errors()).use(breakwater()).use(openaiRouter(deepseek, { authorize }));
      const { url } = await serve(app);
      const sdk = (apiKey: string): OpenAI => new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 });
      return { url, deepseek, sdk };
    }

    test("is a DeepSeek for every SDK", async () => {
      const simulator = await simulate({ faults: [{ times: 1, action: "503" }] });
      const { sdk } = await router(simulator);
      const stream = await sdk("team-key").chat.completions.create(request);
      let text = "";
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
      expect(simulator.verifyText(request, text)).toBe("complete");
      expect((await sdk("team-key").models.list()).data.map(({ id }) => id)).toContain("deepseek-flash");
    });

    test("lets nobody in who may not, and says so as the API does", async () => {
      const simulator = await simulate();
      const { sdk } = await router(simulator);
      await expect(sdk("other").chat.completions.create(request)).rejects.toBeInstanceOf(
        OpenAI.AuthenticationError,
      );
      expect(simulator.attempts()).toEqual([]);
    });

    test("gives its permit back when the SDK leaves its stream", async () => {
      const simulator = await simulate(endless);
      const { sdk, deepseek } = await router(simulator);
      const stream = await sdk("team-key").chat.completions.create(request);
      await stream[Symbol.asyncIterator]().next();
      stream.controller.abort();
      await until(() => deepseek.snapshot().inFlight === 0 && simulator.state().open === 0);
      expect(simulator.attempts()).toMatchObject([{ outcome: "client_closed" }]);
    });

    test.each([
      ["malformed JSON", post("{oops"), 400],
      ["no messages", post({}), 400],
      ["the wrong method", {}, 405],
      ["too large a body", post({ messages: ["x".repeat(2_000_000)] }), 413],
    ])("%s is a clear error, and the server goes on", async (__, init, status) => {
      const simulator = await simulate();
      const { url, sdk } = await router(simulator);
      const headers = new Headers(init.headers);
      headers.set("authorization", "Bearer team-key");
      const response = await fetch(`${url}/v1/chat/completions`, { ...init, headers });
      expect(response.status).toBe(status);
      expect(await response.json()).toMatchObject({ error: { message: /./ } });
      expect((await sdk("team-key").models.list()).data.length).toBeGreaterThan(0);
    });
  });
});
