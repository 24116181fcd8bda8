import { describe, expect, test } from "vitest";

import { bench, essence } from "./fake-fetch.test-help.ts";

const openai = (message: string, type = "invalid_request_error"): string =>
  JSON.stringify({ error: { message, type, param: null, code: "invalid_request_error" } });

const CONCURRENCY =
  "Too many requests. Your current concurrency is 26, which exceeds your concurrency limit of 25 based on your remaining balance. Please top up your balance to restore your concurrency.";
const TOO_LONG =
  "This model's maximum context length is 1048576 tokens. However, you requested 1113093 tokens (729093 in the messages, 384000 in the completion). Please reduce the length of the messages or completion.";
const PAGE = "<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body>openresty</body></html>";
const FLAT = '{"code":50508,"message":"System is too busy now. Please try again later.","data":null}';

const caller = { fault: "caller", retryable: false } as const;
const upstream = { fault: "upstream", retryable: true } as const;
const quota = { code: "QUOTA", fault: "upstream", retryable: false, scope: "account" } as const;

const TABLE: readonly (readonly [what: string, status: number, body: string, expected: object])[] = [
  ["a request that is wrong", 400, openai("Invalid Format"), { code: "INVALID_REQUEST", ...caller }],
  [
    "reasoning not passed back",
    400,
    openai("The `reasoning_content` in the thinking mode must be passed back to the API."),
    { code: "INVALID_REQUEST", ...caller },
  ],
  ["a prompt that is too long", 400, openai(TOO_LONG), { code: "CONTEXT_WINDOW", ...caller, scope: "model" }],
  [
    "a model that is gone",
    400,
    openai("Model Not Exist"),
    { code: "MODEL_NOT_FOUND", ...caller, scope: "model" },
  ],
  [
    "a wrong key",
    401,
    openai("Authentication Fails, Your api key: ****abcd is invalid", "authentication_error"),
    { code: "AUTH", ...caller, scope: "key" },
  ],
  ["a bare 401", 401, "Authentication Fails (governor)", { code: "AUTH", ...caller, scope: "key" }],
  ["a forbidden key", 403, "", { code: "AUTH", ...caller, scope: "key" }],
  ["no money", 402, openai("Insufficient Balance", "unknown_error"), quota],
  [
    "no money that calls itself 429",
    429,
    openai("You exceeded your current quota, please check your plan", "insufficient_quota"),
    quota,
  ],
  [
    "no money that calls itself 403",
    403,
    '{"code":30001,"message":"Sorry, insufficient balance","data":null}',
    quota,
  ],
  [
    "a path that is wrong",
    404,
    "<html><title>404 Not Found</title></html>",
    { code: "INVALID_REQUEST", ...caller },
  ],
  ["a request that is too long", 413, "<html></html>", { code: "INVALID_REQUEST", ...caller }],
  [
    "another media type",
    415,
    openai("Expected request with `Content-Type: application/json`"),
    { code: "INVALID_REQUEST", ...caller },
  ],
  [
    "a shape that is wrong",
    422,
    openai("Failed to deserialize the JSON body into the target type"),
    { code: "INVALID_REQUEST", ...caller },
  ],
  [
    "too many at once",
    429,
    openai(CONCURRENCY, "rate_limit_error"),
    { code: "RATE_LIMIT", fault: "overload", retryable: true, scope: "account", limit: 25 },
  ],
  [
    "too many tokens",
    429,
    openai("Rate limit reached for TPM", "rate_limit_error"),
    { code: "RATE_LIMIT", fault: "overload", retryable: true, scope: "account" },
  ],
  ["an error inside", 500, openai("Internal Server Error", "server_error"), { code: "SERVER", ...upstream }],
  ["a gateway's page", 502, PAGE, { code: "SERVER", ...upstream }],
  [
    "a busy evening",
    503,
    openai("Service is too busy.", "service_unavailable_error"),
    { code: "OVERLOADED", ...upstream },
  ],
  ["SiliconFlow's busy evening", 503, FLAT, { code: "OVERLOADED", ...upstream }],
  ["a gateway that waited", 504, PAGE, { code: "SERVER", ...upstream }],
  ["Cloudflare's origin is down", 521, "error code: 521", { code: "SERVER", ...upstream }],
  [
    "overloaded, by another name",
    529,
    openai("Overloaded", "overloaded_error"),
    { code: "OVERLOADED", ...upstream },
  ],
  ["JSON that is torn", 503, '{"error":{"mess', { code: "OVERLOADED", ...upstream }],
  ["no body at all", 500, "", { code: "SERVER", ...upstream }],
  ["what nobody implements", 501, "", { code: "SERVER", fault: "upstream", retryable: false }],
];

describe("error answers", () => {
  test.each(TABLE)("%s: %i", async (_, status, body, expected) => {
    const { next, outcome } = bench();
    const asked = outcome();
    (await next()).respond(status, body, {
      "content-type": body.startsWith("<") ? "text/html" : "application/json",
    });
    expect(essence(await asked)).toEqual({ status, ...expected });
  });
});

/** The same judgements when the status says 200. */
const EMBEDDED: readonly (readonly [what: string, error: Record<string, unknown>, expected: object])[] = [
  [
    "OpenRouter's status in the code",
    { message: "Rate limited", code: 429, metadata: { provider_name: "x" } },
    { code: "RATE_LIMIT", status: 429 },
  ],
  [
    "a type",
    { message: "sorry", type: "rate_limit_error", code: "invalid_request_error" },
    { code: "RATE_LIMIT", status: 429 },
  ],
  [
    "a busy host's type",
    { message: "sorry", type: "service_unavailable_error" },
    { code: "OVERLOADED", status: 503 },
  ],
  ["a message", { message: "System is too busy now" }, { code: "OVERLOADED", status: 503 }],
  ["no money", { message: "Insufficient Balance", type: "unknown_error" }, { code: "QUOTA", status: 402 }],
  ["a wrong key", { message: "no", type: "authentication_error" }, { code: "AUTH", status: 401 }],
  [
    "the caller's mistake",
    { message: "no", type: "invalid_request_error" },
    { code: "INVALID_REQUEST", status: 400 },
  ],
  ["nothing that is known", { message: "oops", code: "E_OOPS" }, { code: "SERVER", status: 500 }],
];

describe("an error inside of 200 is judged by", () => {
  test.each(EMBEDDED)("%s, in a stream", async (_, error, expected) => {
    const { next, outcome } = bench();
    const asked = outcome({ stream: true });
    const body = (await next()).stream();
    body.push(`: keep-alive\n\ndata: ${JSON.stringify({ error })}\n\n`);
    expect(essence(await asked)).toMatchObject(expected);
  });

  test.each(EMBEDDED)("%s, as a whole body", async (_, error, expected) => {
    const { next, outcome } = bench();
    const asked = outcome();
    (await next()).respond(200, JSON.stringify({ error }));
    expect(essence(await asked)).toMatchObject(expected);
  });
});

test("what the host repeats of the key is taken out", async () => {
  const { next, outcome } = bench({ apiKey: "sk-0123456789abcdef0123456789abcdef" });
  const asked = outcome();
  (await next()).respond(
    401,
    openai("Your api key: sk-0123456789abcdef0123456789abcdef is wrong, so is sk-99999999999999991234"),
  );
  const failed = await asked;
  if (failed.status !== "failed") throw new Error(failed.status);
  const { message, body } = failed.error as { message: string; body: unknown };
  expect(message).toContain("****cdef is wrong, so is ****1234");
  expect(JSON.stringify(body)).not.toContain("0123456789");
  expect(JSON.stringify(failed.error)).not.toContain("0123456789");
});

test.each([
  [CONCURRENCY, "balance"],
  ["Your current concurrency is 26, which exceeds your concurrency limit of 25.", "concurrency"],
  ["Rate limit reached for TPM", "tpm"],
  ["Too many requests per minute", "rpm"],
  ["Slow down", "upstream"],
])("a 429 gives its reason: %s", async (message, reason) => {
  const { next, outcome } = bench();
  const asked = outcome();
  (await next()).respond(429, openai(message));
  expect(await asked).toMatchObject({ status: "failed", error: { code: "RATE_LIMIT", reason } });
});
