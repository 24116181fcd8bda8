// How an application shuts down, with everything that runs in it.
import {
  bulkhead,
  cache,
  circuitBreaker,
  createClient,
  createPipeline,
  rateLimit,
  retry,
  timeout,
  upstream,
} from "@breakwater/core";
import { createTestClock, scriptedUpstream } from "@breakwater/testing";
import { Controller, Get, Injectable, Param, Sse } from "@nestjs/common";
import { APP_GUARD } from "@nestjs/core";
import { ExecutionContextHost } from "@nestjs/core/helpers/execution-context-host.js";
import { lastValueFrom, Subject } from "rxjs";
import { describe, expect, it, vi } from "vitest";

import { boot, platforms, serve } from "./app.test-help.ts";
import { visit, errorLog, turn, until } from "./browser.test-help.ts";
import {
  BreakwaterGuard,
  BreakwaterInterceptor,
  BreakwaterModule,
  type BreakwaterOptions,
  BreakwaterRegistry,
  InjectClient,
  UsePipeline,
  UsePolicies,
} from "./index.ts";

function talking() {
  const clock = createTestClock();
  const script = scriptedUpstream<string, AsyncIterable<unknown>>();
  const chat = createClient({ upstream: script.upstream, runtime: clock });
  return { clock, script, chat };
}

type Chat = ReturnType<typeof talking>["chat"];

@Controller()
class Talk {
  @InjectClient("chat") readonly chat!: Chat;
  /** Asks as often as there are words: what has begun is not to be stopped half-way. */
  @Sse("say/:words") async *say(@Param("words") words: string) {
    for (const word of words.split("-")) yield* await this.chat(word);
  }
  @Get("ask/:word") async ask(@Param("word") word: string) {
    const items: unknown[] = [];
    for await (const item of await this.chat(word)) items.push(item);
    return items;
  }
  @Get("plain") plain() {
    return "plain";
  }
}

const talk = (chat: Chat, options: BreakwaterOptions = {}) => ({
  imports: [BreakwaterModule.forRoot({ clients: { chat }, ...options })],
  controllers: [Talk],
});

const quiet = (app: { useLogger(logger: false): void }): void => app.useLogger(false);

describe.each(platforms)("a shutdown on %s", (platform) => {
  it("lets nothing new in, finishes what runs with all that it still asks for, and then closes", async () => {
    const { clock, script, chat } = talking();
    const { app, url } = await serve(talk(chat, { runtime: clock }), platform, quiet);
    const reader = visit(`${url}/say/one-two`);
    const first = (await script.next()).stream("a");
    expect(await reader.read()).toContain("a");
    let closed = false;
    const closing = app.close().then(() => (closed = true));
    await until(() =>
      app
        .get(BreakwaterRegistry)
        .snapshot()
        .some(({ draining }) => draining),
    );
    for (const path of ["ask/x", "say/x", "plain"]) {
      const refused = await fetch(`${url}/${path}`, { headers: { connection: "close" } });
      expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
      expect(await refused.json()).toMatchObject({ statusCode: 503, code: "DRAINING" });
    }
    first.end();
    const second = (await script.next()).stream("b");
    expect(await reader.read()).toContain("b");
    expect(closed).toBe(false);
    second.end();
    expect(await reader.read()).toContain("[DONE]");
    await closing;
    await expect(fetch(`${url}/plain`)).rejects.toThrow("fetch failed");
    expect(clock.pending).toBe(0);
  });

  it("cuts what is left when its time is over, and says so", async () => {
    const { clock, script, chat } = talking();
    const { app, url } = await serve(talk(chat, { runtime: clock, drain: "5s" }), platform, quiet);
    const readers = [visit(`${url}/say/one`), visit(`${url}/ask/two`)] as const;
    const streams = [(await script.next()).stream("a"), (await script.next()).stream("b")];
    expect(await readers[0].read()).toContain("a");
    const closing = app.close();
    await until(() => clock.pending > 0);
    await clock.advance(4_999);
    expect(streams.map(({ stopped }) => stopped)).toEqual([false, false]);
    await clock.advance(1);
    await until(() => streams.every(({ stopped }) => stopped));
    expect(await readers[0].read()).toContain("event: error");
    expect((await readers[1].response).statusCode).toBe(503);
    await clock.advance(10_000);
    await closing;
    expect(chat.snapshot().inFlight).toBe(0);
  });
});

describe("a shutdown", () => {
  it("has guards wait for what they let in, and lets no more in", async () => {
    const { clock, script, chat } = talking();
    const guarded = {
      ...talk(chat, { runtime: clock, inbound: [bulkhead({ name: "requests", concurrency: 5 })] }),
      providers: [{ provide: APP_GUARD, useClass: BreakwaterGuard }],
    };
    const { app, url } = await serve(guarded, "express", quiet);
    const asked = fetch(`${url}/ask/one`);
    const stream = (await script.next()).stream("a");
    const closing = app.close();
    await until(() => clock.pending > 0);
    expect((await fetch(`${url}/plain`, { headers: { connection: "close" } })).status).toBe(503);
    stream.end();
    expect(await (await asked).json()).toEqual(["a"]);
    await closing;
  });

  it("waits for handlers of messages, too, and lets no more of them begin", async () => {
    const app = await boot({ imports: [BreakwaterModule.forRoot()] });
    const interceptor = new BreakwaterInterceptor(app.get(BreakwaterRegistry));
    const message = new ExecutionContextHost([{}], class Handlers {}, function handle() {});
    message.setType("rpc");
    const answer = new Subject<string>();
    const intercepted = () => interceptor.intercept(message, { handle: () => answer });
    const running = lastValueFrom(intercepted());
    let closed = false;
    const closing = app.close().then(() => (closed = true));
    await until(() =>
      app
        .get(BreakwaterRegistry)
        .snapshot()
        .some(({ draining }) => draining),
    );
    await expect(lastValueFrom(intercepted())).rejects.toMatchObject({ code: "DRAINING" });
    await turn();
    expect(closed).toBe(false);
    answer.next("there");
    answer.complete();
    expect(await running).toBe("there");
    await closing;
  });

  it("leaves clients alone with drain: false, for the application that shares them", async () => {
    const ask = createClient(upstream(async (text: string) => text));
    const shared = { clients: { ask } };
    const [first, second] = [
      await boot({ imports: [BreakwaterModule.forRoot({ ...shared, drain: false })] }),
      await boot({ imports: [BreakwaterModule.forRoot(shared)] }),
    ];
    await first.close();
    expect(await ask("still there")).toBe("still there");
    await second.close();
    await expect(ask("gone")).rejects.toMatchObject({ code: "DRAINING" });
  });

  it("waits for work of no request, and then closes stores, once for each", async () => {
    const order: string[] = [];
    let finish = (): void => {};
    const pipeline = createPipeline({ name: "work" });
    const store = { close: async () => void order.push("store") };
    const both = {
      drain: async () => void order.push("drained"),
      close: async () => void order.push("closed"),
    };
    @Injectable()
    class Jobs {
      @UsePolicies() async run() {
        await new Promise<void>((resolve) => (finish = resolve));
        order.push("job");
      }
      @UsePipeline("work") async *items() {
        yield 1;
        order.push("items");
      }
    }
    const app = await boot({
      imports: [
        BreakwaterModule.forRoot({ clients: { store, same: store, both }, pipelines: { work: pipeline } }),
      ],
      providers: [Jobs],
    });
    const jobs = app.get(Jobs);
    const running = jobs.run();
    const items = jobs.items();
    await items.next();
    const closing = app.close();
    await until(() => pipeline.snapshot().draining);
    await expect(jobs.run()).rejects.toMatchObject({ code: "DRAINING" });
    await expect(jobs.items().next()).rejects.toMatchObject({ code: "DRAINING" });
    expect(order).toEqual(["drained"]);
    finish();
    await running;
    await turn();
    expect((await items.next()).done).toBe(true);
    await closing;
    expect(order).toEqual(["drained", "job", "items", "store", "closed"]);
  });

  it("closes everything else when something does not close, logs it, and does all that once", async () => {
    const error = new Error("the store hangs");
    const close = vi.fn<() => Promise<void>>().mockResolvedValue();
    const clients = { bad: { close: () => Promise.reject(error) }, good: { close } };
    const app = await boot({ imports: [BreakwaterModule.forRoot({ clients })] });
    const log = errorLog();
    log.listen(app);
    await app.close();
    await app.close();
    expect(log.errors).toEqual([error]);
    expect(close).toHaveBeenCalledOnce();
  });
});

describe("a registry", () => {
  it("shows what everything holds", async () => {
    @Injectable()
    class Books {
      @UsePolicies(circuitBreaker({ name: "books" })) async find() {}
    }
    const ask = createClient(upstream(async (text: string) => text, { name: "echo" }));
    const fetchLike = { close: async () => {}, snapshot: () => [ask.snapshot(), ask.snapshot()] };
    const silent = { close: async () => {} };
    const app = await boot({
      imports: [
        BreakwaterModule.forRoot({
          clients: { ask, fetchLike, silent },
          pipelines: { search: [retry()] },
          inbound: [rateLimit({ limits: { requests: { limit: 1, per: "1s" } } })],
        }),
      ],
      providers: [Books],
    });
    const snapshot = app.get(BreakwaterRegistry).snapshot();
    expect(snapshot.map(({ name }) => name)).toEqual([
      "handlers",
      "echo",
      "echo",
      "echo",
      "search",
      "Books.find",
      "inbound",
    ]);
  });

  it("makes pipelines of lists with the clock that it was given", async () => {
    const clock = createTestClock();
    @Injectable()
    class Slow {
      @UsePipeline("p") named() {
        return new Promise<void>(() => {});
      }
      @UsePolicies(() => [timeout({ total: "2s" })]) own() {
        return new Promise<void>(() => {});
      }
      @UsePolicies(cache({ ttl: "1m", shared: true, key: () => "one" })) async cached() {
        return clock.now();
      }
    }
    const app = await boot({
      imports: [
        BreakwaterModule.forRoot({
          runtime: clock,
          drain: false,
          pipelines: { p: [timeout({ total: "1s" })] },
        }),
      ],
      providers: [Slow],
    });
    const slow = app.get(Slow);
    const settled = Promise.allSettled([slow.named(), slow.own()]);
    await clock.advance(2_000);
    expect(await settled).toMatchObject([{ reason: { ms: 1_000 } }, { reason: { ms: 2_000 } }]);
    expect(await slow.cached()).toBe(2_000);
    await clock.advance(10_000);
    expect(await slow.cached()).toBe(2_000);
    await clock.advance(70_000);
    expect(await slow.cached()).toBe(82_000);
  });
});
