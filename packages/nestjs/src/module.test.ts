import { createClient, createPipeline, type Pipeline, retry, upstream } from "@breakwater/core";
import { Inject, Injectable, Module } from "@nestjs/common";
import { describe, expect, it, vi } from "vitest";

import { boot } from "./app.test-help.ts";
import {
  BreakwaterModule,
  type BreakwaterOptions,
  type BreakwaterOptionsFactory,
  BreakwaterRegistry,
  getClientToken,
  getPipelineToken,
  InjectClient,
  InjectPipeline,
  UsePipeline,
} from "./index.ts";

const echo = () => createClient(upstream(async (text: string) => text, { name: "echo" }));
type Echo = ReturnType<typeof echo>;

@Injectable()
class Books {
  @InjectClient("echo") readonly echo!: Echo;
  @InjectPipeline("search") readonly search!: Pipeline;
  @UsePipeline("search") async find(words: string) {
    return this.echo(words);
  }
}

const options = (): BreakwaterOptions => ({
  clients: { echo: echo() },
  pipelines: { search: [retry()] },
});

const names = { clients: ["echo"], pipelines: ["search"] };

/** An environment in which nothing is set. */
const environment: Record<string, string> = {};

@Injectable()
class Config implements BreakwaterOptionsFactory {
  async createBreakwaterOptions() {
    return options();
  }
}

@Module({ providers: [Config], exports: [Config] })
class ConfigModule {}

describe("a module", () => {
  it.each([
    ["forRoot", BreakwaterModule.forRoot(options())],
    ["useFactory", BreakwaterModule.forRootAsync({ ...names, useFactory: options })],
    [
      "useFactory that is given what Nest injects",
      BreakwaterModule.forRootAsync({
        ...names,
        imports: [ConfigModule],
        inject: [Config],
        useFactory: async (config: Config) => config.createBreakwaterOptions(),
      }),
    ],
    ["useClass", BreakwaterModule.forRootAsync({ ...names, useClass: Config })],
    [
      "useExisting",
      BreakwaterModule.forRootAsync({ ...names, imports: [ConfigModule], useExisting: Config }),
    ],
  ])("has clients and pipelines injected: %s", async (_, root) => {
    const app = await boot({ imports: [root], providers: [Books] });
    const books = app.get(Books);
    expect(await books.find("whales")).toBe("whales");
    expect(books.search.describe().policies).toMatchObject([{ kind: "retry" }]);
    const registry = app.get(BreakwaterRegistry);
    expect([registry.client("echo"), registry.pipeline("search")]).toEqual([books.echo, books.search]);
    expect(books.echo).toBe(app.get(getClientToken("echo")));
  });

  it("knows pipelines that are not named beside the factory, for decorated methods", async () => {
    @Injectable()
    class Decorated {
      @UsePipeline("search") async find() {
        return "found";
      }
    }
    const app = await boot({
      imports: [BreakwaterModule.forRootAsync({ useFactory: options })],
      providers: [Decorated],
    });
    expect(await app.get(Decorated).find()).toBe("found");
  });

  it("has more of them beside the code that uses them", async () => {
    const shared = createPipeline({ name: "shared" });
    @Injectable()
    class Mine {
      @InjectClient("mine") readonly mine!: Echo;
      @UsePipeline("own") async find(text: string) {
        return this.mine(text);
      }
    }
    @Module({
      imports: [BreakwaterModule.forFeature({ clients: { mine: echo() }, pipelines: { own: [], shared } })],
      providers: [Mine],
    })
    class FeatureModule {}
    @Module({ imports: [BreakwaterModule.forFeature({ pipelines: { shared } })] })
    class OtherModule {}
    // The root comes last: order of imports is nothing that anybody should have to think of.
    const app = await boot({ imports: [FeatureModule, OtherModule, BreakwaterModule.forRoot()] });
    expect(await app.get(Mine, { strict: false }).find("whales")).toBe("whales");
    expect(app.get(BreakwaterRegistry).pipeline("shared")).toBe(shared);
  });

  it("lets a test put something in the place of a client, which is all that anybody sees of it", async () => {
    const real = { close: vi.fn<() => Promise<void>>() };
    const fake = Object.assign(async () => "fake", {});
    @Module({
      imports: [BreakwaterModule.forFeature({ clients: { feature: real }, pipelines: { own: [retry()] } })],
    })
    class FeatureModule {}
    @Injectable()
    class Decorated {
      @UsePipeline("own") async find() {}
    }
    const own = createPipeline();
    const app = await boot(
      { imports: [FeatureModule, BreakwaterModule.forRoot(options())], providers: [Books, Decorated] },
      (builder) =>
        builder
          .overrideProvider(getClientToken("echo"))
          .useValue(fake)
          .overrideProvider(getClientToken("feature"))
          .useValue(fake)
          .overrideProvider(getPipelineToken("own"))
          .useValue(own),
    );
    expect(await app.get(Books).find("whales")).toBe("fake");
    const registry = app.get(BreakwaterRegistry);
    expect([registry.client("echo"), registry.client("feature"), registry.pipeline("own")]).toEqual([
      fake,
      fake,
      own,
    ]);
    await app.get(Decorated).find();
    expect(registry.snapshot().length).toBeGreaterThan(0);
    await app.close();
    expect(real.close).not.toHaveBeenCalled();
  });

  it("is one in each application of a process", async () => {
    const apps = [1, 2].map(async () =>
      boot({ imports: [BreakwaterModule.forRoot(options())], providers: [Books] }),
    );
    const [first, second] = await Promise.all(apps);
    expect(first?.get(Books).search).not.toBe(second?.get(Books).search);
    await first?.close();
    await expect(first?.get(Books).find("x")).rejects.toMatchObject({ code: "DRAINING" });
    expect(await second?.get(Books).find("x")).toBe("x");
  });
});

describe("a module does not start", () => {
  const started = (given: BreakwaterOptions) => boot({ imports: [BreakwaterModule.forRoot(given)] });

  it.each<[string, unknown, string]>([
    [
      "a drain of NaN",
      { drain: Number(environment["DRAIN"]) },
      "BreakwaterModule: drain must be milliseconds or a string",
    ],
    [
      "a deadline of NaN",
      { context: { deadline: Number(environment["DEADLINE"]) } },
      "BreakwaterModule: context: deadline must be milliseconds or a string",
    ],
    [
      "a tenant that is no function",
      { context: { tenant: "north" } },
      "BreakwaterModule: context: tenant must be a function",
    ],
    ["an option that nobody knows", { client: {} }, 'BreakwaterModule: unknown option "client"; known are'],
    [
      "a client that is undefined",
      { clients: { deepseek: undefined } },
      'the client "deepseek" is undefined',
    ],
    [
      "a client that is none",
      { clients: { deepseek: null } },
      'the client "deepseek" is none. Give one that createClient()',
    ],
    [
      "a policy that was not called",
      { pipelines: { search: [retry] } },
      'BreakwaterModule: the pipeline "search": a policy is expected, got the function retry, which was not called: write retry().',
    ],
    [
      "policies in no list",
      { pipelines: { search: retry() } },
      "createPipeline(…) or a list of policies is expected",
    ],
    [
      "a pipeline that is undefined",
      { pipelines: { search: undefined } },
      "is expected, such as [retry(), circuitBreaker()], got undefined",
    ],
    ["guards that do not admit", { inbound: [retry()] }, "inbound: retry does not admit requests"],
  ])("with %s", async (_, given, told) => {
    await expect(started(given as BreakwaterOptions)).rejects.toThrow(told);
  });

  it("when its factory fails, and says how", async () => {
    const error = new Error("no vault");
    const failing = BreakwaterModule.forRootAsync({ useFactory: () => Promise.reject(error) });
    await expect(boot({ imports: [failing] })).rejects.toBe(error);
    const nothing = BreakwaterModule.forRootAsync({ useFactory: () => undefined as never });
    await expect(boot({ imports: [nothing] })).rejects.toThrow("BreakwaterModule: options must be an object");
    expect(() => BreakwaterModule.forRootAsync({})).toThrow("give useFactory, useClass or useExisting");
  });

  it("without the names that are to be injectable", async () => {
    const root = BreakwaterModule.forRootAsync({ clients: ["deepseek"], useFactory: options });
    await expect(boot({ imports: [root] })).rejects.toThrow(
      'BreakwaterModule.forRootAsync: a name beside the factory: there is no client "deepseek"; there is "echo". Name it in BreakwaterModule.forRoot({ clients: { … } }) or forFeature().',
    );
  });

  it("when something is injected that is named nowhere", async () => {
    class Mine {
      @Inject(getClientToken("mine")) readonly mine!: Echo;
    }
    await expect(boot({ imports: [BreakwaterModule.forRoot()], providers: [Mine] })).rejects.toThrow(
      'Breakwater client "mine": name it in BreakwaterModule.forRoot(), in forFeature(), or beside the factory of forRootAsync()',
    );
  });

  it("when it is imported twice, or not at all", async () => {
    const imports = [BreakwaterModule.forRoot(), BreakwaterModule.forRootAsync({ useFactory: () => ({}) })];
    await expect(boot({ imports })).rejects.toThrow(
      "has been imported twice. Do so once, in the root module",
    );
    const feature = BreakwaterModule.forFeature({ pipelines: { search: [] } });
    await expect(boot({ imports: [feature] })).rejects.toThrow("BreakwaterRegistry");
  });

  it("with two of one name", async () => {
    const two = () => BreakwaterModule.forFeature({ pipelines: { search: [] } });
    await expect(boot({ imports: [BreakwaterModule.forRoot(), two(), two()] })).rejects.toThrow(
      'BreakwaterModule: there are two pipelines with the name "search". Rename one of them, or give the same one in both places.',
    );
    const clients = BreakwaterModule.forFeature({ clients: { echo: echo() } });
    await expect(boot({ imports: [BreakwaterModule.forRoot(options()), clients] })).rejects.toThrow(
      'there are two clients with the name "echo"',
    );
  });
});
