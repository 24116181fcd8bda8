import { describe, expect, test } from "vitest";

import { eventsOf, rawPost, readStream, withSimulator } from "../http.test-help.ts";
import { faultNames } from "./catalogue.ts";
import { cutAfterSeven, json, stream, strike } from "./strike.test-help.ts";

describe("statuses", () => {
  test.each([
    [
      "400_context",
      400,
      "This model's maximum context length is 1048576 tokens. However, you requested 1113093 tokens",
    ],
    ["400_model", 400, "Model Not Exist"],
    ["400_reasoning", 400, "The `reasoning_content` in the thinking mode must be passed back"],
    ["401", 401, "Authentication Fails, Your api key: ****0000 is invalid"],
    [
      "402",
      402,
      '{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}',
    ],
    ["404", 404, "<html>\r\n<head><title>404 Not Found</title></head>"],
    ["413", 413, "<center>openresty</center>"],
    ["422", 422, "Failed to deserialize the JSON body into the target type"],
    [
      "429_balance",
      429,
      "Your current concurrency is 26, which exceeds your concurrency limit of 25 based on your remaining balance.",
    ],
    [
      "429_balance;limit=5;current=7",
      429,
      "Your current concurrency is 7, which exceeds your concurrency limit of 5",
    ],
    ["429_tpm", 429, "Rate limit reached for TPM"],
    ["429_plain", 429, '"type":"rate_limit_error"'],
    [
      "500",
      500,
      '{"error":{"message":"Internal Server Error","type":"server_error","param":null,"code":"server_error"}}',
    ],
    ["502_html", 502, "<title>502 Bad Gateway</title>"],
    [
      "503",
      503,
      "Service is too busy. We advise users to temporarily switch to alternative LLM API service providers.",
    ],
    [
      "503_flat",
      503,
      '{"code":50508,"message":"System is too busy now. Please try again later.","data":null}',
    ],
    ["504_html", 504, "<html>\r\n<head><title>504 Gateway Time-out</title></head>"],
    ["status;code=529;body=busy;type=text/plain", 529, "busy"],
  ])("%s", async (fault, status, body) => {
    await strike(fault, stream, (answer, _simulator, attempt) => {
      expect(answer.status).toBe(status);
      expect(answer.body).toContain(body);
      expect(answer.headers["content-length"]).toBe(String(answer.body.length));
      expect(answer.headers["retry-after"]).toBeUndefined();
      expect(attempt).toMatchObject({ status, outcome: "rejected", tokensGenerated: 0, billedUsd: 0 });
    });
  });

  test.each([
    ["503;retryAfter=7", 503, { "retry-after": "7" }],
    ["429_plain;retryAfter=-1", 429, { "retry-after": "-1" }],
    ["retry_after;seconds=99999", 429, { "retry-after": "99999" }],
    ["retry_after;seconds=garbage;status=503", 503, { "retry-after": "garbage" }],
    [
      "retry_after;date=Wed, 21 Oct 2015 07:28:00 GMT",
      429,
      { "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT" },
    ],
    ["retry_after;ms=50", 429, { "retry-after-ms": "50" }],
  ])("%s sends the header as it is written", async (fault, status, headers) => {
    await strike(fault, stream, (answer) => {
      expect(answer.status).toBe(status);
      expect(answer.headers).toMatchObject(headers);
    });
  });
});

describe("before the first token", () => {
  test.each([
    ["a stream", stream, ": keep-alive\n\n"],
    ["a JSON request", json, "\n"],
  ])("queue_for: keep-alives, then the whole answer, for %s", async (_name, request, keepAlive) => {
    await strike("queue_for;ms=30000", request, (answer, _simulator, attempt) => {
      expect(answer.status).toBe(200);
      expect(attempt.keepAlives).toBeGreaterThanOrEqual(2);
      const rest = answer.body.slice(keepAlive.length * attempt.keepAlives);
      expect(answer.body).toBe(keepAlive.repeat(attempt.keepAlives) + rest);
      expect(rest.startsWith(keepAlive)).toBe(false);
      expect(attempt).toMatchObject({ outcome: "completed", tokensGenerated: 10, tokensWritten: 10 });
      expect((attempt.tStarted ?? 0) - (attempt.tQueued ?? 0)).toBeGreaterThanOrEqual(30_000);
    });
  });

  test("queue_for beyond the queue timeout ends cleanly without an answer", async () => {
    await strike("queue_for;ms=700000", stream, (answer, _simulator, attempt) => {
      expect(answer.ending).toBe("end");
      // Joined: a reader that was busy gets two at once.
      expect(answer.chunks.join("").replaceAll(": keep-alive\n\n", "")).toBe("");
      expect(attempt).toMatchObject({ outcome: "queue_timeout", billedUsd: 0 });
      expect(attempt.keepAlives).toBeGreaterThan(10);
    });
  });

  test("queue_forever: keep-alives until the client leaves", async () => {
    const enough = (received: string): boolean => received.split(": keep-alive").length > 5;
    await strike(
      "queue_forever",
      stream,
      (answer, _simulator, attempt) => {
        expect(answer.ending).toBe("open");
        expect(attempt).toMatchObject({ outcome: "client_closed", tokensGenerated: 0 });
      },
      enough,
    );
  });

  test("slow_first_token: the headers at once, the tokens late, in silence", async () => {
    await strike("slow_first_token;ms=40000", stream, (answer, simulator, attempt) => {
      expect(answer.body).not.toContain("keep-alive");
      expect(readStream(answer.body)).toMatchObject({
        content: simulator.expectedText(stream).content,
        done: true,
      });
      expect((attempt.tFirstToken ?? 0) - (attempt.tStarted ?? 0)).toBeGreaterThanOrEqual(40_000);
      expect(attempt.outcome).toBe("completed");
    });
  });

  test("slow_first_token with keep-alives", async () => {
    await strike("slow_first_token;ms=40000;keepAlive=true", stream, (answer) => {
      expect(answer.body.startsWith(": keep-alive\n\n")).toBe(true);
    });
  });

  test("reset_before_headers", async () => {
    await strike("reset_before_headers", stream, (answer, _simulator, attempt) => {
      expect(answer).toMatchObject({ status: 0, ending: "reset" });
      expect(attempt.outcome).toBe("faulted");
    });
  });

  test("empty_200", async () => {
    await strike("empty_200", json, (answer) =>
      expect(answer).toMatchObject({ status: 200, body: "", ending: "end" }),
    );
  });

  test("blank_then_eof and keepalive_then_eof", async () => {
    await strike("blank_then_eof;n=4", json, (answer) => {
      expect(answer).toMatchObject({ status: 200, chunks: ["\n", "\n", "\n", "\n"], ending: "end" });
    });
    await strike("keepalive_then_eof;n=2", stream, (answer) => {
      expect(answer).toMatchObject({ body: ": keep-alive\n\n: keep-alive\n\n", ending: "end" });
    });
  });
});

describe("in the middle of a stream", () => {
  test("stall_after: silent, open, the slot given back", async () => {
    await withSimulator({}, async (simulator) => {
      const seven = (received: string): boolean => received.split("data: ").length > 8;
      const answer = await rawPost(simulator, stream, { "x-sim-fault": "stall_after;tokens=7" }, seven);
      cutAfterSeven(answer, simulator);
      await expect.poll(() => simulator.attempts()[0]?.outcome, { interval: 1 }).toBe("client_closed");
      expect(simulator.attempts()[0]).toMatchObject({ tokensWritten: 7, fault: "stall_after;tokens=7" });
    });
  });

  test("stall_after with ms goes on", async () => {
    await strike("stall_after;tokens=7;ms=5000", stream, (answer, simulator, attempt) => {
      expect(simulator.verifyText(stream, readStream(answer.body))).toBe("complete");
      expect(attempt.outcome).toBe("completed");
    });
  });

  test("truncate_clean", async () => {
    await strike("truncate_clean;tokens=7", stream, (answer, simulator, attempt) => {
      expect(answer.ending).toBe("end");
      cutAfterSeven(answer, simulator);
      expect(attempt).toMatchObject({ outcome: "faulted", tokensGenerated: 7, tokensWritten: 7 });
      expect(attempt.billedUsd).toBeGreaterThan(0);
    });
  });

  test("reset_mid_stream: what was written arrives before the reset", async () => {
    await strike("reset_mid_stream;afterTokens=7", stream, (answer, simulator) => {
      expect(answer.ending).toBe("reset");
      cutAfterSeven(answer, simulator);
    });
  });

  test("garbage_then_eof", async () => {
    await strike("garbage_then_eof;tokens=7", stream, (answer, simulator) => {
      expect(answer.body.endsWith("\n\nupstream error: read ECONNRESET\n")).toBe(true);
      expect(answer.ending).toBe("end");
      cutAfterSeven(answer, simulator);
    });
  });

  test("malformed_event takes the place of one token: a reader who skips it has lost something", async () => {
    await strike("malformed_event;tokens=7", stream, (answer, simulator, attempt) => {
      expect(answer.body).toContain("\n\ndata: {not json\n\n");
      expect(readStream(answer.body)).toMatchObject({ finish: "stop", done: true });
      expect(simulator.verifyText(stream, readStream(answer.body))).toBe("wrong");
      expect(attempt).toMatchObject({ outcome: "faulted", tokensGenerated: 10, tokensWritten: 9 });
    });
  });

  test("error_event", async () => {
    const fault = "error_event;tokens=7;type=rate_limit_error;code=429;message=Slow down";
    await strike(fault, stream, (answer, simulator) => {
      expect(eventsOf(answer.body).at(-1)).toBe(
        'data: {"error":{"message":"Slow down","type":"rate_limit_error","param":null,"code":"429"}}',
      );
      expect(answer.ending).toBe("end");
      cutAfterSeven(answer, simulator);
    });
  });

  test("isr at once and after some tokens", async () => {
    await strike("isr", stream, (answer, _simulator, attempt) => {
      expect(readStream(answer.body)).toEqual({
        content: "",
        reasoning: "",
        finish: "insufficient_system_resource",
        done: true,
      });
      expect(attempt).toMatchObject({
        outcome: "faulted",
        finish: "insufficient_system_resource",
        tokensGenerated: 0,
      });
    });
    await strike("isr;tokens=7", stream, (answer) => {
      expect(readStream(answer.body)).toMatchObject({ finish: "insufficient_system_resource", done: true });
      expect(answer.body).toContain('"completion_tokens":7');
    });
  });

  test("a cut that is set for after the end strikes before the last token", async () => {
    await strike("truncate_clean;tokens=1000", stream, (answer, _simulator, attempt) => {
      expect(readStream(answer.body)).toMatchObject({ finish: null, done: false });
      expect(attempt.tokensWritten).toBe(9);
    });
  });
});

describe("at the end", () => {
  test("no_done: whole, but for [DONE]", async () => {
    await strike("no_done", stream, (answer, simulator, attempt) => {
      expect(readStream(answer.body)).toMatchObject({ finish: "stop", done: false });
      expect(simulator.verifyText(stream, readStream(answer.body))).toBe("complete");
      expect(attempt.outcome).toBe("completed");
    });
  });

  test("empty_content", async () => {
    await strike("empty_content", stream, (answer) => {
      expect(readStream(answer.body)).toEqual({ content: "", reasoning: "", finish: "stop", done: true });
    });
    await strike("empty_content", json, (answer) => expect(answer.body).toContain('"content":""'));
  });
});

describe("a JSON answer is cut in its own way", () => {
  const isJson = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };

  test.each([
    ["truncate_clean;tokens=7", "end", /^\{"id":"/, false],
    ["reset_mid_stream;tokens=7", "reset", /^\{"id":"/, false],
    ["garbage_then_eof", "end", /^upstream error: read ECONNRESET\n$/, false],
    ["malformed_event", "end", /^\{not json$/, false],
    ["error_event", "end", /^\{"error":\{"message":"Internal Server Error"/, true],
    ["isr;tokens=7", "end", /"finish_reason":"insufficient_system_resource"/, true],
    ["no_done", "end", /"finish_reason":"stop"/, true],
  ])("%s", async (fault, ending, body, parses) => {
    await strike(fault, json, (answer) => {
      expect(answer).toMatchObject({ status: 200, ending });
      expect(answer.body).toMatch(body);
      expect(isJson(answer.body)).toBe(parses);
    });
  });
});

test("every fault has a summary, and `none` is a healthy answer", async () => {
  expect(faultNames).toContain("stall_after");
  await withSimulator({}, async (simulator) => {
    const answer = await rawPost(simulator, stream, { "x-sim-fault": "none" });
    expect(simulator.verifyText(stream, readStream(answer.body))).toBe("complete");
    expect(simulator.attempts()[0]?.fault).toBeUndefined();
  });
});
