import { createClient, upstream } from "@breakwater/core";
import { describe, expect, test } from "vitest";

import { drain } from "./drain.ts";
import { mount } from "./mount.ts";
import { checkContextOptions, checkRoute } from "./options.ts";
import { visit, listener, serve } from "./server.test-help.ts";

const client = createClient(upstream(async (words: string) => words));
const toRequest = () => "hello";
const handler = () => new Response("hello");

describe("what makes no sense is told where it is written", () => {
  test.each([
    [{ tennant: () => "acme" }, 'breakwater: unknown option "tennant"; known are tenant, priority, '],
    [{ tenant: "acme" }, 'breakwater: tenant must be a function, got "acme".'],
    [{ priority: "batch" }, 'breakwater: priority must be a function, got "batch".'],
    [{ callId: 1 }, "breakwater: callId must be a function, got 1."],
    [{ deadline: Number.NaN }, "breakwater: deadline must be milliseconds or a string such as "],
    ["2m", 'breakwater: options must be an object, got "2m".'],
  ])("context %j", (options, message) => {
    expect(() => checkContextOptions("breakwater", options as never)).toThrow(message);
  });

  test.each([
    [undefined, toRequest, {}, "respond: the first argument must be a client, as createClient() makes it"],
    [{ chat: toRequest }, toRequest, {}, "that of createDeepSeek() is its `client`."],
    [client, undefined, {}, "respond: the second argument must be a function that makes "],
    [client, toRequest, { keepAlive: "15" }, "respond: keepAlive must be milliseconds or a string such as "],
    [client, toRequest, { render: "n" }, 'respond: render must be a function, got "n".'],
    [client, toRequest, { keepalive: "15s" }, 'respond: unknown option "keepalive"; known are render, '],
  ])("route %#", (...[given, make, options, message]) => {
    expect(() => checkRoute("respond", given as never, make as never, options as never)).toThrow(message);
  });

  test.each([
    [{ bodyLimit: Number.NaN }, "mount: bodyLimit must be a whole number of at least 0, got NaN"],
    [{ limit: 1 }, 'mount: unknown option "limit"; known are '],
    [{ deadline: "2 minutes" }, "mount: deadline must be milliseconds"],
  ])("mount %j", (options, message) => {
    expect(() => mount(handler, options as never)).toThrow(message);
  });

  test.each([
    [[], { within: 5 }, 'drain: unknown option "within"; known are withinMs, runtime.'],
    [[], { withinMs: Number.NaN }, "drain: withinMs must be milliseconds"],
    [client, {}, "drain: the second argument must be a list of clients"],
  ])("drain %#, and the server goes on", async (clients, options, message) => {
    const { url, server } = await serve(listener((_req, res) => void res.end("hello")).listen);
    await expect(drain(server, clients as never, options as never)).rejects.toThrow(message);
    expect(await visit(url).read()).toContain("hello");
  });

  test("drain without a server", async () => {
    await expect(drain({ listen() {} } as never)).rejects.toThrow(
      "drain: the first argument must be a server",
    );
  });
});
