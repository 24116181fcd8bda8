import { Agent, type Server } from "node:http";
import type { Socket } from "node:net";

import {
  bulkhead,
  createClient,
  createPipeline,
  currentContext,
  type Pipeline,
  RefusedError,
  retry,
} from "@breakwater/core";
import { createDeepSeek, type DeepSeek } from "@breakwater/deepseek";
import { type SimulatorOptions, startSimulator } from "@breakwater/simulator";
import { scriptedUpstream } from "@breakwater/testing";
import { Controller, Get, Inject, Param, Post, Sse, type Type, UseInterceptors } from "@nestjs/common";
import { EMPTY, from, NEVER, Observable, of, throwError } from "rxjs";
import { describe, expect, onTestFinished, test } from "vitest";

import { platforms, serve } from "./app.test-help.ts";
import { visit, errorLog, turn, until } from "./browser.test-help.ts";
import {
  BreakwaterInterceptor,
  BreakwaterModule,
  type BreakwaterOptions,
  callSignal,
  getClientToken,
  toObservable,
  UsePipeline,
} from "./index.ts";

const refusal = new RefusedError({ by: "books", code: "CIRCUIT_OPEN", retryAfterMs: 1_500 });
const told = {
  statusCode: 503,
  message: "The service that would answer is failing at the moment.",
  error: "Service Unavailable",
  code: "CIRCUIT_OPEN",
};

interface Told {
  readonly event?: string;
  readonly id?: string;
  readonly data?: string;
  readonly retry?: string;
}

/** The events of a body, without the newline that Nest begins with. */
function eventsOf(body: string): Told[] {
  const events = body.split("\n\n").map((event) => event.trim());
  return events
    .filter((event) => event !== "")
    .map((event) => Object.fromEntries(event.split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2))));
}

/** How the calls of a pipeline have ended. */
function endingsOf(pipeline: Pipeline): string[] {
  const endings: string[] = [];
  pipeline.on((event) => void (event.type === "call-end" && endings.push(event.ending.status)));
  return endings;
}

const dataOf = (body: string): unknown[] => eventsOf(body).map(({ data }) => data);

const app = (controller: Type, options: BreakwaterOptions = {}) => ({
  imports: [BreakwaterModule.forRoot(options)],
  controllers: [controller],
});

async function* counting(to: number): AsyncGenerator<{ n: number }> {
  for (let n = 1; n <= to; n++) yield { n };
}

describe.each(platforms)("what an @Sse() handler says on %s", (platform) => {
  const shared = Object.freeze({ data: "said to all" });
  const said: Record<string, () => unknown> = {
    texts: () => from(["a", "b\nc"]),
    numbers: () => of(1, 0, true, 12n),
    objects: () => of({ a: 1 }, [2]),
    chunk: () => of({ id: "c-1", object: "chunk", type: "delta" }),
    messages: () => of({ data: { a: 1 }, type: "news", id: "7", retry: 50 }, { data: 5, id: "8" }),
    comments: () => of({ comment: "still here" }, { type: "ping", data: "" }),
    shared: () => of(shared, shared),
    nothing: () => EMPTY,
    items: () => counting(2),
    promised: async () => counting(1),
    "promised-observable": async () => of("later"),
    "no-items": () => counting(0),
    "numbers-as-items": async function* () {
      yield 1;
      yield { data: 2 };
      yield { type: "start" };
    },
    wrapped: () => toObservable(counting(2)),
  };

  @Controller()
  class Routes {
    @Sse("says/:what") says(@Param("what") what: string) {
      return said[what]?.() as Observable<object>;
    }
    @Sse("around/:what")
    @UseInterceptors(BreakwaterInterceptor.around("one"))
    around(@Param("what") what: string) {
      return said[what]?.() as Observable<object>;
    }
    @Post("says/:what")
    @Sse("says/:what")
    posted(@Param("what") what: string) {
      return this.says(what);
    }
    @Sse("decorated")
    @UsePipeline("one")
    async *decorated() {
      yield* counting(2);
    }
    @Sse("known") async *known() {
      yield { callId: currentContext()?.callId };
      await turn();
      yield { callId: currentContext()?.callId, signal: callSignal()?.aborted };
    }
  }

  const cases: [what: string, events: Told[]][] = [
    [
      "texts",
      [
        { id: "1", data: "a" },
        { id: "2", data: "c" },
      ],
    ],
    ["numbers", ["1", "0", "true", "12"].map((data, index) => ({ id: `${index + 1}`, data }))],
    [
      "objects",
      [
        { id: "1", data: '{"a":1}' },
        { id: "2", data: "[2]" },
      ],
    ],
    ["chunk", [{ id: "1", data: '{"id":"c-1","object":"chunk","type":"delta"}' }]],
    [
      "messages",
      [
        { event: "news", id: "7", retry: "50", data: '{"a":1}' },
        { id: "8", data: "5" },
      ],
    ],
    [
      "shared",
      [
        { id: "1", data: "said to all" },
        { id: "2", data: "said to all" },
      ],
    ],
    ["nothing", []],
    ["items", ['{"n":1}', '{"n":2}', "[DONE]"].map((data, index) => ({ id: `${index + 1}`, data }))],
    [
      "promised",
      [
        { id: "1", data: '{"n":1}' },
        { id: "2", data: "[DONE]" },
      ],
    ],
    ["promised-observable", [{ id: "1", data: "later" }]],
    ["no-items", [{ id: "1", data: "[DONE]" }]],
    [
      "numbers-as-items",
      ["1", "2", '{"type":"start"}', "[DONE]"].map((data, i) => ({ id: `${i + 1}`, data })),
    ],
    ["wrapped", ['{"n":1}', '{"n":2}'].map((data, index) => ({ id: `${index + 1}`, data }))],
  ];

  test.each(cases)("%s", async (what, events) => {
    const log = errorLog();
    const one = createPipeline(bulkhead({ concurrency: 1 }));
    const endings = endingsOf(one);
    const { url } = await serve(app(Routes, { pipelines: { one } }), platform, log.listen);
    for (const path of ["says", "around"]) {
      const response = await fetch(`${url}/${path}/${what}`);
      expect(response.status).toBe(200);
      // Where nothing was said there is nothing that Nest would begin a stream for.
      expect(response.headers.get("content-type")).toBe(what === "nothing" ? null : "text/event-stream");
      expect(eventsOf(await response.text())).toEqual(events);
    }
    const posted = await fetch(`${url}/says/${what}`, { method: "POST" });
    expect(eventsOf(await posted.text())).toEqual(events);
    expect(one.snapshot().inFlight).toBe(0);
    expect(endings).toEqual(["answered"]);
    expect(log.errors).toEqual([]);
  });

  test("comments stay what Nest makes of them", async () => {
    const { url } = await serve(app(Routes, { pipelines: { one: [] } }), platform);
    const body = await (await fetch(`${url}/says/comments`)).text();
    expect(body).not.toContain('"comment"');
    expect(body).toContain("event: ping\nid: ");
  });

  test("a generator of a decorated handler", async () => {
    const { url } = await serve(app(Routes, { pipelines: { one: [] } }), platform);
    const body = await (await fetch(`${url}/decorated`)).text();
    expect(dataOf(body)).toEqual(['{"n":1}', '{"n":2}', "[DONE]"]);
  });

  test("every step of a generator knows whose it is", async () => {
    const { url } = await serve(app(Routes, { pipelines: { one: [] } }), platform);
    const ids = Array.from({ length: 20 }, (_, index) => `r-${index}`);
    const bodies = await Promise.all(
      ids.map(async (id) => (await fetch(`${url}/known`, { headers: { "x-request-id": id } })).text()),
    );
    expect(bodies.map((body) => dataOf(body).slice(0, 2))).toEqual(
      ids.map((callId) => [JSON.stringify({ callId }), JSON.stringify({ callId, signal: false })]),
    );
  });
});

describe.each(platforms)("an error of an @Sse() handler on %s", (platform) => {
  const later = { wait: Promise.resolve() };
  async function* broken(wait?: Promise<void>): AsyncGenerator<string> {
    await wait;
    yield* [];
    throw refusal;
  }
  const failing: Record<string, () => unknown> = {
    "at-once": () => {
      throw refusal;
    },
    promised: async () => {
      throw refusal;
    },
    observable: () => throwError(() => refusal),
    items: () => broken(),
    wrapped: () => throwError(() => new Error("Connection error.", { cause: refusal })),
    "after-head": () => broken(later.wait),
    "after-one": async function* () {
      yield "one";
      await turn();
      throw refusal;
    },
    "observable-after-one": () =>
      new Observable((subscriber) => {
        subscriber.next("one");
        void turn().then(() => subscriber.error(refusal));
      }),
    own: () => throwError(() => new Error("mine")),
    "own-after-one": async function* () {
      yield "one";
      await turn();
      throw new Error("mine");
    },
  };

  @Controller()
  class Routes {
    @Sse("fails/:how") fails(@Param("how") how: string) {
      return failing[how]?.() as Observable<object>;
    }
    @Sse("around/:how")
    @UseInterceptors(BreakwaterInterceptor.around("one"))
    around(@Param("how") how: string) {
      return failing[how]?.() as Observable<object>;
    }
  }

  async function ask(how: string, whence = "fails") {
    const log = errorLog();
    const one = createPipeline(bulkhead({ concurrency: 1 }));
    const { url } = await serve(app(Routes, { pipelines: { one } }), platform, log.listen);
    const response = await fetch(`${url}/${whence}/${how}`);
    const body = await response.text();
    expect(one.snapshot().inFlight).toBe(0);
    return { response, body, errors: log.errors };
  }

  test.each(["fails", "around"])("before the head is an answer of its own: %s", async (whence) => {
    for (const how of ["at-once", "promised", "observable", "items", "wrapped"]) {
      const { response, body, errors } = await ask(how, whence);
      expect([how, response.status, response.headers.get("retry-after")]).toEqual([how, 503, "2"]);
      expect(response.headers.get("content-type")).toMatch(/^application\/json/);
      expect(JSON.parse(body)).toEqual(told);
      expect(errors).toEqual([]);
    }
  });

  test.each(["fails", "around"])("after the head is an event with the same body: %s", async (whence) => {
    let fail = (): void => {};
    later.wait = new Promise((resolve) => {
      fail = resolve;
    });
    const log = errorLog();
    const { url } = await serve(app(Routes, { pipelines: { one: [] } }), platform, log.listen);
    const response = await fetch(`${url}/${whence}/after-head`);
    expect(response.status).toBe(200);
    fail();
    const [event, ...others] = eventsOf(await response.text());
    expect(event).toMatchObject({ event: "error" });
    expect(JSON.parse(event?.data ?? "")).toEqual(told);
    expect(others).toEqual([]);
    expect(log.errors).toEqual([]);
  });

  test.each(["after-one", "observable-after-one"])("%s does not hide what was said", async (how) => {
    for (const whence of ["fails", "around"]) {
      const { body } = await ask(how, whence);
      const events = eventsOf(body);
      expect(events.map(({ event }) => event)).toEqual([undefined, "error"]);
      expect(events[0]?.data).toBe("one");
      expect(JSON.parse(events[1]?.data ?? "")).toEqual(told);
    }
  });

  test("of the user's own is told to the log, and in the middle of a stream to nobody else", async () => {
    const { response, errors } = await ask("own");
    expect(response.status).toBe(500);
    expect(errors).toEqual([new Error("mine")]);
    const { body, errors: logged } = await ask("own-after-one");
    expect(eventsOf(body)).toMatchObject([
      { data: "one" },
      { event: "error", data: expect.stringContaining("STREAM_FAILED") as string },
    ]);
    expect(body).not.toContain("mine");
    expect(logged).toEqual([new Error("mine")]);
  });
});

describe.each(platforms)("trap 66: a browser that leaves an @Sse() handler on %s", (platform) => {
  const state = { signals: [] as (AbortSignal | undefined)[], returned: 0, unsubscribed: 0, aborted: 0 };

  /** Says what it is told to, and ends only when it is left. */
  function endless(says: readonly string[]): AsyncIterable<string> {
    let index = 0;
    return {
      [Symbol.asyncIterator]: () => ({
        next: () =>
          index < says.length
            ? Promise.resolve({ done: false, value: says[index++] as string })
            : new Promise(() => {}),
        return: () => {
          state.returned++;
          return Promise.resolve({ done: true, value: undefined });
        },
      }),
    };
  }

  const observable = (says: readonly string[]): Observable<string> =>
    new Observable((subscriber) => {
      for (const word of says) subscriber.next(word);
      return () => void state.unsubscribed++;
    });

  const handlers = (says: readonly string[]): Record<string, () => unknown> => ({
    iterable: () => endless(says),
    observable: () => observable(says),
    pending: () => new Promise(() => {}),
    never: () => NEVER,
    generator: async function* () {
      yield* says;
      const signal = callSignal();
      await new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason as Error));
      });
    },
  });

  @Controller()
  class Routes {
    static begin(says: readonly string[], how: string): Observable<object> {
      const signal = callSignal();
      state.signals.push(signal);
      signal?.addEventListener("abort", () => void state.aborted++);
      return handlers(says)[how]?.() as Observable<object>;
    }
    @Sse("plain/silent/:how") silent(@Param("how") how: string) {
      return Routes.begin([], how);
    }
    @Sse("plain/talking/:how") talking(@Param("how") how: string) {
      return Routes.begin(["one"], how);
    }
    @Sse("around/silent/:how")
    @UseInterceptors(BreakwaterInterceptor.around("one"))
    silentAround(@Param("how") how: string) {
      return Routes.begin([], how);
    }
    @Sse("around/talking/:how")
    @UseInterceptors(BreakwaterInterceptor.around("one"))
    talkingAround(@Param("how") how: string) {
      return Routes.begin(["one"], how);
    }
    @Post("around/posted/:how")
    @Sse("around/posted/:how")
    @UseInterceptors(BreakwaterInterceptor.around("one"))
    posted(@Param("how") how: string) {
      return Routes.begin(["one"], how);
    }
    @Get("fine") fine() {
      return "fine";
    }
  }

  test.each(
    ["plain", "around"].flatMap((whence) => [
      ...["iterable", "observable", "pending", "never", "generator"].map((how) => `${whence}/silent/${how}`),
      ...["iterable", "observable", "generator"].map((how) => `${whence}/talking/${how}`),
      ...(whence === "around" ? ["around/posted/iterable"] : []),
    ]),
  )("ends its work: /%s", async (path) => {
    Object.assign(state, { signals: [], returned: 0, unsubscribed: 0, aborted: 0 });
    const log = errorLog();
    const one = createPipeline(bulkhead({ concurrency: 1 }));
    const endings = endingsOf(one);
    const { url } = await serve(app(Routes, { pipelines: { one } }), platform, log.listen);
    const browser = visit(`${url}/${path}`, { method: path.includes("posted") ? "POST" : "GET" });
    await until(() => state.signals.length === 1);
    if (!path.includes("silent")) {
      let body = "";
      while (!body.includes("data: one")) body += await browser.read();
    }
    expect(one.snapshot().inFlight).toBe(path.startsWith("around") ? 1 : 0);
    expect(state.aborted).toBe(0);
    browser.leave();
    await until(() => state.aborted === 1 && one.snapshot().inFlight === 0);
    expect(endings).toEqual(path.startsWith("around") ? ["cancelled"] : []);
    if (path.endsWith("iterable")) await until(() => state.returned === 1);
    if (path.endsWith("observable")) await until(() => state.unsubscribed === 1);
    for (let turns = 0; turns < 5; turns++) await turn();
    expect(await (await fetch(`${url}/fine`)).text()).toBe("fine");
    expect(log.errors).toEqual([]);
  });

  test("while it waits in a queue never begins", async () => {
    Object.assign(state, { signals: [], returned: 0, unsubscribed: 0, aborted: 0 });
    const log = errorLog();
    const one = createPipeline(bulkhead({ concurrency: 1, queue: 5 }));
    const { url } = await serve(app(Routes, { pipelines: { one } }), platform, log.listen);
    const first = visit(`${url}/around/talking/iterable`);
    await until(() => state.signals.length === 1);
    const second = visit(`${url}/around/talking/iterable`);
    await until(() => one.snapshot().inFlight === 2);
    second.leave();
    await until(() => one.snapshot().inFlight === 1);
    first.leave();
    await until(() => one.snapshot().inFlight === 0);
    expect(state.signals).toHaveLength(1);
    expect(log.errors).toEqual([]);
  });
});

describe.each(platforms)("a pipeline around an @Sse() handler on %s", (platform) => {
  let runs = 0;

  @Controller()
  @UseInterceptors(BreakwaterInterceptor.around("one"))
  class Routes {
    @Sse("early") async *early() {
      if (++runs < 3) throw new Error("busy");
      yield `run ${runs}`;
    }
    @Sse("late") async *late() {
      runs++;
      yield "one";
      throw refusal;
    }
    @Post("posted")
    @Sse("posted")
    posted() {
      return this.early();
    }
  }
  const pipelines = () => ({ one: [retry({ attempts: 3, delay: () => 0 })] });

  test("retries it until something was said", async () => {
    runs = 0;
    const { url } = await serve(app(Routes, { pipelines: pipelines() }), platform);
    expect(dataOf(await (await fetch(`${url}/early`)).text())).toEqual(["run 3", "[DONE]"]);
    runs = 0;
    expect(eventsOf(await (await fetch(`${url}/late`)).text())).toMatchObject([
      { data: "one" },
      { event: "error" },
    ]);
    expect(runs).toBe(1);
  });

  test("does a POST once", async () => {
    runs = 0;
    const { url } = await serve(app(Routes, { pipelines: pipelines() }), platform, errorLog().listen);
    await (await fetch(`${url}/posted`, { method: "POST" })).text();
    expect(runs).toBe(1);
  });
});

describe.each(platforms)("a reader who is slow on %s", (platform) => {
  const item = "x".repeat(64 * 1024);
  let produced = 0;
  async function* plenty(): AsyncGenerator<string> {
    for (; produced < 600; produced++) yield item;
  }

  @Controller()
  class Routes {
    @Sse("plain") plain() {
      return plenty();
    }
    @Sse("around")
    @UseInterceptors(BreakwaterInterceptor.around("one"))
    around() {
      return plenty();
    }
    @Sse("decorated")
    @UsePipeline("one")
    async *decorated() {
      yield* plenty();
    }
  }

  test.each(["plain", "around", "decorated"])(
    "is waited for, and gets all that there is: %s",
    async (path) => {
      produced = 0;
      const one = createPipeline(bulkhead({ concurrency: 1 }));
      const { url } = await serve(app(Routes, { pipelines: { one } }), platform);
      const browser = visit(`${url}/${path}`);
      const response = await browser.response;
      // It is waited for once nothing has moved for long.
      for (let still = 0, before = -1; still < 200 && produced < 600; still++) {
        if (produced !== before) still = 0;
        before = produced;
        await turn();
      }
      expect(produced).toBeGreaterThan(0);
      expect(produced).toBeLessThan(600);
      let size = 0;
      for await (const chunk of response as AsyncIterable<Buffer>) size += chunk.length;
      expect(size).toBeGreaterThan(600 * item.length);
      expect(one.snapshot().inFlight).toBe(0);
    },
  );

  test("is not run ahead of by what is there at once", async () => {
    const small = "x".repeat(1_024);
    let socket: Socket | undefined;
    let ahead = 0;
    @Controller()
    class AtOnce {
      @Sse("at-once") async *atOnce() {
        for (let n = 1; n <= 500; n++) {
          ahead = Math.max(ahead, n * small.length - (socket?.bytesWritten ?? 0));
          yield small;
        }
      }
    }
    const { app: served, url } = await serve(app(AtOnce), platform);
    (served.getHttpServer() as Server).prependListener("request", (req) => void ({ socket } = req));
    expect(dataOf(await (await fetch(`${url}/at-once`)).text())).toHaveLength(501);
    expect(ahead).toBeLessThanOrEqual(4 * small.length);
  });

  test("who leaves is not waited for", async () => {
    produced = 0;
    const log = errorLog();
    const one = createPipeline(bulkhead({ concurrency: 1 }));
    const { url } = await serve(app(Routes, { pipelines: { one } }), platform, log.listen);
    const browser = visit(`${url}/around`);
    await browser.response;
    await until(() => produced > 10);
    for (let turns = 0; turns < 50; turns++) await turn();
    browser.leave();
    await until(() => one.snapshot().inFlight === 0);
    expect(log.errors).toEqual([]);
  });
});

describe.each(platforms)("who asks for the head of an @Sse() handler alone on %s", (platform) => {
  test("has it, and nobody works on what he would not read", async () => {
    const script = scriptedUpstream<string, AsyncIterable<string>>();
    const ask = createClient(script.upstream);
    @Controller()
    class Routes {
      @Sse("asked") asked() {
        return ask("hello");
      }
    }
    const { url } = await serve(app(Routes), platform);
    // One that stays: its call does not end because it has left.
    const agent = new Agent({ keepAlive: true });
    const { response } = visit(`${url}/asked`, { method: "HEAD", agent });
    const stream = (await script.next()).stream("one");
    expect((await response).headers["content-type"]).toBe("text/event-stream");
    await until(() => stream.stopped && ask.snapshot().inFlight === 0);
    agent.destroy();
  });
});

describe.each(platforms)("a chat over @Sse() on %s", (platform) => {
  @Controller()
  class Chat {
    @Inject(getClientToken("deepseek")) readonly deepseek!: DeepSeek;
    @Sse("chat") chat() {
      return this.deepseek.stream({ messages: [{ role: "user", content: "Why do ships float?" }] });
    }
  }

  async function start(options: SimulatorOptions) {
    const simulator = await startSimulator({ text: { reasoningMedian: 1 }, ...options });
    onTestFinished(() => simulator.close());
    const deepseek = createDeepSeek({
      apiKey: simulator.key,
      baseURL: simulator.url,
      fetch: simulator.fetch,
    });
    const log = errorLog();
    const { url } = await serve(app(Chat, { clients: { deepseek } }), platform, log.listen);
    return { simulator, deepseek, url, log };
  }

  test("is whole", async () => {
    const { url, simulator, deepseek } = await start({ timeScale: 0.001 });
    const data = dataOf(await (await fetch(`${url}/chat`)).text()) as string[];
    expect(data.pop()).toBe("[DONE]");
    const chunks = data.map(
      (chunk) =>
        JSON.parse(chunk) as { choices: { delta: { content?: string; reasoning_content?: string } }[] },
    );
    const deltas = chunks.map(({ choices }) => choices[0]?.delta);
    expect(deltas.map((delta) => delta?.content ?? "").join("")).not.toBe("");
    expect(simulator.attempts()).toMatchObject([{ outcome: "completed" }]);
    expect(deepseek.snapshot().inFlight).toBe(0);
  });

  test("is cancelled at DeepSeek when the browser leaves", async () => {
    const { url, simulator, deepseek, log } = await start({
      timeScale: 0.2,
      text: { contentMedian: 5_000, reasoningMedian: 1, sigma: 0 },
    });
    const browser = visit(`${url}/chat`);
    let body = "";
    while (!body.includes("data: ")) body += await browser.read();
    browser.leave();
    await until(() => deepseek.snapshot().inFlight === 0 && simulator.state().open === 0);
    expect(simulator.attempts()).toMatchObject([{ outcome: "client_closed" }]);
    expect(log.errors).toEqual([]);
  });

  test("is cancelled in DeepSeek's queue, too", async () => {
    const { url, simulator, deepseek, log } = await start({
      timeScale: 1,
      faults: [{ action: "queue_forever" }],
    });
    const browser = visit(`${url}/chat`);
    await until(() => simulator.state().open === 1);
    browser.leave();
    await until(() => deepseek.snapshot().inFlight === 0 && simulator.state().open === 0);
    expect(log.errors).toEqual([]);
  });
});
