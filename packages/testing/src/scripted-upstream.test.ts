import { createClient, retry } from "@breakwater/core";
import { describe, expect, it } from "vitest";

import { createTestClock, scriptedUpstream } from "./index.ts";

describe("a scripted upstream", () => {
  it("does what the test says, call by call", async () => {
    const clock = createTestClock();
    const script = scriptedUpstream<string, string>();
    const ask = createClient({ upstream: script.upstream, runtime: clock }, retry({ baseDelay: 0 }));
    const asked = ask("hello");
    const first = await script.next();
    expect(first.request).toBe("hello");
    first.fail(new Error("busy"));
    (await script.next()).answer("hi");
    expect(await asked).toBe("hi");
    expect([script.calls, script.active]).toEqual([2, 0]);
  });

  it("fails as an upstream classifies, or throws as a function would", async () => {
    const script = scriptedUpstream<string, string>();
    const ask = createClient(script.upstream);
    const overloaded = ask.outcome("a");
    (await script.next()).fail(new Error("429"), { fault: "overload", limit: 5 });
    expect(await overloaded).toMatchObject({
      status: "failed",
      fault: "overload",
      limit: 5,
      retryable: true,
    });
    const mistaken = ask.outcome("b");
    (await script.next()).throw(new TypeError("no"));
    expect(await mistaken).toMatchObject({ status: "failed", fault: "caller" });
  });

  it("streams, ends, breaks, and tells when its reader has left", async () => {
    const script = scriptedUpstream<string, AsyncIterable<string>>();
    const ask = createClient(script.upstream);
    const asked = ask("a");
    const stream = (await script.next()).stream("one");
    stream.push("two");
    stream.end();
    const items: string[] = [];
    for await (const item of await asked) items.push(item);
    expect(items).toEqual(["one", "two"]);
    expect(stream.stopped).toBe(true);

    const broken = ask("b");
    (await script.next()).stream("one").fail(new Error("reset"));
    const reader = (await broken)[Symbol.asyncIterator]();
    await reader.next();
    await expect(reader.next()).rejects.toThrow("reset");

    const left = ask("c");
    const leaving = (await script.next()).stream("one");
    for await (const item of await left) if (item === "one") break;
    expect(leaving.stopped).toBe(true);
    expect(script.active).toBe(0);
  });
});
