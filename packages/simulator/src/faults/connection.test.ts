import { Agent, request as httpRequest } from "node:http";

import { describe, expect, test } from "vitest";

import { chat, headersOf, post, rawPost, readStream, until, withSimulator } from "../http.test-help.ts";
import { faultNames, faults, startSimulator, type Simulator } from "../index.ts";
import { cutAfterSeven, stream, strike } from "./strike.test-help.ts";

test("truncate_chunked: FIN without the end of the body", async () => {
  await strike("truncate_chunked;tokens=7", stream, (answer, simulator, attempt) => {
    expect(answer.ending).toBe("fin");
    cutAfterSeven(answer, simulator);
    expect(attempt.outcome).toBe("faulted");
  });
});

test("reset_mid_chunk: half an event arrives before the reset", async () => {
  await strike("reset_mid_chunk;tokens=7", stream, (answer, simulator) => {
    expect(answer.ending).toBe("reset");
    cutAfterSeven(answer, simulator);
    expect(answer.body.slice(answer.body.lastIndexOf("\n\n"))).toMatch(/^\n\ndata: \{"id":"[^\n]+$/);
  });
});

test("reset_after_headers", async () => {
  await strike("reset_after_headers", stream, (answer) =>
    expect(answer).toMatchObject({ status: 200, body: "", ending: "reset" }),
  );
});

test("accept_hang: the request is taken, and nothing comes", async () => {
  await withSimulator({}, async (simulator) => {
    const leave = new AbortController();
    const asking = post(simulator, stream, { "x-sim-fault": "accept_hang" }, { signal: leave.signal });
    await until(() => simulator.state().open === 1);
    leave.abort(new Error("enough"));
    await expect(asking).rejects.toThrow("enough");
    await until(() => simulator.state().open === 0);
    expect(simulator.attempts()).toMatchObject([{ outcome: "client_closed", status: 0, bytes: 0 }]);
  });
});

describe("refuse", () => {
  test("nobody listens for a while; who is in stays in", async () => {
    await withSimulator({ clock: "manual" }, async (simulator) => {
      const staying = await post(simulator, stream, { "x-sim-fault": "queue_for;ms=60000" });
      const struck = rawPost(simulator, stream, { "x-sim-fault": "refuse;forMs=30000" });
      expect((await struck).ending).toBe("reset");
      const refused = { message: "fetch failed", cause: { code: "ECONNREFUSED" } };
      await expect(post(simulator, stream)).rejects.toMatchObject(refused);
      await expect(simulator.fetch(simulator.url)).rejects.toMatchObject(refused);
      await simulator.advance(29_999);
      await expect(post(simulator, stream)).rejects.toMatchObject(refused);
      await simulator.advance(1);
      expect((await fetch(simulator.url)).status).toBe(401);
      const reading = staying.text();
      await simulator.advance(60_000);
      expect(simulator.verifyText(stream, readStream(await reading))).toBe("complete");
      expect(simulator.attempts()[0]).toMatchObject({ fault: "refuse;forMs=30000", outcome: "faulted" });
    });
  });

  test("a reset lets everybody in again", async () => {
    await withSimulator({ clock: "manual" }, async (simulator) => {
      await rawPost(simulator, stream, { "x-sim-fault": "refuse" });
      await expect(fetch(simulator.url)).rejects.toThrow("fetch failed");
      simulator.reset();
      await until(() => simulator.state().open === 0);
      expect((await fetch(simulator.url)).status).toBe(401);
    });
  });
});

test("reset_idle_socket: a whole answer, and a reset for the next request on that connection", async () => {
  await withSimulator({}, async (simulator) => {
    const ask = (fault: string): Promise<Response> =>
      simulator.fetch(`${simulator.url}/chat/completions`, {
        method: "POST",
        headers: headersOf(simulator, { "x-sim-fault": fault }),
        body: JSON.stringify(stream),
      });
    const whole = readStream(await (await ask("reset_idle_socket")).text());
    expect(simulator.verifyText(stream, whole)).toBe("complete");
    await expect(ask("none")).rejects.toMatchObject({
      message: "fetch failed",
      cause: { code: "ECONNRESET" },
    });
    expect((await ask("none")).status).toBe(200);
    expect(simulator.attempts()[0]?.outcome).toBe("completed");
  });
  await withSimulator({}, async (simulator) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (fault: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const headers = headersOf(simulator, { "x-sim-fault": fault });
        httpRequest(`${simulator.url}/chat/completions`, { method: "POST", agent, headers }, (answer) => {
          answer.resume().on("end", () => setImmediate(resolve, answer.statusCode));
        })
          .on("error", reject)
          .end(JSON.stringify(stream));
      });
    expect(await ask("reset_idle_socket")).toBe(200);
    await expect(ask("none")).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(await ask("none")).toBe(200);
    agent.destroy();
  });
});

/** What a caller of `ask` sees: an error with its code, or a body. */
async function seen(ask: Promise<Response>): Promise<unknown> {
  try {
    const answer = await ask;
    return { status: answer.status, type: answer.headers.get("content-type"), body: await answer.text() };
  } catch (error) {
    const { message, cause } = error as Error & { cause?: { code?: string; message?: string } };
    return { message, code: cause?.code, cause: cause?.message?.replace(/:\d+$/, "") };
  }
}

test.each([
  "reset_before_headers",
  "reset_after_headers",
  "reset_mid_stream",
  "reset_mid_chunk",
  "truncate_chunked",
  "cut_at_ms;ms=2000;clean=false",
  "truncate_clean",
  "wrong_content_type",
  "fragment;bytes=5;crlf=true",
  "empty_200",
])("%s looks the same through a socket and without one", async (fault) => {
  await withSimulator({ timeScale: 0.01 }, async (simulator) => {
    // Long enough to be still running when a cut comes.
    const request = chat("Hello", "content=200", { stream: true });
    const headers = { "x-sim-fault": fault, "x-sim-id": "one" };
    const bySocket = await seen(post(simulator, request, headers));
    simulator.reset();
    const without = await seen(
      simulator.fetch(`${simulator.url}/chat/completions`, {
        method: "POST",
        headers: headersOf(simulator, headers),
        body: JSON.stringify(request),
      }),
    );
    expect(without).toEqual(bySocket);
  });
});

/** The whole answer to one request without sockets, on a clock that stands still until it is told to go on. */
async function play(fault: string, by: "rule" | "header", ask: typeof stream): Promise<unknown> {
  const simulator: Simulator = await startSimulator({
    clock: "manual",
    ...(by === "rule" ? { faults: [{ action: fault }] } : {}),
  });
  const leave = new AbortController();
  const headers = by === "header" ? { "x-sim-fault": fault } : {};
  const answer = seen(
    simulator.fetch(`${simulator.url}/chat/completions`, {
      method: "POST",
      headers: headersOf(simulator, headers),
      body: JSON.stringify(ask),
      signal: leave.signal,
    }),
  );
  await simulator.advance(700_000);
  leave.abort(new Error("nothing more will come"));
  const result = { answer: await answer, attempts: simulator.attempts() };
  await simulator.close();
  return result;
}

test.each(faultNames)("%s: a rule and a header do the same, and the same each time", async (fault) => {
  for (const request of [stream, { ...stream, stream: false }]) {
    const first = await play(fault, "rule", request);
    expect(await play(fault, "header", request)).toEqual(first);
    expect(first).toMatchObject({
      attempts: [
        fault === "none" ? { outcome: "completed" } : { fault: expect.stringContaining(fault) as unknown },
      ],
    });
  }
});

test("the catalogue is data: every fault says what it does, when, and with what parameters", () => {
  expect(faults.map((fault) => fault.name)).toEqual(faultNames);
  for (const { summary, params } of faults) {
    expect(summary).toMatch(/^\S.*[^.]$/);
    for (const param of params) expect(["number", "text", "flag"]).toContain(param.kind);
  }
  expect(faults.find((fault) => fault.name === "stall_after")).toEqual({
    name: "stall_after",
    phase: "stream",
    summary: "silent after `tokens` tokens with the connection open, for `ms` or for ever",
    params: [
      { name: "tokens", kind: "number", default: 5 },
      { name: "ms", kind: "number" },
    ],
  });
});
