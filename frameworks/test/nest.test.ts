import { circuitBreaker, type Client, createClient, upstream } from "@breakwater/core";
import type { DeepSeek } from "@breakwater/deepseek";
import {
  BreakwaterException,
  BreakwaterGuard,
  BreakwaterModule,
  BreakwaterRegistry,
  Inbound,
  InjectClient,
} from "@breakwater/nestjs";
import { logs } from "@breakwater/telemetry";
import { metrics } from "@breakwater/telemetry/prometheus";
import {
  BadRequestException,
  Body,
  Controller,
  Get,
  Header,
  HttpException,
  ImATeapotException,
  Inject,
  Injectable,
  Logger,
  type LoggerService,
  Module,
  type OnApplicationShutdown,
  Param,
  type PipeTransform,
  Post,
  Sse,
  UseGuards,
} from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ExpressAdapter } from "@nestjs/platform-express";
import { FastifyAdapter } from "@nestjs/platform-fastify";
import { describe, expect, inject, test } from "vitest";

import {
  chatRequest,
  DRAIN_MS,
  type Framework,
  type Operators,
  type Parts,
  type Started,
} from "./behaviour/framework.ts";
import { contentOf } from "./behaviour/requests.ts";
import { behaves } from "./behaviour/suite.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Which major version of Nest the workspace has. */
    nest: number;
  }
}

const major = inject("nest");

behaves(on(`Nest ${major} on Express`, () => new ExpressAdapter()));
behaves(on(`Nest ${major} on Fastify`, () => new FastifyAdapter()));

function on(name: string, adapter: () => ExpressAdapter | FastifyAdapter): Framework {
  return { name, shape: "nest", head: "soon", start: (parts) => start(adapter(), parts) };
}

@Injectable()
class TextPipe implements PipeTransform {
  transform(text: unknown): string {
    if (typeof text !== "string") throw new BadRequestException("text is missing");
    return text;
  }
}

async function start(
  adapter: ExpressAdapter | FastifyAdapter,
  { ask, deepseek, inbound, clock, own, log, operators }: Parts,
): Promise<Started> {
  @Controller()
  class Routes {
    @InjectClient("ask") readonly ask!: Client<string, unknown>;
    @InjectClient("deepseek") readonly deepseek!: DeepSeek;

    @Post("json")
    json(@Body("text", TextPipe) text: string) {
      return this.ask(text);
    }

    @Get("json/:text")
    jsonOf(@Param("text") text: string) {
      return this.ask(text);
    }

    @Get("by-hand/:text")
    async byHand(@Param("text") text: string) {
      const answer = await this.ask(text);
      return answer;
    }

    // Sse() says GET, and what stands above it has the last word.
    @Post("events")
    @Sse("events")
    events(@Body("text", TextPipe) text: string) {
      return this.ask(text);
    }

    @Sse("events/:text")
    eventsOf(@Param("text") text: string) {
      return this.ask(text);
    }

    @Post("chat")
    chat() {
      return this.deepseek.chat(chatRequest);
    }

    @Sse("chat")
    async *chatEvents() {
      for await (const chunk of this.deepseek.stream(chatRequest)) {
        const content = contentOf(chunk);
        if (content !== undefined) yield content;
      }
    }

    @Get("own")
    own() {
      throw own;
    }

    @Get("teapot")
    teapot() {
      throw new ImATeapotException("short and stout");
    }
  }

  @Controller("limited")
  @UseGuards(BreakwaterGuard)
  @Inbound(...inbound)
  class LimitedRoutes {
    @InjectClient("ask") readonly ask!: Client<string, unknown>;

    @Get("json")
    json() {
      return this.ask("/limited/json");
    }

    @Sse("events")
    events() {
      return this.ask("/limited/events");
    }
  }

  @Controller("metrics")
  class MetricsRoute {
    readonly register = (operators as Operators).register;

    constructor(@Inject(BreakwaterRegistry) registry: BreakwaterRegistry) {
      metrics(registry, { register: this.register });
    }

    @Get()
    @Header("content-type", String(operators?.register.contentType))
    all() {
      return this.register.metrics();
    }
  }

  @Module({
    imports: [
      BreakwaterModule.forRoot({
        clients: { ask, deepseek },
        drain: DRAIN_MS,
        runtime: clock,
        ...(operators && { admin: operators.admin }),
      }),
    ],
    controllers: [Routes, LimitedRoutes, ...(operators === undefined ? [] : [MetricsRoute])],
  })
  class App {}

  const logger: LoggerService = {
    log() {},
    warn() {},
    // With or without us, Nest logs what its platform found wrong with a request's body.
    error: (error: unknown) => void (isOfClient(error) || log(error)),
  };
  const app = await NestFactory.create(App, adapter, { logger, abortOnError: false });
  if (operators !== undefined) app.setGlobalPrefix(operators.prefix);
  await app.listen(0, "127.0.0.1");
  return { server: app.getHttpServer() as Started["server"], close: () => app.close() };
}

function isOfClient(error: unknown): boolean {
  const { statusCode } = error as { statusCode?: unknown };
  return typeof statusCode === "number" && statusCode < 500;
}

describe(`Nest ${major}`, () => {
  test("logs what an application's clients do, as all else that it logs", async () => {
    const said: string[][] = [];
    const say =
      (level: string) =>
      (...parts: string[]): void => {
        if (parts.at(-1) === "Breakwater") said.push([level, ...parts.slice(0, -1)]);
      };
    const logger = { log: say("log"), warn: say("warn"), error: say("error"), debug: say("debug") };
    const ask = createClient(
      upstream(async (text: string) => text, { name: "ask" }),
      circuitBreaker({ name: "circuit" }),
    );
    @Injectable()
    class Logs implements OnApplicationShutdown {
      readonly onApplicationShutdown: () => void;

      constructor(@Inject(BreakwaterRegistry) registry: BreakwaterRegistry) {
        this.onApplicationShutdown = logs(registry, new Logger("Breakwater"), { shape: "message-only" });
      }
    }
    @Module({ imports: [BreakwaterModule.forRoot({ clients: { ask } })], providers: [Logs] })
    class App {}
    const app = await NestFactory.createApplicationContext(App, { logger, abortOnError: false });
    await ask("hello");
    await ask.change("circuit", { force: "open" }, { by: "ada" });
    await ask.outcome("hello");
    await app.close();
    expect(said.filter(([level]) => level !== "debug")).toEqual([
      ["log", expect.stringMatching(/^ask: answered in \d+ ms$/)],
      ["log", "ask: ada changed circuit: forced open"],
      ["warn", expect.stringMatching(/^ask: refused by circuit: CIRCUIT_OPEN\b/)],
    ]);
  });

  test("is what serves here, and what Breakwater is built on", async () => {
    const stacks: string[] = [];
    const look = (): void => void stacks.push(new Error("look").stack ?? "");
    @Controller()
    class Looking {
      @Get()
      look() {
        look();
      }
    }
    @Module({ imports: [BreakwaterModule.forRoot()], controllers: [Looking] })
    class App {}
    const app = await NestFactory.create(App, new ExpressAdapter(), { logger: false, abortOnError: false });
    await app.listen(0, "127.0.0.1");
    await (await fetch(await app.getUrl())).text();
    await app.close();
    const versions = stacks.flatMap((stack) =>
      [...stack.matchAll(/@nestjs\+core@(\d+)\./g)].map(([, found]) => found),
    );
    expect(new Set(versions)).toEqual(new Set([String(major)]));
    // A second copy of Nest would have a class of its own.
    const problem = { type: "about:blank", title: "", status: 503, detail: "", code: "DRAINING" } as const;
    expect(new BreakwaterException({ problem, headers: {} })).toBeInstanceOf(HttpException);
  });
});
