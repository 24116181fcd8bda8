import { AsyncLocalStorage } from "node:async_hooks";

import {
  bulkhead,
  type Call,
  cache,
  circuitBreaker,
  ConfigError,
  createClient,
  createPipeline,
  currentContext,
  guard,
  type Pipeline,
  type Policy,
  rateLimit,
  retry,
  timeout,
  upstream,
} from "@breakwater/core";
import { extendContext } from "@breakwater/http";
import { createTestClock, scriptedUpstream } from "@breakwater/testing";
import {
  type CanActivate,
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  Param,
  Post,
  Scope,
  SetMetadata,
  Sse,
  UseGuards,
} from "@nestjs/common";
import { ContextIdFactory, LazyModuleLoader, ModuleRef, REQUEST } from "@nestjs/core";
import {
  BehaviorSubject,
  concat,
  EMPTY,
  firstValueFrom,
  from,
  lastValueFrom,
  mergeMap,
  NEVER,
  Observable,
  of,
  range,
  reduce,
  take,
  throwError,
  toArray,
} from "rxjs";
import { describe, expect, expectTypeOf, it, vi } from "vitest";

import { boot, platforms, serve } from "./app.test-help.ts";
import { visit, type Visit, turn, until } from "./browser.test-help.ts";
import {
  BreakwaterModule,
  type BreakwaterOptions,
  BreakwaterRegistry,
  CallSignal,
  callSignal,
  getPipelineToken,
  InjectPipeline,
  toObservable,
  UsePipeline,
  UsePolicies,
} from "./index.ts";

const root = (options: BreakwaterOptions = {}) => BreakwaterModule.forRoot(options);

/** An application with these providers, and one of them. */
async function bootOne<T>(type: new (...args: never[]) => T, options: BreakwaterOptions = {}): Promise<T> {
  return (await boot({ imports: [root(options)], providers: [type] })).get(type);
}

/** A moment that a test decides on. */
function gate(): { readonly opened: Promise<void>; open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** A pipeline that tells what its policies saw of each call. */
function watched(...policies: readonly Policy[]): {
  readonly pipeline: Pipeline;
  readonly calls: Call<unknown>[];
} {
  const calls: Call<unknown>[] = [];
  const watch = guard("watch", { name: "watch", admit: (call) => void calls.push(call) });
  return { pipeline: createPipeline({ name: "watched" }, watch, ...policies), calls };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const busy = (): Error => Object.assign(new Error("busy"), { status: 503 });
const once = () => retry({ attempts: 2, baseDelay: 0 });
const one = (queue = 0) => bulkhead({ name: "one", concurrency: 1, queue });

describe("a decorated method", () => {
  @Injectable()
  class Kinds {
    runs = 0;
    @UsePipeline("p") async promise(n: number) {
      this.runs++;
      await turn();
      return n + 1;
    }
    @UsePipeline("p") plain(n: number): Promise<number> {
      this.runs++;
      return Promise.resolve(n + 1);
    }
    @UsePipeline("p") observable(n: number): Observable<number> {
      this.runs++;
      return range(1, n);
    }
    @UsePipeline("p") subject(n: number): BehaviorSubject<number> {
      return new BehaviorSubject(n);
    }
    @UsePipeline("p") async *iterable(n: number) {
      this.runs++;
      for (let i = 1; i <= n; i++) yield i;
    }
    @UsePipeline("p", { returns: "iterable" }) said(n: number): AsyncIterable<number> {
      return this.iterable(n);
    }
  }

  it("answers in its own way, whatever it returns", async () => {
    const kinds = await bootOne(Kinds, { pipelines: { p: [one()] } });
    expect(await kinds.promise(1)).toBe(2);
    expect(await kinds.plain(1)).toBe(2);
    expect(await lastValueFrom(kinds.observable(3).pipe(toArray()))).toEqual([1, 2, 3]);
    expect(await firstValueFrom(kinds.subject(7))).toBe(7);
    await turn(); // it has been left, and says so in its own time
    expect(await all(kinds.iterable(3))).toEqual([1, 2, 3]);
    expectTypeOf(kinds.promise).returns.toEqualTypeOf<Promise<number>>();
  });

  it("keeps this, its arguments, its name and its length", async () => {
    const kinds = await bootOne(Kinds, { pipelines: { p: [] } });
    await kinds.promise(1);
    expect(kinds.runs).toBe(1);
    expect([kinds.promise.name, kinds.promise.length]).toEqual(["promise", 1]);
    expect(Object.keys(kinds), "nothing of ours is seen on the instance").toEqual(["runs"]);
  });

  it("keeps metadata of decorators above it and below it", async () => {
    class Marked {
      @SetMetadata("above", 1)
      @UsePolicies(retry())
      @SetMetadata("below", 2)
      async m() {}
    }
    const { m } = Marked.prototype;
    expect([Reflect.getMetadata("above", m), Reflect.getMetadata("below", m)]).toEqual([1, 2]);
  });

  it("is a route whether it is decorated above or below", async () => {
    @Controller()
    class Routes {
      @Get("a") @UsePolicies(retry()) async a() {
        return "a";
      }
      @UsePolicies(retry()) @Get("b") async b() {
        return "b";
      }
    }
    const { url } = await serve({ imports: [root()], controllers: [Routes] });
    for (const path of ["a", "b"]) expect(await (await fetch(`${url}/${path}`)).text()).toBe(path);
  });

  it("trap 33: runs 5 of 1000 at a time where 5 is the limit", async () => {
    let active = 0;
    let most = 0;
    @Injectable()
    class Busy {
      @UsePipeline("five") async work() {
        most = Math.max(most, ++active);
        await turn();
        active--;
      }
      @UsePipeline("five") stream(): Observable<number> {
        return new Observable((subscriber) => {
          void this.#item()
            .then((item) => subscriber.next(item))
            .then(() => subscriber.complete());
        });
      }
      async #item() {
        most = Math.max(most, ++active);
        await turn();
        return active--;
      }
    }
    const busyOne = await bootOne(Busy, {
      pipelines: { five: [bulkhead({ concurrency: 5, queue: 1_000 })] },
    });
    await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => (i % 2 ? busyOne.work() : lastValueFrom(busyOne.stream()))),
    );
    expect(most).toBe(5);
  });

  it("rejects with what it throws at once, unwrapped", async () => {
    const mistake = new RangeError("mine");
    @Injectable()
    class Throws {
      @UsePolicies(once()) m(): Promise<void> {
        throw mistake;
      }
      @UsePolicies(once()) o(): Observable<void> {
        throw mistake;
      }
      @UsePolicies({ returns: "iterable" }, once()) i(): AsyncIterable<void> {
        throw mistake;
      }
    }
    const throws = await bootOne(Throws);
    await expect(throws.m()).rejects.toBe(mistake);
    await expect(lastValueFrom(throws.o())).rejects.toBe(mistake);
    await expect(all(throws.i())).rejects.toBe(mistake);
  });

  it("rejects when what is said of the call throws: it never throws at once", async () => {
    @Injectable()
    class Options {
      @UsePolicies({ tenant: (user: { team: string }) => user.team })
      async m(_user: { team: string }) {}
    }
    const options = await bootOne(Options);
    await expect(options.m(undefined as never)).rejects.toBeInstanceOf(TypeError);
  });

  it("says what is wrong when it returns something else than it was taken for", async () => {
    class Wrong {
      @UsePolicies({ returns: "promise" }) observable(): Observable<number> {
        return of(1);
      }
      @UsePolicies({ returns: "promise" }) async *iterable() {
        yield 1;
      }
      @UsePolicies({ returns: "iterable" }) async promise() {
        return 1;
      }
      @UsePolicies() async later(): Promise<Observable<number>> {
        return of(1);
      }
    }
    const wrong = new Wrong();
    await expect(lastValueFrom(from(wrong.observable()))).rejects.toThrow(
      'Wrong.observable: @UsePolicies(…): the method does not return a promise. Say { returns: "observable" }.',
    );
    await expect(wrong.iterable() as never).rejects.toThrow('{ returns: "iterable" }');
    await expect(all(wrong.promise() as never)).rejects.toThrow(
      'returns no stream. Say { returns: "promise" }',
    );
    await expect(wrong.later()).rejects.toThrow("promises an Observable");
  });
});

describe("what policies see of a call", () => {
  it("is its arguments, and what is said of them", async () => {
    const { pipeline, calls } = watched();
    @Injectable()
    class Books {
      @UsePipeline("p", {
        tenant: (_words: string, user: { team: string }) => user.team,
        cost: (words: string) => ({ totalTokens: words.length }),
        priority: () => "batch",
        deadline: "5s",
      })
      async find(words: string, _user: { team: string }) {
        return words;
      }
    }
    const books = await bootOne(Books, { pipelines: { p: pipeline } });
    await books.find("whales", { team: "north" });
    expect(calls[0]).toMatchObject({
      request: ["whales", { team: "north" }],
      tenant: "north",
      priority: "batch",
      trip: { cost: { totalTokens: 6 } },
    });
    expect(calls[0]?.remainingMs).toBeLessThanOrEqual(5_000);
  });

  it("comes from the call context where it is not said", async () => {
    const { pipeline, calls } = watched();
    @Injectable()
    class Books {
      @UsePipeline("p", { tenant: (team?: string) => team }) async find(_team?: string) {}
    }
    const books = await bootOne(Books, { pipelines: { p: pipeline } });
    await extendContext({ tenant: "south", priority: "batch", callId: "c1" }, async () => {
      await books.find();
      await books.find("north");
      await books.find("");
    });
    expect(calls.map(({ tenant, priority, id }) => [tenant, priority, id])).toEqual([
      ["south", "batch", "c1"],
      ["north", "batch", "c1"],
      ["south", "batch", "c1"],
    ]);
  });

  it("is a key that is made of arguments", async () => {
    class Books {
      @UsePolicies(
        rateLimit({ key: ([user]: [string]) => user, limits: { requests: { limit: 1, per: "1h" } } }),
      )
      async find(_user: string) {}
    }
    const books = new Books();
    await books.find("a");
    await books.find("b");
    await expect(books.find("a")).rejects.toMatchObject({ code: "RATE_LIMITED" });
  });

  it("is cached by them", async () => {
    let runs = 0;
    class Books {
      @UsePolicies(cache({ ttl: "1m", shared: true, key: ([words]: [string]) => words }))
      async find(words: string) {
        runs++;
        return words.toUpperCase();
      }
    }
    const books = new Books();
    expect([await books.find("a"), await books.find("a"), await books.find("b")]).toEqual(["A", "A", "B"]);
    expect(runs).toBe(2);
  });

  it("is once only of a route that is not safe", async () => {
    const runs: string[] = [];
    @Injectable()
    class Service {
      @UsePolicies(once()) async write() {
        runs.push("service");
        if (runs.filter((run) => run === "service").length % 2) throw busy();
      }
    }
    @Controller()
    class Routes {
      @Inject(Service) readonly service!: Service;
      @Post("post") @UsePolicies(once()) async post() {
        runs.push("post");
        await this.service.write();
        throw busy();
      }
      @Post("again") @UsePolicies({ idempotent: true }, once()) async again() {
        runs.push("again");
        throw busy();
      }
      @Get("get") @UsePolicies(once()) async get() {
        runs.push("get");
        throw busy();
      }
      @Get("never") @UsePolicies({ idempotent: false }, once()) async never() {
        runs.push("never");
        throw busy();
      }
    }
    const { url } = await serve(
      { imports: [root()], controllers: [Routes], providers: [Service] },
      "express",
      (app) => app.useLogger(false),
    );
    for (const path of ["post", "again"]) await fetch(`${url}/${path}`, { method: "POST" });
    for (const path of ["get", "never"]) await fetch(`${url}/${path}`);
    expect(runs).toEqual(["post", "service", "service", "again", "again", "get", "get", "never"]);
  });

  it("is once only of a route also where a decorator above has put a function without a name in its place", async () => {
    const Logged = (): MethodDecorator => (_target, _key, descriptor: PropertyDescriptor) => {
      const method = descriptor.value as (...args: unknown[]) => unknown;
      descriptor.value = function (this: unknown, ...args: unknown[]) {
        return method.apply(this, args);
      };
    };
    let runs = 0;
    @Controller()
    class Routes {
      @Post() @Logged() @UsePolicies(once()) async post() {
        runs++;
        throw busy();
      }
    }
    const { url } = await serve({ imports: [root()], controllers: [Routes] }, "express", (app) =>
      app.useLogger(false),
    );
    await fetch(url, { method: "POST" });
    expect(runs).toBe(1);
  });
});

describe("several decorators", () => {
  const order: string[] = [];
  const noted = (name: string) => guard(name, { name, admit: () => void order.push(name) });

  it("stand in the order in which they are written, also within one", async () => {
    class Stacked {
      @UsePolicies(noted("first"), noted("second"))
      @UsePolicies(noted("third"))
      async m() {
        order.push("method");
      }
    }
    order.length = 0;
    await new Stacked().m();
    expect(order).toEqual(["first", "second", "third", "method"]);
  });

  it("know what the method under them returns", async () => {
    class Stacked {
      @UsePolicies(noted("a")) @UsePolicies(noted("b")) async *items() {
        yield* [1, 2];
      }
      @UsePolicies(noted("a"))
      @UsePolicies({ returns: "observable" }, noted("b"))
      said(): Observable<number> {
        return of(1, 2);
      }
    }
    expect(await all(new Stacked().items())).toEqual([1, 2]);
    expect(await lastValueFrom(new Stacked().said().pipe(toArray()))).toEqual([1, 2]);
  });

  it("do not multiply retries", async () => {
    let runs = 0;
    class Stacked {
      @UsePolicies(retry({ attempts: 3, baseDelay: 0 }))
      @UsePolicies(retry({ attempts: 3, baseDelay: 0 }))
      async m() {
        runs++;
        throw busy();
      }
    }
    await expect(new Stacked().m()).rejects.toThrow("busy");
    expect(runs).toBe(3);
  });
});

describe("a class that is extended", () => {
  it("hands decorated methods on, and what overrides one is not decorated unless it says so", async () => {
    const { pipeline, calls } = watched();
    @Injectable()
    class Base {
      @Inject("SUFFIX") readonly suffix!: string;
      @UsePipeline("p") async m(text: string) {
        return `${text}${this.suffix}`;
      }
    }
    @Injectable()
    class Inherits extends Base {
      @Inject("MORE") readonly more!: string;
    }
    @Injectable()
    class Overrides extends Base {
      override async m(text: string) {
        return `own ${text}`;
      }
    }
    @Injectable()
    class Both extends Base {
      @UsePolicies(once()) override async m(text: string) {
        return `both ${await super.m(text)}`;
      }
    }
    const app = await boot({
      imports: [root({ pipelines: { p: pipeline } })],
      providers: [
        Base,
        Inherits,
        Overrides,
        Both,
        { provide: "SUFFIX", useValue: "!" },
        { provide: "MORE", useValue: 1 },
      ],
    });
    expect(await app.get(Inherits).m("a")).toBe("a!");
    expect(app.get(Inherits).more).toBe(1);
    expect(calls).toHaveLength(1);
    expect(await app.get(Overrides).m("b")).toBe("own b");
    expect(calls).toHaveLength(1);
    expect(await app.get(Both).m("c")).toBe("both c!");
    expect(calls).toHaveLength(2);
  });

  it("has the signals where the method that runs says, not where one that it overrides does", async () => {
    class Base {
      @UsePolicies() async m(a: unknown, @CallSignal() b?: unknown, c?: unknown) {
        return [a, b instanceof AbortSignal, c];
      }
    }
    class Sub extends Base {
      @UsePolicies() override async m(a: unknown, b?: unknown, @CallSignal() c?: unknown) {
        return [a, b, c instanceof AbortSignal, ...(await super.m(a, undefined, "c"))];
      }
    }
    expect(await new Sub().m("a", "b")).toEqual(["a", "b", true, "a", true, "c"]);
  });
});

describe("state", () => {
  it("is one for all methods that use a name, and one per application", async () => {
    @Injectable()
    class Books {
      @UsePipeline("p") async a() {}
      @UsePipeline("p") async b() {}
    }
    const limited = () => [rateLimit({ limits: { requests: { limit: 1, per: "1h" } } })];
    const [first, second] = [
      await bootOne(Books, { pipelines: { p: limited() } }),
      await bootOne(Books, { pipelines: { p: limited() } }),
    ];
    await first.a();
    await expect(first.b()).rejects.toMatchObject({ code: "RATE_LIMITED" });
    await second.b();
  });

  it("is one per decorated method, and with a function one per application", async () => {
    const limited = () => rateLimit({ limits: { requests: { limit: 1, per: "1h" } } });
    @Injectable()
    class Books {
      @UsePolicies(limited()) async shared() {}
      @UsePolicies(() => [limited()]) async own() {}
    }
    const [first, second] = [await bootOne(Books), await bootOne(Books)];
    await first.shared();
    await expect(second.shared()).rejects.toMatchObject({ code: "RATE_LIMITED" });
    await first.own();
    await expect(first.own()).rejects.toMatchObject({ code: "RATE_LIMITED" });
    await second.own();
  });

  it("outlives instances of one request, and those of one injection", async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      @Inject(REQUEST) readonly request: unknown;
      @UsePipeline("p") async m() {
        return this.request;
      }
    }
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Durable {
      @UsePipeline("p") async m() {}
    }
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient {
      @UsePipeline("p") async m() {}
    }
    @Injectable()
    class Holder {
      @Inject(Transient) readonly transient!: Transient;
    }
    const { pipeline, calls } = watched();
    const app = await boot({
      imports: [root({ pipelines: { p: pipeline } })],
      providers: [PerRequest, Durable, Transient, Holder],
    });
    for (const n of [1, 2]) {
      const id = ContextIdFactory.create();
      app.registerRequestByContextId({ n }, id);
      expect(await (await app.resolve(PerRequest, id)).m()).toEqual({ n });
      await (await app.resolve(Durable, id)).m();
    }
    await (await app.resolve(Transient)).m();
    await app.get(Holder).transient.m();
    await (await app.get(ModuleRef).create(Transient)).m();
    expect(calls).toHaveLength(7);
  });

  it("is the application's also for instances that a factory of the user's made", async () => {
    class Books {
      @UsePipeline("p") async find() {
        return "found";
      }
    }
    const app = await boot({
      imports: [root({ pipelines: { p: [] } })],
      providers: [
        { provide: Books, useFactory: async () => new Books() },
        { provide: "value", useValue: new Books() },
        { provide: "alias", useExisting: Books },
      ],
    });
    for (const token of [Books, "value", "alias"]) expect(await app.get<Books>(token).find()).toBe("found");
  });

  it("of policies is there without Nest; a name is not", async () => {
    class Books {
      @UsePolicies(rateLimit({ limits: { requests: { limit: 1, per: "1h" } } })) async a() {}
      @UsePipeline("search") async b() {}
    }
    await new Books().a();
    await expect(new Books().a()).rejects.toMatchObject({ code: "RATE_LIMITED" });
    await expect(new Books().b()).rejects.toThrow(
      'Books.b: @UsePipeline("search"): the instance was not made by Nest, so it is in no application that could have a pipeline "search".',
    );
  });
});

describe("a mistake", () => {
  const isNone = "decorates methods of instances, and this is none";

  it("in where it stands is told when the class is defined", () => {
    expect(() => {
      class Books {
        @UsePolicies(retry()) static async find() {}
      }
      return Books;
    }).toThrow(`Books.find: @UsePolicies(…) ${isNone}`);
    expect(() => {
      class Books {
        // @ts-expect-error -- a getter is no method
        @UsePipeline("p") get find() {
          return 1;
        }
      }
      return Books;
    }).toThrow(`Books.find: @UsePipeline("p") ${isNone}`);
    expect(() => {
      class Books {
        // @ts-expect-error -- nor is a property
        @UsePipeline("p") find = async (): Promise<void> => {};
      }
      return Books;
    }).toThrow(`Books.find: @UsePipeline("p") ${isNone}`);
    expect(() => {
      // @ts-expect-error -- nor is a class
      @UsePolicies(retry())
      class Books {}
      return Books;
    }).toThrow(`Books: @UsePolicies(…) ${isNone}`);
    const tc39 = UsePolicies(retry()) as unknown as (target: unknown, context: unknown) => void;
    for (const target of [async () => {}, undefined])
      expect(() => tc39(target, { kind: "method", name: "find" })).toThrow(
        '@UsePolicies(…) needs "experimentalDecorators", as all decorators of Nest do.',
      );
    const onConstructor = () => CallSignal()(class {}, undefined, 0);
    expect(onConstructor).toThrow(ConfigError);
    expect(onConstructor).toThrow("parameter of a method");
  });

  it("in its options as well", () => {
    const method = (decorator: unknown) => () => {
      class Books {
        async find() {}
      }
      const descriptor = Object.getOwnPropertyDescriptor(Books.prototype, "find");
      (decorator as MethodDecorator)(Books.prototype, "find", descriptor as PropertyDescriptor);
    };
    const deadline = Number(undefined);
    expect(method(UsePipeline("p", { deadline }))).toThrow(
      /^Books.find: @UsePipeline\("p"\): deadline .*NaN/,
    );
    expect(method(UsePipeline("p", { tenant: "north" as never }))).toThrow("tenant must be a function");
    expect(method(UsePipeline("p", { returns: "list" as never }))).toThrow(
      'returns must be one of "promise"',
    );
    expect(method(UsePolicies({ attempts: 3 } as never))).toThrow('unknown option "attempts"');
    expect(() => UsePolicies(retry as never, retry())).toThrow(
      "got the function retry, which was not called: write retry()",
    );
    expect(() => UsePolicies(undefined as never)).toThrow(
      'a policy such as retry() or timeout({ total: "10s" }) is expected, got undefined',
    );
    expect(() => UsePolicies([retry()] as never)).toThrow(
      'a policy such as retry() or timeout({ total: "10s" }) is expected, got an array',
    );
    expect(() => UsePolicies(retry(), { name: "late" } as never)).toThrow("a policy such as retry()");
    expect(method(UsePolicies as never), "without parentheses").toThrow("a policy such as retry()");
  });

  it.each([undefined, ""])("in a name that is none, %j, is told where it stands", (name) => {
    expect(() => UsePipeline(name as never)).toThrow(
      "@UsePipeline(…): the name of a pipeline must be given, got ",
    );
  });

  it("in a name, or in what a function makes, is told when the application starts", async () => {
    @Injectable()
    class Books {
      @UsePipeline("serach") async find() {}
    }
    await expect(bootOne(Books, { pipelines: { search: [], chat: [] } })).rejects.toThrow(
      'Books.find: @UsePipeline("serach"): there is no pipeline "serach"; there is "search", "chat". Name it in BreakwaterModule.forRoot({ pipelines: { … } }) or forFeature().',
    );
    await expect(bootOne(Books)).rejects.toThrow("none has been given");
    @Injectable()
    class Uncalled {
      @UsePolicies(retry as never) async find() {}
    }
    await expect(bootOne(Uncalled)).rejects.toThrow(
      "Uncalled.find: @UsePolicies(…): createPipeline(…) or a list of policies is expected",
    );
    const own = new Error("mine");
    @Injectable()
    class Fails {
      @UsePolicies(() => {
        throw own;
      })
      async find() {}
    }
    await expect(bootOne(Fails)).rejects.toBe(own);
  });

  it("is found in controllers, in providers of one request, in what is inherited and in what a factory made", async () => {
    class Base {
      @UsePipeline("none") async m() {}
    }
    @Controller()
    class InController extends Base {}
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest extends Base {}
    const imports = [root()];
    const told = 'Base.m: @UsePipeline("none"): there is no pipeline "none"';
    await expect(boot({ imports, controllers: [InController] })).rejects.toThrow(told);
    await expect(boot({ imports, providers: [PerRequest] })).rejects.toThrow(told);
    await expect(
      boot({ imports, providers: [{ provide: "b", useFactory: () => new Base() }] }),
    ).rejects.toThrow(told);
  });

  it("is a method whose result cannot be known", async () => {
    @Injectable()
    class Unknown {
      @UsePolicies(retry()) items(): AsyncIterable<number> {
        return new Unknown().items();
      }
    }
    await expect(bootOne(Unknown)).rejects.toThrow(
      'Unknown.items: @UsePolicies(…): what the method returns cannot be seen from its declaration. Say { returns: "promise" }',
    );
  });

  it("is no module at all", async () => {
    @Injectable()
    class Books {
      @UsePolicies(retry()) async find() {}
    }
    await expect(boot({ providers: [Books] })).rejects.toThrow("BreakwaterModule.forRoot()");
  });
});

describe("the signal of an attempt", () => {
  it("is another one for each attempt, on the parameter and in callSignal()", async () => {
    const seen: (AbortSignal | undefined)[] = [];
    class Books {
      @UsePolicies(once()) async find(_words: string, @CallSignal() signal?: AbortSignal) {
        expect(callSignal()).toBe(signal);
        await turn();
        expect(callSignal()).toBe(signal);
        if (seen.push(signal) < 2) throw busy();
      }
    }
    await new Books().find("whales");
    expect(new Set(seen).size).toBe(2);
    expect(callSignal()).toBeUndefined();
  });

  it("fires when a clock of its own runs out, and ends the clients that are called inside", async () => {
    const clock = createTestClock();
    const left: unknown[] = [];
    const ask = createClient(
      upstream((_words: string, { signal }) => {
        signal.addEventListener("abort", () => left.push(signal.reason));
        return new Promise<string>((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason as Error));
        });
      }),
    );
    @Injectable()
    class Books {
      @UsePipeline("p") async find() {
        return ask("x");
      }
    }
    const books = await bootOne(Books, { runtime: clock, pipelines: { p: [timeout({ total: "1s" })] } });
    await expect(clock.until(books.find())).rejects.toMatchObject({ code: "TIMED_OUT" });
    expect(clock.now()).toBe(1_000);
    expect(left).toHaveLength(1);
    expect(ask.snapshot().inFlight).toBe(0);
  });

  it("follows a signal that the caller hands over in its place", async () => {
    const reason = new Error("enough");
    class Books {
      @UsePolicies(one(5)) async find(@CallSignal() signal?: AbortSignal) {
        await new Promise((_, reject) => {
          signal?.addEventListener("abort", () => reject(signal.reason as Error));
        });
      }
      @UsePolicies(one(5)) async *items(@CallSignal() signal?: AbortSignal) {
        yield 1;
        await new Promise((_, reject) => {
          signal?.addEventListener("abort", () => reject(signal.reason as Error));
        });
      }
    }
    const books = new Books();
    const caller = new AbortController();
    const asked = [
      books.find(caller.signal),
      books.find(caller.signal),
      all(books.items(caller.signal)),
      all(books.items(caller.signal)),
    ];
    const settled = Promise.allSettled(asked);
    await turn();
    caller.abort(reason);
    for (const end of await settled) expect(end).toMatchObject({ status: "rejected", reason });
  });
});

describe("a slot that another call hands over", () => {
  // The call that gives its permit back runs the queue: what waited must not run on in its context.
  const users = new AsyncLocalStorage<string>();

  it("runs in the context of the call that waited for it", async () => {
    const seen: unknown[] = [];
    const { pipeline: inner, calls } = watched();
    const note = async (): Promise<void> => {
      await inner.execute(() => undefined);
      seen.push([users.getStore(), currentContext()?.tenant, callSignal()?.aborted, calls.at(-1)?.tenant]);
    };
    const held = gate();
    @Injectable()
    class Shared {
      @UsePipeline("one") async hold() {
        await held.opened;
      }
      @UsePipeline("one") async promise() {
        await note();
      }
      @UsePipeline("one") observable(): Observable<number> {
        return new Observable((subscriber) => {
          void note().then(() => subscriber.complete());
        });
      }
      @UsePipeline("one") async *iterable() {
        await note();
        yield 1;
        await note();
      }
    }
    const shared = await bootOne(Shared, { pipelines: { one: [one(10)] } });
    const as = <T>(name: string, f: () => T): T => users.run(name, () => extendContext({ tenant: name }, f));
    const asked = [
      as("B", () => shared.hold()),
      as("A1", () => shared.promise()),
      as("A2", () => lastValueFrom(shared.observable(), { defaultValue: 0 })),
      as("A3", () => all(shared.iterable())),
    ];
    await turn();
    held.open();
    await Promise.all(asked);
    expect(seen).toEqual(["A1", "A2", "A3", "A3"].map((name) => [name, name, false, name]));
  });

  it("is not waited for any more by who has left", async () => {
    const held = gate();
    let runs = 0;
    @Injectable()
    class Shared {
      @UsePipeline("one") async hold() {
        await held.opened;
      }
      @UsePipeline("one") async promise() {
        runs++;
      }
    }
    const shared = await bootOne(Shared, { pipelines: { one: [one(10)] } });
    const holding = shared.hold();
    const browser = new AbortController();
    const waiting = extendContext({ signal: browser.signal }, () => shared.promise());
    const reason = new Error("left");
    browser.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    held.open();
    await holding;
    await turn();
    expect(runs).toBe(0);
  });
});

describe("permits of a stream", () => {
  async function streams() {
    const log: string[] = [];
    const silence = gate();
    @Injectable()
    class Streams {
      @UsePipeline("p") async *items(n = 3) {
        log.push("begin");
        try {
          for (let i = 1; i <= n; i++) yield i;
        } finally {
          log.push("end");
        }
      }
      @UsePipeline("p") async *silent(@CallSignal() signal?: AbortSignal) {
        signal?.addEventListener("abort", () => log.push("signal"));
        yield 1;
        await silence.opened;
        yield 2;
      }
      @UsePipeline("p") observable(source: Observable<number>): Observable<number> {
        log.push("begin");
        return source;
      }
      @UsePipeline("p") async hold() {
        await silence.opened;
      }
    }
    const pipeline = createPipeline(one(5));
    const app = await boot({ imports: [root({ pipelines: { p: pipeline } })], providers: [Streams] });
    const held = () => pipeline.snapshot().inFlight;
    return { streams: app.get(Streams), log, silence, held };
  }

  it("trap 32: are not taken by one that nobody reads, or that is left before", async () => {
    const { streams: s, log, held } = await streams();
    const never = s.items();
    const left = s.items();
    await left.return(undefined);
    expect(await left.next()).toEqual({ done: true, value: undefined });
    const observable = s.observable(of(1));
    await turn();
    expect([held(), log]).toEqual([0, []]);
    expect(await all(never)).toEqual([1, 2, 3]);
    expect(await lastValueFrom(observable)).toBe(1);
  });

  it("are held to the last item", async () => {
    const { streams: s, log, held } = await streams();
    const items = s.items(1);
    await items.next();
    expect([held(), log]).toEqual([1, ["begin"]]);
    expect((await items.next()).done).toBe(true);
    expect([held(), log]).toEqual([0, ["begin", "end"]]);
    expect((await items.next()).done).toBe(true);
    expect((await items.return(undefined)).done).toBe(true);
  });

  it("are given back when a loop over it is left, after its finally", async () => {
    const { streams: s, log, held } = await streams();
    for await (const item of s.items()) if (item === 2) break;
    await turn();
    expect([held(), log]).toEqual([0, ["begin", "end"]]);
  });

  it("are given back when it is left while it is silent, whose signal fires", async () => {
    const { streams: s, log, held, silence } = await streams();
    const items = s.silent();
    await items.next();
    const waiting = Promise.allSettled([items.next()]);
    await items.return(undefined);
    expect(log).toEqual(["signal"]);
    await waiting;
    silence.open();
    await turn();
    expect(held()).toBe(0);
  });

  it("are given back by all else that a generator can do: it is thrown into, or disposed of", async () => {
    const { streams: s, log, held } = await streams();
    const thrown = s.items();
    await thrown.next();
    const error = new Error("mine");
    await expect(thrown.throw(error)).rejects.toBe(error);
    expect([held(), log, (await thrown.next()).done]).toEqual([0, ["begin", "end"], true]);
    const disposed = s.items();
    await disposed.next();
    const dispose = Reflect.get(disposed, Symbol.asyncDispose) as () => Promise<void>;
    await dispose();
    expect([held(), log]).toEqual([0, ["begin", "end", "begin", "end"]]);
  });

  it("are one for each stream: a second reader at the same time is told so", async () => {
    const { streams: s, held } = await streams();
    const items = s.items();
    const [first, second] = await Promise.allSettled([items.next(), items.next()]);
    expect(first).toMatchObject({ status: "fulfilled", value: { value: 1 } });
    expect(second).toMatchObject({ status: "rejected", reason: { name: "TypeError" } });
    await items.return(undefined);
    expect(held()).toBe(0);
  });

  it("are given back when it is left in the queue", async () => {
    const { streams: s, log, held, silence } = await streams();
    const holding = s.hold();
    const items = s.items();
    const queued = Promise.allSettled([items.next()]);
    const subscription = s.observable(of(1)).subscribe();
    await turn();
    expect(held()).toBe(3);
    subscription.unsubscribe();
    await items.return(undefined);
    await queued;
    expect([held(), log]).toEqual([1, []]);
    silence.open();
    await holding;
    expect([held(), log]).toEqual([0, []]);
  });

  it("are taken by each subscription, for an attempt of its own", async () => {
    const { streams: s, log, held } = await streams();
    const observable = s.observable(concat(of(1, 2), of(3)));
    const both = await Promise.all([1, 2].map(() => lastValueFrom(observable.pipe(toArray()))));
    expect(both).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect([held(), log]).toEqual([0, ["begin", "begin"]]);
  });

  it.each<[string, Observable<number>, unknown]>([
    ["empty", EMPTY, [0, 0]],
    ["that says all at once", range(1, 100_000), [100_000, 5_000_050_000]],
  ])("are given back by an Observable %s", async (_, source, expected) => {
    const { streams: s, held } = await streams();
    const sum = s.observable(source).pipe(reduce(([n = 0, total = 0], x) => [n + 1, total + x], [0, 0]));
    expect(await lastValueFrom(sum)).toEqual(expected);
    expect(held()).toBe(0);
  });

  it("are given back by an Observable that never says anything, once it is left", async () => {
    const { streams: s, held } = await streams();
    const unsubscribed = vi.fn<() => void>();
    const subscription = s.observable(concat(of(1), new Observable<number>(() => unsubscribed))).subscribe();
    const silent = s.observable(NEVER).subscribe();
    await turn();
    expect(held()).toBe(2);
    subscription.unsubscribe();
    silent.unsubscribe();
    await turn();
    expect(unsubscribed).toHaveBeenCalledOnce();
    expect(held()).toBe(0);
  });

  it("are given back by an Observable that does not stop, which has gone too far ahead", async () => {
    const { streams: s, held } = await streams();
    const endless = s.observable(range(0, Infinity));
    await expect(lastValueFrom(endless)).rejects.toThrow("1000000 items ahead of its reader");
    expect(held()).toBe(0);
  });

  it("are given back by one that fails, with its error, and tried again only before the first item", async () => {
    let runs = 0;
    class Fails {
      @UsePolicies(once()) early(): Observable<number> {
        return ++runs === 1 ? throwError(busy) : of(runs);
      }
      @UsePolicies(once()) late(): Observable<number> {
        runs++;
        return concat(of(1), throwError(busy));
      }
      @UsePolicies(once()) nothing(): Observable<number> {
        return concat(
          of(1),
          throwError(() => undefined),
        );
      }
    }
    const fails = new Fails();
    expect(await lastValueFrom(fails.early())).toBe(2);
    runs = 0;
    const items: number[] = [];
    const told = await new Promise((resolve) => {
      fails.late().subscribe({ next: (item) => void items.push(item), error: resolve });
    });
    expect(told).toMatchObject({ message: "busy" });
    expect([items, runs]).toEqual([[1], 1]);
    await expect(lastValueFrom(fails.nothing())).rejects.toBeUndefined();
  });

  it("are given back when only the first item was wanted", async () => {
    const { streams: s, held } = await streams();
    expect(await firstValueFrom(s.observable(range(1, 10)))).toBe(1);
    expect(await lastValueFrom(s.observable(range(1, 10)).pipe(take(2)))).toBe(2);
    await turn();
    expect(held()).toBe(0);
  });
});

async function readTo(browser: Visit, text: string): Promise<void> {
  while (!(await browser.read()).includes(text));
}

describe.each(platforms)("a decorated service behind a controller on %s", (platform) => {
  it("streams, holds its permit to the last event, and leaves the queue with the browser", async () => {
    const script = scriptedUpstream<string, AsyncIterable<unknown>>();
    const chat = createClient(script.upstream);
    @Injectable()
    class Chat {
      @UsePipeline("one") async *items(question: string) {
        yield* await chat(question);
      }
      @UsePipeline("one") observable(question: string): Observable<unknown> {
        return from(chat(question)).pipe(mergeMap((items) => toObservable(items)));
      }
    }
    @Controller()
    class Routes {
      @Inject(Chat) readonly chat!: Chat;
      @Sse("items/:question") items(@Param("question") question: string) {
        return this.chat.items(question);
      }
      @Sse("observable/:question") observable(@Param("question") question: string) {
        return this.chat.observable(question);
      }
    }
    const pipeline = createPipeline(one(5));
    const held = () => pipeline.snapshot().inFlight;
    const { url } = await serve(
      { imports: [root({ pipelines: { one: pipeline } })], controllers: [Routes], providers: [Chat] },
      platform,
    );
    for (const path of ["items", "observable"]) {
      const first = visit(`${url}/${path}/first`);
      const { stream, request } = await script.next();
      const events = stream("a");
      expect(request).toBe("first");
      await readTo(first, "data: a");
      const queued = [visit(`${url}/${path}/second`), visit(`${url}/${path}/third`)] as const;
      await until(() => held() === 3);
      queued[0].leave();
      await until(() => held() === 2);
      expect(script.active).toBe(1);
      // The browser leaves while nothing is being said: the upstream hears of it, and the next one is let in.
      first.leave();
      await until(() => events.stopped);
      const third = await script.next();
      expect(third.request).toBe("third");
      third.stream("b").end();
      await readTo(queued[1], "data: b");
      await until(() => held() === 0);
      expect(script.active).toBe(0);
    }
  });

  it("has its context also where Nest makes what is neither controller nor provider of a module", async () => {
    const { pipeline, calls } = watched();
    @Injectable()
    class Door implements CanActivate {
      @UsePipeline("p") async canActivate() {
        return true;
      }
    }
    @Controller()
    class Routes {
      @UseGuards(Door) @Get() get() {
        return "in";
      }
    }
    const { url } = await serve(
      { imports: [root({ pipelines: { p: pipeline } })], controllers: [Routes] },
      platform,
    );
    expect(await (await fetch(url)).text()).toBe("in");
    expect(calls).toHaveLength(1);
  });
});

describe("a circuit around a method", () => {
  it("is not opened by readers who leave", async () => {
    const breaker = circuitBreaker({ name: "books", minimumCalls: 2, window: { calls: 4 } });
    class Books {
      @UsePolicies(breaker) async *items() {
        yield* [1, 2, 3];
      }
    }
    const books = new Books();
    for (let i = 0; i < 10; i++) for await (const _ of books.items()) break;
    expect(await all(books.items())).toEqual([1, 2, 3]);
  });
});

describe("in a module", () => {
  it("a method may be decorated that Nest makes before forRoot is imported", async () => {
    @Injectable()
    class Early {
      @UsePipeline("p") async m() {
        return "there";
      }
    }
    @Module({ providers: [Early], exports: [Early] })
    class EarlyModule {}
    const app = await boot({ imports: [EarlyModule, root({ pipelines: { p: [] } })] });
    expect(await app.get(Early).m()).toBe("there");
  });

  it("a method may be decorated that is loaded when it is wanted, and a mistake in it says where it is", async () => {
    @Injectable()
    class Late {
      @UsePipeline("p") async m() {
        return "there";
      }
      @UsePipeline("q") async wrong() {}
    }
    @Module({ providers: [Late], exports: [Late] })
    class LateModule {}
    const app = await boot({ imports: [root({ pipelines: { p: [] } })] });
    const late = (await app.get(LazyModuleLoader).load(() => LateModule)).get(Late);
    expect(await late.m()).toBe("there");
    await expect(late.wrong()).rejects.toThrow('Late.wrong: @UsePipeline("q"): there is no pipeline "q"');
  });

  it("an instance that is handed to one application after another is in the one that runs", async () => {
    class Given {
      @UsePipeline("p") async m() {
        return "there";
      }
    }
    const given = new Given();
    const start = () =>
      boot({
        imports: [root({ pipelines: { p: [] } })],
        providers: [{ provide: Given, useValue: given }],
      });
    const first = await start();
    const second = await start();
    await second.close();
    expect(await given.m()).toBe("there");
    await first.close();
    await expect(given.m()).rejects.toMatchObject({ code: "DRAINING" });
    await start();
    expect(await given.m()).toBe("there");
  });

  it("what a test puts in the place of a pipeline is what methods run in", async () => {
    @Injectable()
    class Books {
      runs = 0;
      @InjectPipeline("p") readonly pipeline!: Pipeline;
      @UsePipeline("p") async find() {
        this.runs++;
        throw busy();
      }
    }
    const fake = createPipeline({ name: "fake" });
    const app = await boot(
      { imports: [root({ pipelines: { p: [once()] } })], providers: [Books] },
      (builder) => builder.overrideProvider(getPipelineToken("p")).useValue(fake),
    );
    await expect(app.get(Books).find()).rejects.toThrow("busy");
    expect(app.get(Books).runs).toBe(1);
    expect(app.get(BreakwaterRegistry).pipeline("p")).toBe(fake);
    expect(app.get(Books).pipeline).toBe(fake);
  });
});
