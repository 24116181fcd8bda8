import { eventsOf, oneConnection, post, until, visit } from "@breakwater-internal/visitor";
import { UpstreamError } from "@breakwater/core";
import { describe, expect, test } from "vitest";

import type { Framework } from "./framework.ts";
import { startRig } from "./rig.ts";
import { expectBroken } from "./told.ts";

/** What an upstream answers with: a value as JSON, a stream as events. */
export function answers(framework: Framework): void {
  describe("an answer", () => {
    test.each(["POST", "GET"])("is JSON, asked for with %s", async (method) => {
      const { url, script } = await startRig(framework);
      const asked =
        method === "GET" ? fetch(`${url}/json/hello`) : fetch(`${url}/json`, post({ text: "hello" }));
      const call = await script.next();
      expect(call.request).toBe("hello");
      call.answer({ greeting: "ahoy ☸" });
      const response = await asked;
      expect(response.ok).toBe(true);
      expect(response.headers.get("content-type")).toMatch(/^application\/json\b/);
      expect(await response.json()).toEqual({ greeting: "ahoy ☸" });
    });

    test("has no body for HEAD, and the connection is used again", async () => {
      const { url, script } = await startRig(framework);
      const agent = oneConnection();
      const head = visit(`${url}/json/hello`, { method: "HEAD", agent });
      (await script.next()).answer({ greeting: "ahoy" });
      expect(await head.rest()).toBe("");
      const { statusCode, headers } = await head.response;
      expect(statusCode).toBe(200);
      expect(headers["content-type"]).toMatch(/^application\/json\b/);
      const get = visit(`${url}/json/hello`, { agent });
      (await script.next()).answer({ greeting: "again" });
      expect(JSON.parse(await get.rest())).toEqual({ greeting: "again" });
      expect(get.reused()).toBe(true);
      agent.destroy();
    });

    test("is nobody's business where there is no such route", async () => {
      const { url } = await startRig(framework);
      const response = await fetch(`${url}/nowhere`);
      expect(response.status).toBe(404);
      expect(response.headers.has("x-breakwater-code")).toBe(false);
      expect(await response.text()).toMatch(/Cannot GET \/nowhere|^Not Found$/);
    });
  });

  describe("a stream", () => {
    test.each(["POST", "GET"])("is events, one for each item, asked for with %s", async (method) => {
      const { url, script } = await startRig(framework);
      const asked =
        method === "GET" ? fetch(`${url}/events/hello`) : fetch(`${url}/events`, post({ text: "hello" }));
      const call = await script.next();
      expect(call.request).toBe("hello");
      const stream = call.stream({ n: 1, text: "two\nlines ☸" });
      stream.push({ n: 2 });
      stream.end();
      const response = await asked;
      expect(response.ok).toBe(true);
      expect(response.headers.get("content-type")).toMatch(/^text\/event-stream\b/);
      expect(response.headers.get("cache-control")).toMatch(/\bno-transform\b/);
      expect(response.headers.get("x-accel-buffering")).toBe("no");
      expect(eventsOf(await response.text())).toEqual([
        { data: { n: 1, text: "two\nlines ☸" } },
        { data: { n: 2 } },
        { data: "[DONE]" },
      ]);
      expect(stream.stopped).toBe(true);
    });

    test("is sent as it is made, and not when it is whole", async () => {
      const { url, script } = await startRig(framework);
      const reader = visit(`${url}/events/hello`);
      const stream = (await script.next()).stream("one");
      expect(await reader.event()).toEqual({ data: "one" });
      stream.push("two");
      expect(await reader.event()).toEqual({ data: "two" });
      stream.end();
      await reader.rest();
    });

    test("that breaks in its middle says so, and has no clean end", async () => {
      const { url, script } = await startRig(framework);
      const asked = fetch(`${url}/events/hello`);
      const stream = (await script.next()).stream("one");
      const response = await asked;
      stream.fail(new UpstreamError("STREAM_TRUNCATED", "the password is swordfish"));
      const events = eventsOf(await response.text());
      expect(events[0]).toEqual({ data: "one" });
      expect(events).toHaveLength(2);
      expectBroken(events, "UPSTREAM_FAILED");
    });

    test("that breaks by an error of nobody's says so as the framework does", async () => {
      const { url, script, logged } = await startRig(framework);
      const asked = fetch(`${url}/events/hello`);
      const stream = (await script.next()).stream("one");
      const response = await asked;
      stream.fail(new Error("mine"));
      const events = eventsOf(await response.text());
      expect(events).toHaveLength(2);
      expectBroken(events, "STREAM_FAILED");
      logged(); // Koa has listeners to tell, Nest a log, Express nobody
    });

    test("for HEAD has no body, and nobody goes on working on it", async () => {
      const { url, script } = await startRig(framework);
      const agent = oneConnection();
      const head = visit(`${url}/events/hello`, { method: "HEAD", agent });
      const stream = (await script.next()).stream("one");
      expect(await head.rest()).toBe("");
      const { statusCode, headers } = await head.response;
      expect(statusCode).toBe(200);
      expect(headers["content-type"]).toMatch(/^text\/event-stream\b/);
      await until(() => stream.stopped);
      agent.destroy();
    });
  });
}
