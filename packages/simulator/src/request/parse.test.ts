import { describe, expect, test } from "vitest";

import { chat, post, withSimulator } from "../http.test-help.ts";
import type { Simulator } from "../index.ts";

interface ErrorBody {
  error: { message: string; type: string; param: null; code: string };
}

async function refusal(
  simulator: Simulator,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<ErrorBody["error"] & { status: number }> {
  const response = await post(simulator, body, headers);
  expect(response.headers.get("content-length")).not.toBeNull();
  return { status: response.status, ...((await response.json()) as ErrorBody).error };
}

describe("errors have the status and the body of the API", () => {
  const cases: readonly [
    name: string,
    body: unknown,
    headers: Record<string, string>,
    status: number,
    message: RegExp,
  ][] = [
    [
      "no key",
      chat("a"),
      { authorization: "" },
      401,
      /^Authentication Fails \(auth header format should be Bearer sk-\.\.\.\)$/,
    ],
    [
      "an unknown key",
      chat("a"),
      { authorization: "Bearer sk-wrong-abcd" },
      401,
      /^Authentication Fails, Your api key: \*\*\*\*abcd is invalid$/,
    ],
    ["no JSON", "{not json", {}, 400, /^Failed to parse the request body as JSON: /],
    ["an empty body", "", {}, 400, /^Failed to parse the request body as JSON: EOF while parsing a value/],
    ["a list", "[]", {}, 400, /^Failed to deserialize the JSON body into the target type: /],
    [
      "another content type",
      chat("a"),
      { "content-type": "text/plain" },
      415,
      /Content-Type: application\/json/,
    ],
    ["no messages", { model: "deepseek-flash" }, {}, 400, /missing field `messages`/],
    ["empty messages", { model: "deepseek-flash", messages: [] }, {}, 400, /Empty input messages/],
    [
      "an unknown role",
      { model: "deepseek-flash", messages: [{ role: "robot", content: "a" }] },
      {},
      400,
      /messages\[0\]\.role: unknown variant `robot`/,
    ],
    ["a retired model", { ...chat("a"), model: "deepseek-chat" }, {}, 400, /^Model Not Exist$/],
    [
      "max_tokens out of range",
      chat("a", undefined, { max_tokens: 0 }),
      {},
      400,
      /valid range of max_tokens/,
    ],
    [
      "more than the context holds",
      chat("x".repeat(2_400_000), undefined, { max_tokens: 384_000 }),
      {},
      400,
      /maximum context length is 1048576 tokens\. However, you requested 1104004 tokens \(720004 in the messages, 384000 in the completion\)/,
    ],
    [
      "tool_choice required in thinking",
      { ...chat("a"), tools: [], tool_choice: "required" },
      {},
      400,
      /thinking mode/,
    ],
    [
      "a prefix outside of beta",
      {
        ...chat("a"),
        messages: [
          { role: "user", content: "a" },
          { role: "assistant", content: "b", prefix: true },
        ],
      },
      {},
      400,
      /prefix/,
    ],
    [
      "a tool turn without its reasoning",
      {
        ...chat("a"),
        messages: [
          { role: "user", content: "a" },
          { role: "assistant", content: null, tool_calls: [{ id: "c" }] },
          { role: "tool", tool_call_id: "c", content: "b" },
        ],
      },
      {},
      400,
      /^The `reasoning_content` in the thinking mode must be passed back to the API\.$/,
    ],
    [
      "a wrong x-sim-tokens",
      chat("a"),
      { "x-sim-tokens": "content=many" },
      400,
      /write reasoning=<tokens>,content=<tokens>/,
    ],
    [
      "a wrong x-sim-fault",
      chat("a"),
      { "x-sim-fault": "stall;tokens=5" },
      400,
      /got "stall"; allowed is one of .*stall_after/,
    ],
  ];

  test.each(cases)("%s", async (_name, body, headers, status, message) => {
    await withSimulator({}, async (simulator) => {
      const error = await refusal(simulator, body, headers);
      expect(error.status).toBe(status);
      expect(error.message).toMatch(message);
      // The server goes on.
      expect((await post(simulator, chat("still there"))).status).toBe(200);
    });
  });
});

test("the checks stand in the order of the API: key, JSON, model, parameters, balance, concurrency", async () => {
  const accounts = [
    { keys: ["sk-poor"], balanceUsd: 0, concurrency: 0 },
    { keys: ["sk-full"], concurrency: 0 },
  ];
  await withSimulator({ accounts }, async (simulator) => {
    const poor = { authorization: "Bearer sk-poor" };
    const wrongParameter = chat("a", undefined, { max_tokens: 0 });
    expect((await refusal(simulator, "{", { authorization: "Bearer sk-no" })).status).toBe(401);
    expect((await refusal(simulator, "{", poor)).message).toMatch(/parse/);
    expect((await refusal(simulator, { ...wrongParameter, model: "nope" }, poor)).message).toBe(
      "Model Not Exist",
    );
    expect((await refusal(simulator, wrongParameter, poor)).message).toMatch(/max_tokens/);
    expect(await refusal(simulator, chat("a"), poor)).toMatchObject({
      status: 402,
      message: "Insufficient Balance",
      type: "unknown_error",
    });
    expect(await refusal(simulator, chat("a"), { authorization: "Bearer sk-full" })).toMatchObject({
      status: 429,
      type: "rate_limit_error",
      code: "invalid_request_error",
      message: "Too many requests. Your current concurrency is 1, which exceeds your concurrency limit of 0.",
    });
    expect(simulator.attempts().map((attempt) => attempt.outcome)).toEqual(
      Array.from({ length: 6 }, () => "rejected"),
    );
  });
});

test("a limit that shrinks with the balance says so, and names both numbers", async () => {
  const accounts = [{ balanceUsd: 1, balanceScaling: { perUsd: 0, minLimit: 1 } }];
  await withSimulator({ accounts }, async (simulator) => {
    const waiting = post(simulator, chat("a"), { "x-sim-fault": "queue_forever" });
    const response = await waiting;
    expect((await refusal(simulator, chat("b"))).message).toBe(
      "Too many requests. Your current concurrency is 2, which exceeds your concurrency limit of 1 based on your remaining balance. Please top up your balance to restore your concurrency.",
    );
    await response.body?.cancel();
  });
});

test("a body above 32 MiB gets the page of the edge, and the connection stays usable", async () => {
  await withSimulator({}, async (simulator) => {
    const response = await post(simulator, `"${"x".repeat(32 * 1024 * 1024)}"`);
    expect(response.status).toBe(413);
    expect(await response.text()).toContain("<center>openresty</center>");
    expect((await post(simulator, chat("a"))).status).toBe(200);
  });
});

test("other places: models, balance, the bare host, nowhere", async () => {
  await withSimulator({ accounts: [{ balanceUsd: 110 }] }, async (simulator) => {
    const get = (path: string, key = simulator.key): Promise<Response> =>
      fetch(simulator.url + path, { headers: { authorization: `Bearer ${key}` } });
    expect(await (await get("/models")).json()).toEqual({
      object: "list",
      data: [
        { id: "deepseek-flash", object: "model", owned_by: "deepseek" },
        { id: "deepseek-v4-pro", object: "model", owned_by: "deepseek" },
      ],
    });
    expect(await (await get("/user/balance")).json()).toEqual({
      is_available: true,
      balance_infos: [
        { currency: "USD", total_balance: "110.00", granted_balance: "0.00", topped_up_balance: "110.00" },
      ],
    });
    expect((await get("/user/balance", "sk-no")).status).toBe(401);
    const bare = await get("/");
    expect([bare.status, (await bare.text()).length]).toEqual([401, 31]);
    const nowhere = await get("/v2/chat");
    expect(nowhere.status).toBe(404);
    expect(await nowhere.text()).toMatch(/^<html>\r\n<head><title>404 Not Found<\/title>/);
    expect((await get("/v1/models")).status).toBe(200);
  });
});

test("whatever stands in a field, the answer is 200 or 400 and the server goes on", async () => {
  const fields = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "thinking",
    "max_tokens",
    "tools",
    "tool_choice",
    "user_id",
    "metadata",
    "temperature",
    "stop",
  ];
  const odd = [
    null,
    true,
    0,
    -1,
    1e21,
    "",
    "x",
    [],
    [null],
    [[]],
    {},
    { sim: null },
    { sim: 5 },
    { sim: { content: -1 } },
    { type: "x" },
    { include_usage: "y" },
  ];
  const messages = odd.flatMap((value) => [
    value,
    { role: value },
    { role: "user", content: value },
    { role: "assistant", tool_calls: value, content: null, reasoning_content: value },
    { role: "assistant", content: "a", prefix: value },
  ]);
  await withSimulator({ clock: "manual", accounts: [{ balanceUsd: 1e6 }] }, async (simulator) => {
    const ask = (body: unknown): Promise<Response> =>
      simulator.fetch(`${simulator.url}/beta/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${simulator.key}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    const bodies = [
      ...fields.flatMap((field) => odd.map((value) => ({ ...chat("a", "content=1"), [field]: value }))),
      ...messages.map((message) => ({
        ...chat("a", "content=1"),
        messages: [{ role: "user", content: "a" }, message],
      })),
    ];
    const answers = bodies.map(ask);
    await simulator.advance(600_000);
    const statuses = await Promise.all(answers.map(async (answer) => (await answer).status));
    expect(new Set(statuses)).toEqual(new Set([200, 400]));
  });
});
