import {
  type BreakerStore,
  bulkhead,
  circuitBreaker,
  ConfigError,
  createMemoryBreakerStore,
  createMemoryInstanceStore,
  createPipeline,
  guard,
  type Pipeline,
  StoreError,
} from "@breakwater/core";
import { createTestClock, seeded } from "@breakwater/testing";
import { describe, expect, onTestFinished, test } from "vitest";

import { admin, type AdminPathOptions, basicAuth } from "./index.ts";
import type { AdminState } from "./state.ts";

const users = basicAuth({ ada: "secret", visitor: "look" }, { seeOnly: ["visitor"] });
const as = (credentials: string): Record<string, string> => ({ authorization: `Basic ${btoa(credentials)}` });
const ADA = as("ada:secret");

function opened(options: Partial<AdminPathOptions> = {}, given?: Pipeline) {
  const clock = createTestClock();
  const search =
    given ??
    createPipeline(
      { name: "search", runtime: clock },
      bulkhead({ name: "slots", concurrency: 5 }),
      circuitBreaker({ name: "host" }),
    );
  const page = admin(search, { authorize: users, runtime: clock, instance: "one", ...options });
  onTestFinished(() => page.close());
  const get = (path: string, init: RequestInit = {}) =>
    page(new Request(`http://localhost${path}`, { headers: ADA, ...init }));
  const post = (body: unknown, headers: Record<string, string> = {}) =>
    get("/change", {
      method: "POST",
      headers: { ...ADA, "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  const isOpen = (): boolean => {
    const outcome = search.outcome(() => 1);
    return "status" in outcome && outcome.status === "refused";
  };
  return { clock, search, page, get, post, isOpen };
}

/** The events of a response, a piece at a time. */
function following({ body }: Response) {
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  return {
    next: async () => new TextDecoder().decode((await reader.read()).value),
    leave: () => reader.cancel(),
  };
}

const force = { client: "search", policy: "host", change: { force: "open" } };

describe("what is shown", () => {
  test("the state of this instance", async () => {
    const { get } = opened({ title: "Chat", service: "chat" });
    const response = await get("/state");
    expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    const state = (await response.json()) as AdminState;
    expect(state).toMatchObject({ service: "chat", title: "Chat", by: "ada", may: "change", shared: false });
    expect(state.instances).toMatchObject([
      {
        instance: "one",
        clients: [{ name: "search", policies: [{ name: "slots" }, { name: "host" }] }],
        events: [],
      },
    ]);
    // Alone, all of them are this one.
    const { instances } = (await (await get("/state?scope=all")).json()) as AdminState;
    expect(instances.map(({ instance }) => instance)).toEqual(["one"]);
  });

  test("of no instances that are neither this one nor all", async () => {
    const { get } = opened();
    expect((await get("/state?scope=this")).status).toBe(200);
    const odd = await get("/state?scope=al");
    expect(odd.status).toBe(400);
    expect(await odd.json()).toMatchObject({ detail: 'scope is "this" or "all", got "al".' });
  });

  test("snapshot and describe of every client", async () => {
    const { get, search } = opened();
    const { clients } = (await (await get("/snapshot")).json()) as { clients: unknown };
    expect(clients).toEqual([JSON.parse(JSON.stringify(search.snapshot()))]);
    expect(await (await get("/describe")).json()).toMatchObject({
      instance: "one",
      clients: [
        {
          name: "search",
          policies: [{ kind: "bulkhead", options: { concurrency: 5 } }, { kind: "circuit-breaker" }],
        },
      ],
    });
  });

  test.each([
    ["/", "text/html; charset=utf-8"],
    ["/page.js", "text/javascript; charset=utf-8"],
    ["/page.css", "text/css; charset=utf-8"],
    ["/uplot.js", "text/javascript; charset=utf-8"],
    ["/uplot.css", "text/css; charset=utf-8"],
  ])("the page at %s", async (path, type) => {
    const { get } = opened();
    const response = await get(path);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe(type);
    expect((await response.text()).length).toBeGreaterThan(100);
  });

  test("each answer is kept by nobody, framed by nobody, and runs only what is its own", async () => {
    const { get, post } = opened();
    const answers = await Promise.all([
      get("/"),
      get("/state"),
      get("/none"),
      get("/events"),
      post("x"),
      get("/state", { headers: {} }),
    ]);
    for (const { headers } of answers) {
      expect(headers.get("cache-control")).toMatch(/^no-store/);
      expect(headers.get("content-security-policy")).toMatch(/^default-src 'none';.*frame-ancestors 'none'$/);
      expect(headers.get("content-security-policy")).not.toContain("unsafe");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.has("access-control-allow-origin")).toBe(false);
    }
  });

  test("events as they happen, and who has made a change", async () => {
    const { get, post } = opened();
    const response = await get("/events?types=policy-change,breaker-open");
    const follow = following(response);
    await follow.next();
    await post(force);
    expect(await follow.next()).toMatch(/^event: policy-change\ndata: \{.*"by":"ada".*\}\n\n$/);
    await follow.leave();
  });

  test("all events where no type is named", async () => {
    const { get, post } = opened();
    const { leave, next } = following(await get("/events?types="));
    expect(await next()).toBe(": keep-alive\n\n");
    await post(force);
    expect(await next()).toContain("event: policy-change\n");
    await leave();
  });

  test("what an error says is in no answer", async () => {
    const { get, search } = opened();
    search.on(() => {
      throw new Error("my prompt");
    });
    const follow = following(await get("/events"));
    await follow.next();
    await search.outcome(() => Promise.reject(new Error("my prompt")));
    const event = await follow.next();
    await follow.leave();
    const all = await Promise.all(
      ["/state", "/snapshot", "/describe"].map(async (path) => (await get(path)).text()),
    );
    expect(event).toContain("event: ");
    expect(all[0]).toContain("callback-throw");
    expect([...all, event].join()).not.toContain("prompt");
  });
});

test("a client that cannot say how it is hides nothing of the others", async () => {
  let sick = true;
  const policy = guard("own", {
    name: "own",
    admit: () => undefined,
    snapshot: () => {
      if (sick) throw new Error("secret");
    },
  });
  const clients = [createPipeline({ name: "sick" }, policy), createPipeline({ name: "well" })];
  const page = admin(clients, { authorize: users, runtime: createTestClock() });
  onTestFinished(() => page.close());
  const get = (path: string) => page(new Request(`http://localhost${path}`, { headers: ADA }));
  for (const client of clients) await client.execute(() => 1);
  const state = (await (await get("/state")).json()) as AdminState;
  expect(state.instances[0]?.clients.map(({ name }) => name)).toEqual(["well"]);
  expect(state.instances[0]?.events).toMatchObject([
    { type: "callback-throw", where: "admin: sick", error: { name: "Error" } },
  ]);
  const snapshot = await get("/snapshot");
  expect(snapshot.status).toBe(500);
  expect(await snapshot.text()).not.toContain("secret");
  sick = false;
  const later = (await (await get("/state")).json()) as AdminState;
  expect(later.instances[0]?.clients).toMatchObject([
    { name: "sick", stats: { calls: 1 } },
    { name: "well" },
  ]);
});

describe("a change", () => {
  test("is made, told as an event with its author, and seen in the state", async () => {
    const { get, isOpen, post } = opened();
    const response = await post(force);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ changed: force, scope: "this", instance: "one", by: "ada" });
    expect(isOpen()).toBe(true);
    const { instances } = (await (await get("/state")).json()) as AdminState;
    expect(instances[0]?.events).toMatchObject([{ type: "policy-change", policy: "host", by: "ada" }]);
    await post({ ...force, change: { force: "auto" } });
    expect(isOpen()).toBe(false);
    await post({ client: "search", policy: 0, change: { update: { mode: "shadow", concurrency: 2 } } });
    expect(await (await get("/describe")).json()).toMatchObject({
      clients: [{ policies: [{ options: { mode: "shadow", concurrency: 2 } }, {}] }],
    });
  });

  test("that is wrong is told in the words of the mistake", async () => {
    const { post } = opened();
    const response = await post({
      client: "search",
      policy: "slots",
      change: { update: { concurrency: "many" } },
    });
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({
      status: 400,
      code: "CONFIG",
      detail: expect.stringContaining(
        'concurrency must be a whole number of at least 1, got "many"',
      ) as string,
    });
    expect((await post({ ...force, client: "none" })).status).toBe(404);
  });

  test("is not for who may only look, who sees everything else", async () => {
    const { get, isOpen, post } = opened();
    const response = await post(force, as("visitor:look"));
    expect(response.status).toBe(403);
    expect(isOpen()).toBe(false);
    const state = await get("/state", { headers: as("visitor:look") });
    expect(await state.json()).toMatchObject({ by: "visitor", may: "see", instances: [{ instance: "one" }] });
  });

  test.each<[string, Record<string, string>]>([
    ["another site", { "sec-fetch-site": "cross-site" }],
    ["a neighbour of the same domain", { "sec-fetch-site": "same-site" }],
    ["another origin, of an old browser", { origin: "http://evil.example" }],
    ["a file", { origin: "null" }],
    ["another port", { origin: "http://localhost:8080" }],
    ["a host that only begins alike", { origin: "http://localhost.evil.example" }],
  ])("is not made for a page of %s", async (_, headers) => {
    const { isOpen, post } = opened();
    expect((await post(force, headers)).status).toBe(403);
    expect(isOpen()).toBe(false);
  });

  test.each<[string, Record<string, string>]>([
    ["its own page", { "sec-fetch-site": "same-origin", origin: "http://localhost" }],
    ["its own page behind a proxy", { "sec-fetch-site": "same-origin", origin: "https://ops.example" }],
    ["an old browser", { origin: "http://localhost" }],
    ["an old browser behind a proxy", { origin: "https://ops.example", "x-forwarded-host": "ops.example" }],
    ["a program", {}],
  ])("is made for %s", async (_, headers) => {
    const { isOpen, post } = opened();
    expect((await post(force, headers)).status).toBe(200);
    expect(isOpen()).toBe(true);
  });

  test.each([
    ["text/plain", 415],
    ["application/x-www-form-urlencoded", 415],
    ["multipart/form-data; boundary=x", 415],
    ["application/json-seq", 415],
    ["text/application/json", 415],
    ["application/json; charset=utf-8", 200],
    ["APPLICATION/JSON", 200],
  ])("in a body of the type %s is a %d", async (type, status) => {
    const { post } = opened();
    expect((await post(force, { "content-type": type })).status).toBe(status);
  });

  test("is bounded in size, whether or not the size is announced", async () => {
    const { get, isOpen, post } = opened();
    const large = JSON.stringify({ ...force, padding: "x".repeat(70_000) });
    expect((await post(large)).status).toBe(413);
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(10_000).fill(32));
      },
    });
    const headers = { ...ADA, "content-type": "application/json" };
    const response = await get("/change", {
      method: "POST",
      headers,
      body: endless,
      duplex: "half",
    });
    expect(response.status).toBe(413);
    expect(pulled).toBeLessThan(20);
    expect(isOpen()).toBe(false);
  });

  test("gives no object another prototype", async () => {
    const { post } = opened();
    const text =
      '{"client":"search","policy":"slots","change":{"update":{"__proto__":{"polluted":1},"concurrency":3}}}';
    expect((await post(text)).status).toBe(400);
    const constructor =
      '{"client":"search","policy":"slots","change":{"update":{"constructor":{"prototype":{"polluted":1}}}}}';
    expect((await post(constructor)).status).toBe(400);
    expect("polluted" in {}).toBe(false);
  });

  test("whose store cannot be asked is said so: nobody knows whether it was made", async () => {
    const clock = createTestClock();
    const memory = createMemoryBreakerStore();
    const store: BreakerStore = {
      ...memory,
      force: () => Promise.reject(new StoreError("a circuit cannot be forced in Redis: not connected")),
    };
    const search = createPipeline(
      { name: "search", runtime: clock },
      circuitBreaker({ name: "host", store }),
    );
    const told: unknown[] = [];
    const { post } = opened({ onError: (error) => told.push(error) }, search);
    const response = await post(force);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      code: "STORE_UNAVAILABLE",
      detail: "a circuit cannot be forced in Redis: not connected. Whether it was changed is not known.",
    });
    expect(told).toMatchObject([{ name: "StoreError" }]);
  });

  test.each([100, 2_000, 20_000])("may be nested %d deep, and is no mistake of ours", async (depth) => {
    const { get, post } = opened();
    const nested = `${"[".repeat(depth)}${"]".repeat(depth)}`;
    const order = (change: string) => `{ "client": "search", "policy": "slots", "change": ${change} }`;
    for (const body of [
      order(`{ "update": { "concurrency": ${nested} } }`),
      order(`{ "update": ${nested} }`),
      order(nested),
      `{ "client": ${nested}, "policy": 1, "change": {} }`,
      nested,
    ])
      expect((await post(body)).status).toBe(400);
    expect((await get("/state")).status).toBe(200);
  });

  test("for all instances is refused where this one is alone", async () => {
    const { isOpen, post } = opened();
    expect((await post({ ...force, scope: "all" })).status).toBe(400);
    expect(isOpen()).toBe(false);
  });
});

describe("with other instances", () => {
  test("all are seen, and changed", async () => {
    const clock = createTestClock();
    const instances = createMemoryInstanceStore({ runtime: clock });
    const [one, two] = ["one", "two"].map((instance) => opened({ instances, instance, runtime: clock })) as [
      ReturnType<typeof opened>,
      ReturnType<typeof opened>,
    ];
    await clock.advance(3_000);
    const state = (await (await one.get("/state?scope=all")).json()) as AdminState;
    expect(state.shared).toBe(true);
    expect(state.instances.map(({ instance }) => instance)).toEqual(["one", "two"]);
    expect((await one.post({ ...force, scope: "all" })).status).toBe(200);
    expect(one.isOpen()).toBe(true);
    await clock.advance(2_000);
    expect(two.isOpen()).toBe(true);
  });

  test("a store that cannot tell them is said so, and this one has changed", async () => {
    const clock = createTestClock();
    const broken = {
      ...createMemoryInstanceStore({ runtime: clock }),
      tell: () => {
        throw new Error("my secret");
      },
    };
    const told: unknown[] = [];
    const { isOpen, post } = opened({
      instances: broken,
      runtime: clock,
      onError: (error) => told.push(error),
    });
    const response = await post({ ...force, scope: "all" });
    expect(response.status).toBe(503);
    expect(await response.text()).toMatch(/^(?!.*secret).*changed in one/);
    expect(isOpen()).toBe(true);
    expect(told).toHaveLength(1);
  });
});

describe("who is not known", () => {
  const paths = [
    "",
    "/",
    "/state",
    "/snapshot",
    "/describe",
    "/events",
    "/change",
    "/page.js",
    "/none",
    "/../x",
    "/__proto__",
  ];

  test.each(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])(
    "learns nothing by %s, not even which paths there are",
    async (method) => {
      const { get } = opened({ path: "/breakwater" });
      const answers = await Promise.all(
        [...paths.map((path) => `/breakwater${path}`), "/", "/elsewhere"].map(async (path) => {
          const headers = { ...as("ada:wrong"), "content-type": "application/json" };
          const response = await get(path, { method, headers });
          return [response.status, [...response.headers], await response.text()];
        }),
      );
      expect(answers[0]?.[0]).toBe(401);
      for (const answer of answers) expect(answer).toEqual(answers[0]);
    },
  );

  test("is asked for a name where that is how to get in", async () => {
    const { get } = opened();
    expect((await get("/", { headers: {} })).headers.get("www-authenticate")).toMatch(/^Basic /);
    const other = opened({ authorize: () => false });
    expect((await other.get("/")).headers.has("www-authenticate")).toBe(false);
    expect((await other.get("/")).status).toBe(401);
  });

  test("is nobody whom authorize did not clearly let in, be it late or not", async () => {
    for (const given of [
      undefined,
      null,
      0,
      1,
      "yes",
      {},
      { may: "all" },
      Promise.resolve(false),
      Promise.resolve({}),
    ]) {
      const { get } = opened({ authorize: () => given as never });
      expect((await get("/state")).status).toBe(401);
    }
    const { get } = opened({ authorize: async () => ({ by: "late", may: "see" }) });
    expect(await (await get("/state")).json()).toMatchObject({ by: "late", may: "see" });
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("secret");
      },
    ],
    ["rejects", () => Promise.reject(new Error("secret"))],
  ])("is nobody where authorize %s: a 500 that does not say why", async (_, authorize) => {
    const told: unknown[] = [];
    let broken = true;
    const { get } = opened({
      authorize: () => (broken ? authorize() : true),
      onError: (error) => told.push(error),
    });
    const response = await get("/state");
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("secret");
    expect(told).toEqual([new Error("secret")]);
    broken = false;
    const { instances } = (await (await get("/state")).json()) as AdminState;
    expect(instances[0]?.events).toMatchObject([{ type: "callback-throw", where: "admin: authorize" }]);
  });

  test("onError that throws changes nothing", async () => {
    const fail = () => {
      throw new Error("mine");
    };
    const { get } = opened({ authorize: fail, onError: fail });
    expect((await get("/state")).status).toBe(500);
  });
});

describe("paths and methods", () => {
  test.each([
    "/none",
    "/state/",
    "//state",
    "/State",
    "/%73tate",
    "/state%00",
    "/page.ts",
    "/../state.js",
    "/constructor",
    "/toString",
    "/__proto__",
  ])("there is nothing at %s", async (path) => {
    const { get } = opened();
    expect((await get(path)).status).toBe(404);
  });

  test.each([
    ["PUT", "/state", "GET, HEAD, OPTIONS"],
    ["POST", "/", "GET, HEAD, OPTIONS"],
    ["DELETE", "/events", "GET, HEAD, OPTIONS"],
    ["GET", "/change", "POST, OPTIONS"],
    ["HEAD", "/change", "POST, OPTIONS"],
    ["PATCH", "/change", "POST, OPTIONS"],
  ])("%s %s is not allowed, and what is", async (method, path, allow) => {
    const { get } = opened();
    const response = await get(path, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe(allow);
    const asked = await get(path, { method: "OPTIONS" });
    expect([asked.status, asked.headers.get("allow")]).toEqual([204, allow]);
  });

  test("HEAD asks for the head alone, and follows no events", async () => {
    const { clock, get } = opened();
    for (const path of ["/", "/state", "/events"])
      expect((await get(path, { method: "HEAD" })).status).toBe(200);
    expect(clock.pending).toBe(0);
  });

  test("the place itself is shown with its slash, whatever a proxy has made of its name", async () => {
    const { get } = opened({ path: "/ops/breakwater" });
    const response = await get("/ops/breakwater?a=1");
    expect(response.status).toBe(308);
    expect(response.headers.get("location")).toBe("./breakwater/?a=1");
    expect((await get("/ops/breakwater/")).status).toBe(200);
    expect((await get("/ops/breakwaters/")).status).toBe(404);
    expect((await get("/ops/")).status).toBe(404);
    expect((await get("/state")).status).toBe(404);
  });

  test("too many who follow the events are told to come again", async () => {
    const { get } = opened();
    for (let n = 0; n < 50; n++) expect((await get("/events")).status).toBe(200);
    const response = await get("/events");
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "5"]);
  });
});

test("whatever is sent is answered, and nothing of it is a mistake of ours", async () => {
  const random = seeded(6);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const words = [
    "search",
    "slots",
    "host",
    "open",
    "closed",
    "auto",
    "mode",
    "shadow",
    "concurrency",
    "constructor",
    "__proto__",
    "",
    "\u0000",
    "9".repeat(400),
  ];
  const value = (depth = 0): unknown => {
    if (depth > 3 || random() < 0.6) return pick([...words, 0, 1, -1, 1e308, 0.5, null, true, []]);
    return Object.fromEntries(
      Array.from({ length: 1 + Math.floor(random() * 3) }, () => [
        pick([...words, "force", "update", "key"]),
        value(depth + 1),
      ]),
    );
  };
  const told: unknown[] = [];
  const { get } = opened({ onError: (error) => told.push(error) });
  const statuses = new Set<number>();
  for (let n = 0; n < 1_500; n++) {
    const method = pick(["GET", "POST", "POST", "POST", "PUT", "OPTIONS"]);
    const path = pick(["/change", "/change", "/change", "/", "/state", "/snapshot", "/describe", "/none"]);
    const whole = {
      client: "search",
      policy: pick(["slots", "host", 0, 1, value()]),
      change: pick([{ force: value() }, { update: value() }, value()]),
      ...(random() < 0.1 && { scope: value() }),
    };
    const body =
      method === "POST"
        ? pick([JSON.stringify(whole), JSON.stringify(whole), JSON.stringify(value())])
        : null;
    const headers = { ...ADA, "content-type": pick(["application/json", "application/json", "text/plain"]) };
    const response = await get(`${path}${pick(["", "?scope=all", "?types=%00", "?scope=%ff"])}`, {
      method,
      headers,
      body,
    });
    statuses.add(response.status);
    await response.text();
  }
  expect(told).toEqual([]);
  expect([...statuses].toSorted((a, b) => a - b)).toEqual([200, 204, 400, 404, 405, 415]);
});

describe("its end", () => {
  test("listens to nothing any more, ends what is followed, and answers no more", async () => {
    const { clock, get, page, search } = opened();
    const { body } = await get("/events");
    await page.close();
    await page.close();
    await new Response(body).text();
    expect((await get("/state")).status).toBe(503);
    expect(clock.pending).toBe(0);
    let told = 0;
    search.on(() => told++);
    await search.execute(() => 1);
    expect(told).toBeGreaterThan(0);
  });
});

test.each<[string, unknown]>([
  ["no options", undefined],
  ["no authorize", {}],
  ["an open door", { authorize: true }],
  ["a word", { authorize: "public" }],
  ["an unknown option", { authorize: () => true, auth: 1 }],
  ["a path that is none", { authorize: () => true, path: "breakwater" }],
  ["a path with a query", { authorize: () => true, path: "/breakwater?x" }],
  ["a store that keeps no instances", { authorize: () => true, instances: {} }],
  ["an empty name", { authorize: () => true, instance: "" }],
  ["an empty title", { authorize: () => true, title: "" }],
])("%s is refused when it is made", (_, options) => {
  expect(() => admin(createPipeline(), options as never)).toThrow(ConfigError);
});

test.each([undefined, null, [], {}, [createPipeline(), {}]])("%j cannot be shown", (clients) => {
  expect(() => admin(clients as never, { authorize: () => true })).toThrow(/^admin: /);
});
