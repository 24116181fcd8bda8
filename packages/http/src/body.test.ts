import { describe, expect, test } from "vitest";

import { problemOfBody, problemOfParser } from "./body.ts";
import { listener, serve } from "./server.test-help.ts";

describe("a body that a route could do nothing with", () => {
  async function look(init: RequestInit, read = false) {
    let code: string | undefined;
    const { listen } = listener(async (req, res) => {
      if (read) for await (const _ of req);
      code = problemOfBody(req)?.problem.code;
      res.end();
    });
    const { url } = await serve(listen);
    await fetch(url, init);
    return code;
  }
  const body = "{}";

  test("is of a type that nobody reads", async () => {
    expect(await look({ method: "POST", body, headers: { "content-type": "text/plain" } })).toBe(
      "UNSUPPORTED_MEDIA_TYPE",
    );
  });

  test("is missing", async () => {
    expect(await look({ method: "POST" })).toBe("BODY_MISSING");
  });

  test.each([
    [
      "JSON that was left unread is our mistake",
      { method: "POST", body, headers: { "content-type": "application/json" } },
      false,
    ],
    [
      "and so is any other kind of JSON",
      { method: "POST", body, headers: { "content-type": "application/ld+json; v=1" } },
      false,
    ],
    [
      "what was read is not to blame",
      { method: "POST", body, headers: { "content-type": "text/plain" } },
      true,
    ],
    ["a GET has no body", { method: "GET" }, false],
  ])("%s", async (_, init, read) => {
    expect(await look(init, read)).toBeUndefined();
  });
});

describe("what body parsers complain about", () => {
  test.each([
    ["entity.parse.failed", 400, "MALFORMED_BODY"],
    ["entity.too.large", 413, "ENTITY_TOO_LARGE"],
    ["charset.unsupported", 415, "CHARSET_UNSUPPORTED"],
  ])("%s is a clear %d", (type, status, code) => {
    const error = Object.assign(new SyntaxError("Unexpected token: my prompt"), {
      type,
      status,
      body: "my prompt",
    });
    const found = problemOfParser(error)!;
    expect(found.problem).toMatchObject({ status, code });
    expect(JSON.stringify(found)).not.toContain("prompt");
  });

  test("JSON that is none has no type where Koa's parsers found it", () => {
    const error = Object.assign(new SyntaxError("Unexpected token: my prompt"), {
      status: 400,
      body: "my prompt",
    });
    expect(problemOfParser(error)?.problem).toMatchObject({ status: 400, code: "MALFORMED_BODY" });
    expect(JSON.stringify(problemOfParser(error))).not.toContain("prompt");
  });

  test.each([
    ["a SyntaxError of the application's", Object.assign(new SyntaxError("mine"), { status: 400 })],
    ["an error without a type", Object.assign(new Error("mine"), { status: 404 })],
    [
      "an error with a type of its own",
      Object.assign(new Error("mine"), { status: 404, type: "user.missing" }),
    ],
    ["a mistake on our side", Object.assign(new Error("mine"), { status: 500, type: "stream.encoding.set" })],
    ["nothing", null],
  ])("%s is not theirs", (_, error) => {
    expect(problemOfParser(error)).toBeUndefined();
  });
});
