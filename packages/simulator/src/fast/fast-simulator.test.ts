import { connect } from "node:net";

import { expect, test } from "vitest";

import { readStream, until } from "../http.test-help.ts";
import { startFastSimulator, type FastOptions, type FastSimulator } from "../index.ts";
import { createRequestReader } from "./requests.ts";

async function withFast(options: FastOptions, use: (fast: FastSimulator) => Promise<void>): Promise<void> {
  const fast = await startFastSimulator(options);
  try {
    await use(fast);
  } finally {
    await fast.close();
  }
}

const post = (fast: FastSimulator, body: string): Promise<Response> =>
  fetch(`${fast.url}/v1/chat/completions`, { method: "POST", body });

test("JSON and streams in the shapes of the API, one after the other on a connection", async () => {
  await withFast({ tokens: 7, tokensPerSecond: 1000, tickMs: 1 }, async (fast) => {
    const answer = (await (await post(fast, '{"stream":false}')).json()) as {
      usage: unknown;
      choices: unknown[];
    };
    expect(answer).toMatchObject({
      object: "chat.completion",
      choices: [{ message: { content: " token".repeat(7) }, finish_reason: "stop" }],
      usage: { completion_tokens: 7 },
    });
    const streamed = await post(
      fast,
      JSON.stringify({ messages: [{ content: "x".repeat(200_000) }], stream: true }),
    );
    expect(streamed.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const text = await streamed.text();
    expect(readStream(text)).toEqual({
      content: " token".repeat(7),
      reasoning: "",
      finish: "stop",
      done: true,
    });
    expect((await post(fast, "{}")).status).toBe(200);
    expect((await fetch(`${fast.url}/models`)).status).toBe(404);
    expect(fast.served).toBe(4);
  });
});

test("a client that leaves is forgotten; requests behind a stream wait for its end", async () => {
  await withFast({ tokens: 5, tokensPerSecond: 500, tickMs: 1 }, async (fast) => {
    const socket = connect(fast.port, "127.0.0.1");
    let received = "";
    socket.on("data", (part) => (received += part.toString()));
    const ask = (body: string): string =>
      `POST /chat/completions HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    socket.write(ask('{"stream":true}') + ask("{}"));
    await until(() => received.includes('"chat.completion"'));
    expect(received.indexOf("[DONE]")).toBeLessThan(received.indexOf('"chat.completion"'));
    socket.destroy();
  });
  await withFast({ tokens: 5, tokensPerSecond: 0.001 }, async (fast) => {
    const answer = await post(fast, '{"stream": true}');
    expect(fast.streaming).toBe(1);
    await answer.body?.cancel();
    await until(() => fast.streaming === 0);
  });
});

test("a request may come in any pieces", () => {
  const body = '{"messages":[],"stream" : true}';
  const bytes = Buffer.from(
    `POST /beta/chat/completions HTTP/1.1\r\nHost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}` +
      `GET /models HTTP/1.1\r\n\r\nPOST /chat/completions HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}`,
  );
  for (let size = 1; size <= bytes.length; size++) {
    const found: string[] = [];
    const reader = createRequestReader((request) => found.push(request));
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    expect(found).toEqual(["stream", "unknown", "json"]);
  }
});

test.each([
  ["POST /chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "unreadable"],
  ["POST /chat/completions HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n", "tooLarge"],
  ["x".repeat(70_000), "unreadable"],
])("what it cannot serve is the last thing it reads: %.40s", (text, kind) => {
  const found: string[] = [];
  const reader = createRequestReader((request) => found.push(request));
  reader.push(Buffer.from(text));
  reader.push(Buffer.from("POST /chat/completions HTTP/1.1\r\n\r\n"));
  expect(found).toEqual([kind]);
});

test("bad options and a taken port are refused", async () => {
  await expect(startFastSimulator({ tokens: -1 })).rejects.toThrow("tokens: got -1");
  await expect(startFastSimulator({ seed: 1 } as FastOptions)).rejects.toThrow('unknown field "seed"');
  await withFast({}, async ({ port }) => {
    await expect(startFastSimulator({ port })).rejects.toThrow(/is in use/);
  });
});
