import { expect, test } from "vitest";

import { chat, eventsOf, post, rawPost, readStream, until, withSimulator } from "../http.test-help.ts";
import { cutAfterSeven, json, stream, strike } from "./strike.test-help.ts";

test("slow_headers: nothing for a while, then the usual course", async () => {
  await strike("slow_headers;ms=20000", stream, (answer, simulator, attempt) => {
    expect(simulator.verifyText(stream, readStream(answer.body))).toBe("complete");
    expect((attempt.tStarted ?? 0) - attempt.tReceived).toBeGreaterThanOrEqual(20_000);
    expect(attempt.tQueued).toBeUndefined();
    expect(attempt.outcome).toBe("completed");
  });
});

test("slow_drip: one token per gap", async () => {
  await strike("slow_drip;gapMs=10000", stream, (answer, _simulator, attempt) => {
    expect(readStream(answer.body).done).toBe(true);
    // Ten tokens have nine gaps.
    expect(attempt.tEnded - (attempt.tFirstToken ?? 0)).toBeCloseTo(90_000);
    expect(attempt.outcome).toBe("completed");
  });
});

test("stall_with_keepalive: comments, and no token any more", async () => {
  const enough = (received: string): boolean => received.split("\n: keep-alive").length > 3;
  const check: Parameters<typeof strike>[2] = (answer, simulator, attempt) => {
    cutAfterSeven(answer, simulator);
    expect(answer.body.split("data: ").at(-1)).toMatch(/^[^\n]+(?:\n\n: keep-alive){3}/);
    expect(attempt).toMatchObject({ outcome: "client_closed", tokensWritten: 7, tokensGenerated: 7 });
    expect(attempt.keepAlives).toBeGreaterThanOrEqual(3);
  };
  await strike("stall_with_keepalive;tokens=7", stream, check, enough);
  await strike("stall_with_keepalive;tokens=7;ms=30000", stream, (answer, simulator, attempt) => {
    expect(simulator.verifyText(stream, readStream(answer.body))).toBe("complete");
    expect(attempt.keepAlives).toBeGreaterThan(0);
  });
});

test("cut_at_ms: a clean end at that age, or none", async () => {
  const long = chat("Hello", "content=3000", { stream: true });
  await strike("cut_at_ms;ms=10000", long, (answer) => {
    expect(answer.ending).toBe("end");
    expect(readStream(answer.body)).toMatchObject({ finish: null, done: false });
  });
  await withSimulator({ clock: "manual" }, async (simulator) => {
    const answer = rawPost(simulator, chat("Hello"), { "x-sim-fault": "cut_at_ms;ms=5;clean=false" });
    await until(() => simulator.state().open === 1);
    await simulator.advance(5);
    expect((await answer).ending).toBe("fin");
    expect(simulator.attempts()).toMatchObject([{ tReceived: 0, tEnded: 5, outcome: "faulted", status: 0 }]);
  });
});

test("fragment: the same bytes in pieces, with CRLF if wanted", async () => {
  let healthy = "";
  await strike("model_swap;to=deepseek-flash", stream, (answer) => void (healthy = answer.body));
  await strike("fragment;bytes=3", stream, (answer, simulator, attempt) => {
    expect(Math.max(...answer.chunks.map((chunk) => chunk.length))).toBe(3);
    expect(answer.body).toBe(healthy);
    expect(simulator.verifyText(stream, readStream(answer.body))).toBe("complete");
    expect(attempt).toMatchObject({ outcome: "completed", bytes: healthy.length });
  });
  await strike("fragment;bytes=1..7;crlf=true", stream, (answer, _simulator, attempt) => {
    expect(answer.body).toBe(healthy.replaceAll("\n", "\r\n"));
    expect(attempt.fault).toMatch(/^fragment;bytes=[1-7];crlf=true$/);
  });
  await strike("fragment;bytes=7", json, (answer) =>
    expect(JSON.parse(answer.body)).toHaveProperty("choices"),
  );
});

test("duplicate_chunk: one event twice", async () => {
  await strike("duplicate_chunk;tokens=7", stream, (answer, simulator, attempt) => {
    const events = eventsOf(answer.body);
    expect(events[8]).toBe(events[9]);
    expect(events).toHaveLength(1 + 10 + 1 + 1 + 1);
    expect(simulator.verifyText(stream, readStream(answer.body))).toBe("wrong");
    expect(attempt).toMatchObject({ outcome: "faulted", tokensGenerated: 10 });
  });
});

test("reorder: two events change places, also when the fault is set for after the end", async () => {
  for (const [fault, at] of [
    ["reorder;tokens=7", 7],
    ["reorder;tokens=1000", 8],
  ] as const) {
    await strike(fault, stream, (answer, simulator, attempt) => {
      const words = simulator.expectedText(stream).content.split(" ");
      const swapped = [...words];
      [swapped[at - 4], swapped[at - 3]] = [words[at - 3] as string, words[at - 4] as string];
      expect(readStream(answer.body)).toMatchObject({ content: swapped.join(" "), done: true });
      expect(attempt.outcome).toBe("faulted");
    });
  }
  // One token cannot change places with anything.
  await strike("reorder", chat("Hello", "reasoning=0,content=1", { stream: true }), (answer, _s, attempt) => {
    expect(readStream(answer.body)).toMatchObject({ finish: "stop", done: true });
    expect(attempt.outcome).toBe("completed");
  });
});

test("big_event: one delta of that many bytes", async () => {
  await strike("big_event;tokens=7;bytes=300000", stream, (answer, _simulator, attempt) => {
    const content = readStream(answer.body).content.split(" ");
    expect(content[3]).toBe("x".repeat(299_999));
    expect(content).toHaveLength(6);
    expect(attempt).toMatchObject({ outcome: "faulted", tokensWritten: 10 });
  });
});

test("malformed_json: a body that breaks off, and in a stream an event", async () => {
  await strike("malformed_json;bytes=50", json, (answer, _simulator, attempt) => {
    expect(answer).toMatchObject({ status: 200, ending: "end" });
    expect(answer.body).toMatch(/^\{"id":".{43}$/);
    expect(attempt.outcome).toBe("faulted");
  });
  await strike("malformed_json;tokens=7;bytes=50", stream, (answer) => {
    expect(eventsOf(answer.body)[8]).toMatch(/^data: \{"id":".{43}$/);
    expect(readStream(answer.body).done).toBe(true);
  });
});

test("wrong_content_type: the right body under the other type", async () => {
  await strike("wrong_content_type", stream, (answer, simulator) => {
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(simulator.verifyText(stream, readStream(answer.body))).toBe("complete");
  });
  await strike("wrong_content_type", json, (answer) => {
    expect(answer.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
    expect(JSON.parse(answer.body)).toHaveProperty("usage");
  });
});

test("json_instead_of_sse", async () => {
  await strike("json_instead_of_sse", stream, (answer, simulator, attempt) => {
    expect(answer.headers["content-type"]).toBe("application/json");
    const { choices } = JSON.parse(answer.body) as { choices: [{ message: { content: string } }] };
    expect(simulator.verifyText(stream, choices[0].message.content)).toBe("complete");
    expect(attempt).toMatchObject({ stream: true, outcome: "completed" });
  });
});

test("model_swap and usage_missing", async () => {
  await strike("model_swap", stream, (answer) => {
    expect(answer.body.split('"model":"deepseek-v4-flash"')).toHaveLength(1 + 12);
    expect(answer.body).not.toContain('"deepseek-flash"');
  });
  const counted = { ...stream, stream_options: { include_usage: true } };
  await strike("usage_missing", counted, (answer) => {
    expect(answer.body).not.toContain("prompt_tokens");
    expect(answer.body).toContain('"usage":null');
    expect(readStream(answer.body)).toMatchObject({ finish: "stop", done: true });
  });
  await strike("usage_missing", json, (answer) =>
    expect(JSON.parse(answer.body)).not.toHaveProperty("usage"),
  );
});

test("done_no_finish: [DONE], and no reason", async () => {
  await strike("done_no_finish", stream, (answer, simulator) => {
    expect(readStream(answer.body)).toMatchObject({ finish: null, done: true });
    expect(simulator.verifyText(stream, readStream(answer.body))).toBe("complete");
  });
  await strike("done_no_finish", json, (answer) => expect(answer.body).toContain('"finish_reason":null'));
});

test.each([
  ["content_filter;tokens=7", "content_filter", 7, 3],
  ["aborted;tokens=7", "aborted", 7, 3],
  ["reasoning_only", "stop", 4, 0],
  ["length_no_content", "length", 10, 0],
  ["json_whitespace;n=30", "length", 34, 30],
  ["empty_content", "stop", 0, 0],
])("%s ends in perfect order", async (fault, finish, generated, contentTokens) => {
  await strike(fault, stream, (answer, _simulator, attempt) => {
    const got = readStream(answer.body);
    expect(got).toMatchObject({ finish, done: true });
    expect(got.content.split(/(?=[ \n])/).filter((word) => word !== "")).toHaveLength(contentTokens);
    expect(answer.body).toContain(`"completion_tokens":${generated},`);
    expect(attempt).toMatchObject({ outcome: "faulted", finish, tokensGenerated: generated });
  });
  await strike(fault, json, (answer) => expect(answer.body).toContain(`"finish_reason":"${finish}"`));
});

test("json_whitespace is nothing but white space", async () => {
  await withSimulator({}, async (simulator) => {
    const answer = await post(simulator, json, { "x-sim-fault": "json_whitespace" });
    const { choices } = (await answer.json()) as { choices: [{ message: { content: string } }] };
    expect(choices[0].message.content).toMatch(/^\s{200}$/);
  });
});

test("truncate_in_tool_call: without tools, in the middle of the content", async () => {
  await strike("truncate_in_tool_call", stream, (answer, simulator) => {
    expect(answer.ending).toBe("end");
    cutAfterSeven(answer, simulator);
  });
});

test("status sends headers as they are written", async () => {
  await strike("status;code=429;headers=x-a: b|retry-after: 7|no header", stream, (answer) => {
    expect(answer).toMatchObject({ status: 429, headers: { "x-a": "b", "retry-after": "7" } });
  });
});
