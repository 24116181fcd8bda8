import { Agent, get } from "node:http";

import { createClient } from "@breakwater/core";
import { createTestClock, scriptedUpstream } from "@breakwater/testing";
import { describe, expect, test } from "vitest";

import { openContext } from "./context.ts";
import { drain } from "./drain.ts";
import { sendOutcome } from "./send.ts";
import { visit, listener, serve, until } from "./server.test-help.ts";

async function chatServer() {
  const script = scriptedUpstream();
  const ask = createClient(script.upstream);
  const { listen } = listener((req, res) =>
    openContext(req, res, {}, () => sendOutcome(res, ask.outcome("hello"))),
  );
  return { ...(await serve(listen)), script, ask };
}

describe("drain", () => {
  test("finishes the streams that run, and accepts nothing new", async () => {
    const { url, server, script, ask } = await chatServer();
    const response = fetch(url);
    const stream = (await script.next()).stream("one");
    await response;
    const drained = drain(server, [ask]);
    await expect(fetch(url)).rejects.toThrow("fetch failed");
    stream.push("two");
    stream.end();
    expect(await (await response).text()).toBe('data: "one"\n\ndata: "two"\n\ndata: [DONE]\n\n');
    expect(await drained).toBe(true);
    expect(ask.snapshot()).toMatchObject({ inFlight: 0, draining: true });
  });

  test("does not wait for browsers that keep a connection and say nothing", async () => {
    const { url, server, script } = await chatServer();
    const agent = new Agent({ keepAlive: true });
    const answered = new Promise<void>((resolve) => {
      get(url, { agent }, (res) => res.resume().once("end", resolve));
    });
    (await script.next()).answer("hi");
    await answered;
    let closed = false;
    const store = { close: async () => (closed = true) };
    expect(await drain(server, [store])).toBe(true);
    expect(closed).toBe(true);
    agent.destroy();
  });

  test("cuts what still runs when its time is up, and says so inside the stream", async () => {
    const runtime = createTestClock();
    const { url, server, script, ask } = await chatServer();
    const browser = visit(url);
    const stream = (await script.next()).stream("one");
    await browser.read();
    const drained = drain(server, [ask], { withinMs: 5_000, runtime });
    await runtime.advance(4_999);
    stream.push("two");
    expect(await browser.read()).toContain("two");
    await runtime.advance(1);
    expect(await browser.read()).toMatch(/^event: error/);
    expect(await runtime.until(drained)).toBe(false);
    expect(runtime.pending).toBe(0);
  });

  test("a response that nobody ends does not keep the process", async () => {
    const runtime = createTestClock();
    let arrived = false;
    const { url, server } = await serve(() => (arrived = true));
    const response = fetch(url);
    response.catch(() => undefined);
    await until(() => arrived);
    const drained = drain(server, [], { withinMs: 1_000, runtime });
    expect(await runtime.until(drained)).toBe(false);
    await expect(response).rejects.toThrow("fetch failed");
  });
});
