import { Readable } from "node:stream";

import {
  bulkhead,
  circuitBreaker,
  createPipeline,
  currentContext,
  type Pipeline,
  RefusedError,
  retry,
  timeout,
} from "@breakwater/core";
import { createTestClock } from "@breakwater/testing";
import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  HttpCode,
  Injectable,
  type NestInterceptor,
  NotFoundException,
  Param,
  ParseIntPipe,
  type PipeTransform,
  Post,
  Redirect,
  RequestTimeoutException,
  Res,
  Sse,
  StreamableFile,
  type Type,
  UseInterceptors,
} from "@nestjs/common";
import { APP_INTERCEPTOR } from "@nestjs/core";
import { ExecutionContextHost } from "@nestjs/core/helpers/execution-context-host.js";
import {
  catchError,
  concat,
  EMPTY,
  lastValueFrom,
  NEVER,
  Observable,
  of,
  Subject,
  throwError,
  timeout as giveUp,
} from "rxjs";
import { describe, expect, test } from "vitest";

import { platforms, serve } from "./app.test-help.ts";
import { visit, errorLog, turn, until } from "./browser.test-help.ts";
import {
  BreakwaterInterceptor,
  BreakwaterModule,
  BreakwaterRegistry,
  callSignal,
  type PipelineLike,
  UsePipeline,
} from "./index.ts";

const again = (attempts = 3): Pipeline => createPipeline(retry({ attempts, delay: () => 0 }));
const busy = (): Error => new Error("busy");

const app = (controller: Type, pipelines: Record<string, PipelineLike>) => ({
  imports: [BreakwaterModule.forRoot({ pipelines })],
  controllers: [controller],
});

interface Reply {
  readonly raw: NodeJS.WritableStream;
  hijack(): void;
}
/** Node's own response, for those who write to it: Fastify wants to be told so. */
function nodes(response: unknown): NodeJS.WritableStream {
  if (!("hijack" in (response as object))) return response as NodeJS.WritableStream;
  (response as Reply).hijack();
  return (response as Reply).raw;
}

/** Tells a test when something began, and waits until the test says so. */
function gate(): { readonly begun: () => boolean; readonly open: () => void; wait(): Promise<void> } {
  let begun = false;
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return {
    begun: () => begun,
    open,
    async wait() {
      begun = true;
      await opened;
    },
  };
}

describe.each(platforms)("retries around a handler on %s", (platform) => {
  @Injectable()
  class Counting implements PipeTransform {
    static runs = 0;
    transform(value: string): string {
      Counting.runs++;
      return value;
    }
  }

  @Controller()
  class Routes {
    static runs = 0;
    static answer(after: number): string {
      if (++Routes.runs < after) throw busy();
      return `at ${Routes.runs}`;
    }

    @Get("get/:word")
    @UseInterceptors(BreakwaterInterceptor.around("again"))
    async get(@Param("word", Counting) word: string) {
      return `${word} ${Routes.answer(3)}`;
    }
    @Post("post")
    @UseInterceptors(BreakwaterInterceptor.around("again"))
    async post() {
      return Routes.answer(3);
    }
    @Post("safe-post")
    @HttpCode(202)
    @UseInterceptors(BreakwaterInterceptor.around("again", { idempotent: true }))
    async safePost() {
      return Routes.answer(3);
    }
    @Get("once")
    @UseInterceptors(BreakwaterInterceptor.around("again", { idempotent: false }))
    async once() {
      return Routes.answer(3);
    }
    @Get("observable")
    @UseInterceptors(BreakwaterInterceptor.around("again"))
    observable() {
      return new Observable<string>((subscriber) => {
        subscriber.next("half");
        subscriber.next(Routes.answer(2));
        subscriber.complete();
      });
    }
    @Get("refused")
    @UseInterceptors(BreakwaterInterceptor.around("again"))
    async refused() {
      Routes.runs++;
      throw new RefusedError({ by: "books", code: "RATE_LIMITED", retryAfterMs: 1_500 });
    }
    @Get("missing")
    @UseInterceptors(BreakwaterInterceptor.around("again"))
    async missing() {
      Routes.runs++;
      throw new NotFoundException("no such book");
    }
    @Get("number/:n")
    @UseInterceptors(BreakwaterInterceptor.around("again"))
    async number(@Param("n", ParseIntPipe) n: number) {
      return n;
    }
    @Post("decorated")
    @UsePipeline("again")
    async decorated() {
      return Routes.answer(3);
    }
    @Post("safe-decorated")
    @UsePipeline("again", { idempotent: true })
    async safeDecorated() {
      return Routes.answer(3);
    }
    @Get("both")
    @UseInterceptors(BreakwaterInterceptor.around("again"))
    @UsePipeline("inner")
    async both() {
      return Routes.answer(99);
    }
    @Get("nested")
    @UseInterceptors(BreakwaterInterceptor.around("again"), BreakwaterInterceptor.around("inner"))
    async nested() {
      return Routes.answer(99);
    }
    @Get("begun")
    @UseInterceptors(BreakwaterInterceptor.around("again"))
    begun(@Res() response: unknown) {
      Routes.runs++;
      nodes(response).write("half an answer");
      throw busy();
    }
  }

  test.each<[method: string, path: string, status: number, body: RegExp, runs: number]>([
    ["GET", "get/whales", 200, /^whales at 3$/, 3],
    ["POST", "post", 500, /Internal server error/, 1],
    ["POST", "safe-post", 202, /^at 3$/, 3],
    ["GET", "once", 500, /Internal server error/, 1],
    ["GET", "observable", 200, /^at 2$/, 2],
    ["GET", "refused", 429, /"RATE_LIMITED"/, 1],
    ["GET", "missing", 404, /no such book/, 1],
    ["GET", "number/one", 400, /numeric string/, 0],
    ["POST", "decorated", 500, /Internal server error/, 1],
    ["POST", "safe-decorated", 201, /^at 3$/, 3],
    ["GET", "both", 500, /Internal server error/, 3],
    ["GET", "nested", 500, /Internal server error/, 3],
  ])("%s /%s is answered with %d", async (method, path, status, body, runs) => {
    Routes.runs = Counting.runs = 0;
    const { url } = await serve(app(Routes, { again: again(), inner: again() }), platform, errorLog().listen);
    const response = await fetch(`${url}/${path}`, { method });
    expect([response.status, await response.text()]).toEqual([status, expect.stringMatching(body)]);
    expect(Routes.runs).toBe(runs);
    expect(Counting.runs).toBe(path.startsWith("get") ? runs : 0);
  });

  test("an answer that a handler has begun to write is never written again", async () => {
    Routes.runs = 0;
    const pipeline = again();
    const endings: string[] = [];
    pipeline.on((event) => void (event.type === "call-end" && endings.push(event.ending.status)));
    const { url } = await serve(app(Routes, { again: pipeline, inner: [] }), platform, errorLog().listen);
    const response = await fetch(`${url}/begun`);
    expect(await response.text()).toBe("half an answer");
    expect(Routes.runs).toBe(1);
    expect(endings).toEqual(["failed"]);
  });
});

describe.each(platforms)("a permit around a handler on %s", (platform) => {
  const full = (concurrency = 1): Pipeline => createPipeline(bulkhead({ name: "one", concurrency }));
  const around = UseInterceptors(BreakwaterInterceptor.around("one"));

  @Controller()
  @around
  class Routes {
    static gate = gate();
    static source = new Readable({ read() {} });
    static signal: AbortSignal | undefined;

    @Get("value") value() {
      return "value";
    }
    @Get("empty") empty() {
      return EMPTY;
    }
    @Get("failing") failing() {
      return concat(
        of("one"),
        throwError(() => busy()),
      );
    }
    @Get("away")
    @Redirect("/elsewhere")
    away() {
      return { statusCode: 307 };
    }
    @Get("waiting") async waiting() {
      await Routes.gate.wait();
      return "waited";
    }
    @Get("silent") silent() {
      Routes.signal = callSignal();
      return NEVER;
    }
    @Get("deaf") async deaf() {
      Routes.signal = callSignal();
      await lastValueFrom(NEVER);
    }
    @Get("file") file() {
      return new StreamableFile(Routes.source);
    }
    @Get("by-hand") byHand(@Res() response: unknown) {
      const out = nodes(response);
      out.write("one ");
      void Routes.gate.wait().then(() => out.end("two"));
    }
    @Get("later") later(@Res() response: { send(body: string): void }) {
      void Routes.gate.wait().then(() => response.send("sent later"));
    }
    @Get("passthrough") passthrough(@Res({ passthrough: true }) response: unknown) {
      return typeof response;
    }
  }

  /** An app with one permit, and a fresh gate. */
  async function start(pipeline = full()) {
    Routes.gate = gate();
    Routes.source = new Readable({ read() {} });
    Routes.signal = undefined;
    const log = errorLog();
    const { url } = await serve(app(Routes, { one: pipeline }), platform, log.listen);
    const held = (): number => pipeline.snapshot().inFlight;
    const endings: string[] = [];
    pipeline.on((event) => void (event.type === "call-end" && endings.push(event.ending.status)));
    return { url, held, endings, log };
  }

  test.each<[path: string, status: number, body: string, ending: string]>([
    ["value", 200, "value", "answered"],
    ["empty", 200, "", "answered"], // trap 66: no EmptyError
    ["failing", 500, '{"statusCode":500,"message":"Internal server error"}', "failed"],
    ["away", 307, "", "answered"],
    ["passthrough", 200, "object", "answered"],
  ])("comes back after /%s", async (path, status, body, ending) => {
    const { url, held, endings } = await start();
    const response = await fetch(`${url}/${path}`, { redirect: "manual" });
    const text = await response.text();
    expect(response.status).toBe(status);
    if (status !== 307) expect(text).toBe(body);
    expect(held()).toBe(0);
    expect(endings).toEqual([ending]);
  });

  test("is not there for a second request, which is told so", async () => {
    const { url, held } = await start();
    const first = fetch(`${url}/waiting`);
    await until(Routes.gate.begun);
    const second = await fetch(`${url}/value`);
    expect([second.status, second.headers.get("x-breakwater-code")]).toEqual([503, "BULKHEAD_FULL"]);
    expect(second.headers.get("retry-after")).toBe("1");
    expect(held()).toBe(1);
    Routes.gate.open();
    expect(await (await first).text()).toBe("waited");
    expect(held()).toBe(0);
  });

  test("of a file is held to its last byte", async () => {
    const clock = createTestClock();
    const { url, held, endings } = await start(
      createPipeline(
        { runtime: clock },
        timeout({ total: "10s", idle: "10s" }),
        bulkhead({ name: "one", concurrency: 1 }),
      ),
    );
    const browser = visit(`${url}/file`);
    Routes.source.push("one ");
    expect(await browser.read()).toBe("one ");
    await clock.advance(3_600_000);
    expect([held(), endings]).toEqual([1, []]);
    Routes.source.push("two");
    Routes.source.push(null);
    expect(await browser.read()).toBe("two");
    await until(() => held() === 0);
    expect(endings).toEqual(["answered"]);
  });

  test("of a file comes back when the browser leaves in the middle", async () => {
    const { url, held, log } = await start();
    const browser = visit(`${url}/file`);
    Routes.source.push("one ");
    await browser.read();
    expect(held()).toBe(1);
    browser.leave();
    await until(() => held() === 0);
    expect((await fetch(`${url}/value`)).status).toBe(200);
    expect(log.errors.filter((error) => !/premature|aborted/i.test(String(error)))).toEqual([]);
  });

  test.each([
    ["by-hand", "one two"],
    ["later", "sent later"],
  ])("of a handler that answers /%s itself is held until it has", async (path, body) => {
    const { url, held, endings } = await start();
    const response = fetch(`${url}/${path}`);
    await until(Routes.gate.begun);
    for (let turns = 0; turns < 5; turns++) await turn();
    expect([held(), endings]).toEqual([1, []]);
    Routes.gate.open();
    expect(await (await response).text()).toBe(body);
    await until(() => held() === 0);
    expect(endings).toEqual(["answered"]);
  });

  test.each(["silent", "deaf"])("comes back when the browser of /%s leaves", async (path) => {
    const { url, held, endings, log } = await start();
    const browser = visit(`${url}/${path}`);
    await until(() => Routes.signal !== undefined);
    expect(held()).toBe(1);
    browser.leave();
    await until(() => held() === 0);
    expect(endings).toEqual(["cancelled"]);
    expect(Routes.signal?.aborted).toBe(true);
    expect((await fetch(`${url}/value`)).status).toBe(200);
    expect(log.errors).toEqual([]);
  });

  test("is not taken for a browser that left the queue", async () => {
    const pipeline = createPipeline(bulkhead({ name: "one", concurrency: 1, queue: 5 }));
    const { url, held, log } = await start(pipeline);
    const first = fetch(`${url}/waiting`);
    await until(Routes.gate.begun);
    const second = visit(`${url}/silent`);
    await until(() => held() === 2);
    second.leave();
    await until(() => held() === 1);
    Routes.gate.open();
    await first;
    expect(Routes.signal).toBeUndefined();
    expect(held()).toBe(0);
    expect(log.errors).toEqual([]);
  });
});

describe.each(platforms)("an attempt around a handler on %s", (platform) => {
  const signals: (AbortSignal | undefined)[] = [];

  @Injectable()
  class Impatient implements NestInterceptor {
    intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
      return next.handle().pipe(
        giveUp(10),
        catchError(() => throwError(() => new RequestTimeoutException())),
      );
    }
  }

  @Controller()
  class Routes {
    @Get("impatient")
    @UseInterceptors(Impatient, BreakwaterInterceptor.around("plain"))
    async impatient() {
      signals.push(callSignal());
      await lastValueFrom(NEVER);
    }
    @Get("timed")
    @UseInterceptors(
      BreakwaterInterceptor.around("timed"),
      BreakwaterInterceptor,
      BreakwaterInterceptor.around("plain"),
    )
    timed() {
      signals.push(callSignal());
      return concat(of("half"), NEVER);
    }
  }

  test("is cancelled, and is no failure, when RxJS's timeout() around it has run out", async () => {
    signals.length = 0;
    const plain = createPipeline(circuitBreaker({ name: "plain" }), bulkhead({ concurrency: 1 }));
    const endings: string[] = [];
    plain.on((event) => void (event.type === "call-end" && endings.push(event.ending.status)));
    const log = errorLog();
    const { url } = await serve(app(Routes, { plain, timed: [] }), platform, log.listen);
    expect((await fetch(`${url}/impatient`)).status).toBe(408);
    expect(signals[0]?.aborted).toBe(true);
    expect(endings).toEqual(["cancelled"]);
    expect(plain.snapshot().inFlight).toBe(0);
    expect(log.errors).toEqual([]);
  });

  test("has a clock that is heard inside all others, and what was half said is no answer", async () => {
    signals.length = 0;
    const clock = createTestClock();
    const timed = createPipeline({ runtime: clock }, timeout({ total: "5s" }));
    const plain = createPipeline({ runtime: clock }, bulkhead({ concurrency: 1 }));
    const log = errorLog();
    const { url } = await serve(app(Routes, { plain, timed }), platform, log.listen);
    const response = fetch(`${url}/timed`);
    await until(() => signals.length === 1);
    expect(signals[0]?.aborted).toBe(false);
    await clock.advance(5_000);
    expect(signals[0]?.aborted).toBe(true);
    expect((await response).status).toBe(504);
    expect([timed.snapshot().inFlight, plain.snapshot().inFlight, clock.pending]).toEqual([0, 0, 0]);
    expect(log.errors).toEqual([]);
  });
});

test("those who waited in a queue are served in their own context", async () => {
  @Controller()
  @UseInterceptors(BreakwaterInterceptor.around("one"))
  class Routes {
    @Get("known") async known() {
      await turn();
      return { callId: currentContext()?.callId };
    }
  }
  const one = createPipeline(bulkhead({ concurrency: 1, queue: 50 }), retry({ delay: () => 0 }));
  const { url } = await serve(app(Routes, { one }));
  const ids = Array.from({ length: 40 }, (_, index) => `r-${index}`);
  const known = await Promise.all(
    ids.map(async (id) => (await fetch(`${url}/known`, { headers: { "x-request-id": id } })).json()),
  );
  expect(known).toEqual(ids.map((callId) => ({ callId })));
});

test.each(["value", "events"])(
  "what is refused inside is refused outside, and no failure: %s",
  async (path) => {
    let runs = 0;
    const refused = (): Observable<never> => {
      runs++;
      return throwError(() => new RefusedError({ by: "inner", code: "BULKHEAD_FULL" }));
    };
    @Controller()
    @UseInterceptors(
      BreakwaterInterceptor.around("outer"),
      BreakwaterInterceptor,
      BreakwaterInterceptor.around("inner"),
    )
    class Routes {
      @Get("value") value() {
        return refused();
      }
      @Sse("events") events() {
        return refused();
      }
    }
    const endings: unknown[] = [];
    const outer = createPipeline(retry({ attempts: 3, delay: () => 0 }));
    outer.on((event) => void (event.type === "call-end" && endings.push(event.ending.status)));
    const { url } = await serve(app(Routes, { outer, inner: [] }));
    const response = await fetch(`${url}/${path}`);
    expect([response.status, response.headers.get("x-breakwater-code")]).toEqual([503, "BULKHEAD_FULL"]);
    expect(runs).toBe(1);
    expect(endings).toEqual(["refused"]);
  },
);

test("one around all handlers of an application stands inside the context, too", async () => {
  @Controller()
  class Routes {
    @Get("known") known() {
      return { callId: currentContext()?.callId, tenant: currentContext()?.tenant };
    }
  }
  const all = createPipeline(bulkhead({ concurrency: 1 }));
  const { url } = await serve({
    imports: [BreakwaterModule.forRoot({ pipelines: { all }, context: { tenant: () => "north" } })],
    controllers: [Routes],
    providers: [{ provide: APP_INTERCEPTOR, useClass: BreakwaterInterceptor.around("all") }],
  });
  const response = await fetch(`${url}/known`, { headers: { "x-request-id": "r-1" } });
  expect(await response.json()).toEqual({ callId: "r-1", tenant: "north" });
  expect(all.snapshot().inFlight).toBe(0);
});

test("policies see the platform's request", async () => {
  const seen: unknown[] = [];
  @Controller()
  @UseInterceptors(BreakwaterInterceptor.around("seeing"))
  class Routes {
    @Get("books/:id") book() {
      return "book";
    }
  }
  const seeing = [
    retry({ when: (_, call) => (seen.push((call.request as { params: unknown }).params), false) }),
  ];
  const { url } = await serve(app(Routes, { seeing }));
  await fetch(`${url}/books/7`);
  expect(seen).toEqual([{ id: "7" }]);
});

test("a name that does not exist is told when the application starts", async () => {
  @Controller()
  @UseInterceptors(BreakwaterInterceptor.around("serach"))
  class Routes {
    @Get() get() {}
  }
  await expect(serve(app(Routes, { search: [] }))).rejects.toThrow(
    'BreakwaterInterceptor.around("serach"): there is no pipeline "serach"; there is "search".',
  );
});

test("a message that is no HTTP is done once, in its pipeline", async () => {
  const pipeline = createPipeline(retry({ attempts: 3, delay: () => 0 }), bulkhead({ concurrency: 1 }));
  const { app: nest } = await serve({
    imports: [BreakwaterModule.forRoot({ pipelines: { one: pipeline } })],
  });
  const Around = BreakwaterInterceptor.around("one") as new (registry: BreakwaterRegistry) => NestInterceptor;
  const interceptor = new Around(nest.get(BreakwaterRegistry));
  let runs = 0;
  const handler = (): void => {};
  const context = new ExecutionContextHost([{ some: "message" }], Object, handler);
  context.setType("rpc");
  const next = (handled: Observable<unknown>): CallHandler => ({
    handle: () => {
      runs++;
      return handled;
    },
  });
  const intercept = async (handled: Observable<unknown>) =>
    lastValueFrom((await interceptor.intercept(context, next(handled))) as Observable<unknown>);
  expect(await intercept(of("answer"))).toBe("answer");
  await expect(intercept(throwError(() => busy()))).rejects.toThrow("busy");
  expect(runs).toBe(2);
  expect(pipeline.snapshot().inFlight).toBe(0);
});

test.each(["rpc", "ws"])("a handler of %s may answer with many messages, as they come", async (type) => {
  const pipeline = createPipeline(bulkhead({ concurrency: 1 }));
  const { app: nest } = await serve({
    imports: [BreakwaterModule.forRoot({ pipelines: { one: pipeline } })],
  });
  const Around = BreakwaterInterceptor.around("one") as new (registry: BreakwaterRegistry) => NestInterceptor;
  const context = new ExecutionContextHost([{ some: "message" }], Object, () => {});
  context.setType(type);
  const messages = new Subject<string>();
  const answers: unknown[] = [];
  const answered = await new Around(nest.get(BreakwaterRegistry)).intercept(context, {
    handle: () => messages,
  });
  const subscription = answered.subscribe((answer) => answers.push(answer));
  await until(() => messages.observed);
  messages.next("a");
  messages.next("b");
  await until(() => answers.length === 2);
  expect(answers).toEqual(["a", "b"]);
  expect(pipeline.snapshot().inFlight).toBe(1);
  subscription.unsubscribe();
  await until(() => !messages.observed && pipeline.snapshot().inFlight === 0);
});
