import {
  ConfigError,
  createPipeline,
  isPromise,
  type Listener,
  type Managed,
  type Pipeline,
  type Policy,
  type Runtime,
  type Snapshot,
  unwrap,
  type Watchable,
} from "@breakwater/core";
import {
  type AdminOptions,
  type AdminRoute,
  createAdminRoute,
  createGate,
  type Gate,
} from "@breakwater/http";
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  Logger,
  type OnApplicationShutdown,
  type OnModuleInit,
} from "@nestjs/common";
import { DiscoveryService } from "@nestjs/core";

import { decorationsOf, type Made, REGISTRY } from "./decorations.ts";
import {
  type BreakwaterOptions,
  namedBy,
  type NamedClient,
  OPTIONS,
  type PipelineLike,
  readModuleOptions,
} from "./options.ts";
import { pipelineOf, type PolicySource } from "./policies.ts";
import { type Watched, watchedTogether } from "./watched.ts";

/** What a decorator leaves behind; each application makes its own of it. */
export interface Decoration {
  /** For messages: `ChatService.ask: @UsePipeline("chat")`. */
  readonly where: string;
  /** The pipeline's name, or the policies of a pipeline that has none. */
  readonly use: string | { readonly name: string; readonly policies: PolicySource };
  /** What is wrong about it, if it can be seen without an application. */
  readonly mistake?: string;
}

/**
 * The clients and pipelines of one application, by name; for code that cannot have them injected. Metrics and logs take it
 * for all of them together, with decorated methods, inbound guards and what is made later.
 *
 * @example
 * ```ts
 * import { BreakwaterModule, BreakwaterRegistry } from "@breakwater/nestjs";
 * import { metrics } from "@breakwater/telemetry/prometheus";
 * import { Controller, Get, Header, Module } from "@nestjs/common";
 * import { NestFactory } from "@nestjs/core";
 *
 * @Controller("metrics")
 * class MetricsController {
 *   readonly metrics;
 *   constructor(registry: BreakwaterRegistry) {
 *     this.metrics = metrics(registry);
 *   }
 *   @Get()
 *   @Header("content-type", "text/plain; version=0.0.4; charset=utf-8")
 *   all() {
 *     return this.metrics.register.metrics();
 *   }
 *   onApplicationShutdown() {
 *     this.metrics.close();
 *   }
 * }
 * @Module({ imports: [BreakwaterModule.forRoot()], controllers: [MetricsController] })
 * class AppModule {}
 *
 * const app = await NestFactory.create(AppModule, { logger: false });
 * await app.listen(0, "127.0.0.1");
 * const response = await fetch(`${await app.getUrl()}/metrics`);
 * (await response.text()).includes('breakwater_calls_in_flight{client="handlers"} 1'); // => true
 * await app.close();
 * ```
 */
@Injectable()
export class BreakwaterRegistry
  implements Watchable, OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown
{
  readonly options: BreakwaterOptions;
  /** @internal Where operators look, below the global prefix. */
  readonly adminPath: string | undefined;
  /** @internal Whether a `BreakwaterGuard` was made for it. */
  guarded = false;
  readonly #discovery: DiscoveryService;
  readonly #runtime: Runtime;
  readonly #clients = new Map<string, NamedClient>();
  readonly #pipelines = new Map<string, Pipeline>();
  readonly #decorated = new Map<Decoration, Pipeline>();
  readonly #gates = new Map<readonly Policy[], Gate>();
  /** Around every handler: what is being served when the application shuts down may ask for more until it is done. */
  readonly #handlers: Pipeline;
  readonly #drainMs: number | undefined;
  readonly #watched: Watched;
  readonly #adminOptions: AdminOptions | undefined;
  #admin: AdminRoute | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    @Inject(OPTIONS) options: BreakwaterOptions,
    @Inject(DiscoveryService) discovery: DiscoveryService,
  ) {
    const { admin, clients, pipelines, inbound, runtime, drainMs } = readModuleOptions(options);
    this.options = options;
    this.#discovery = discovery;
    this.#drainMs = drainMs;
    this.#runtime = runtime;
    this.#handlers = createPipeline({ name: "handlers", runtime });
    this.#watched = watchedTogether(() => this.#watchables());
    for (const [name, client] of Object.entries(clients)) this.addClient(name, client);
    for (const [name, pipeline] of Object.entries(pipelines)) this.addPipeline(name, pipeline);
    if (inbound !== undefined) this.gate(inbound);
    this.adminPath = admin?.path;
    this.#adminOptions = admin?.options;
  }

  /** @internal What operators are shown, from the start of the application on. */
  get admin(): AdminRoute | undefined {
    return this.#admin;
  }

  /** @internal Whether the application shuts down. */
  get closing(): boolean {
    return this.#closing !== undefined;
  }

  /** @throws ConfigError that says which names there are. */
  client(name: string): NamedClient {
    return found(this.#clients, name, "client");
  }

  /** @throws ConfigError that says which names there are. */
  pipeline(name: string): Pipeline {
    return found(this.#pipelines, name, "pipeline");
  }

  /** What every client and pipeline holds at this moment: also decorated methods, inbound guards, and handlers that run. */
  snapshot(): readonly Snapshot[] {
    const clients = [...this.#clients.values()].flatMap((client) => client.snapshot?.() ?? []);
    return [this.#handlers.snapshot(), ...clients, ...this.#made().map((pipeline) => pipeline.snapshot())];
  }

  /**
   * Every client and pipeline that there is at this moment, those of `snapshot()` among them. `handlers` are the
   * application's own: a call for each request.
   */
  managed(): readonly Managed[] {
    return this.#watched.managed();
  }

  /**
   * Subscribes to everything that happens in the application's clients and pipelines, also in those that are made or put
   * in their place later; until the application is closed. @returns a function that removes exactly this subscription.
   */
  on(listener: Listener): () => void {
    return this.#watched.on(listener);
  }

  /** @internal */
  addClient(name: string, client: NamedClient): NamedClient {
    if (typeof (client as Partial<NamedClient> | null | undefined)?.close === "function")
      return this.#changed(added(this.#clients, name, client, "client"));
    throw new ConfigError(
      `BreakwaterModule: the client "${name}" is ${client === undefined ? "undefined" : "none"}. Give one that createClient() or createDeepSeek() made.`,
    );
  }

  /** @internal */
  addPipeline(name: string, given: PipelineLike): Pipeline {
    return this.#changed(added(this.#pipelines, name, this.#pipelineOf(name, given), "pipeline"));
  }

  /** @internal The pipeline of a decorated method, of this application alone. @throws ConfigError that says where the mistake stands. */
  decorated(decoration: Decoration): Pipeline {
    const { where, use, mistake } = decoration;
    return placed(where, () => {
      if (mistake !== undefined) throw new ConfigError(mistake);
      if (typeof use === "string") return this.pipeline(use);
      let pipeline = this.#decorated.get(decoration);
      if (pipeline !== undefined) return pipeline;
      this.#decorated.set(decoration, (pipeline = this.#create(use.name, use.policies)));
      return this.#changed(pipeline);
    });
  }

  /** @internal Guards in front of routes; one gate for each list of guards, with the name that it is given first. */
  gate(guards: readonly Policy[], name = "inbound"): Gate {
    let gate = this.#gates.get(guards);
    if (gate !== undefined) return gate;
    this.#gates.set(guards, (gate = createGate({ name, runtime: this.#runtime }, ...guards)));
    return this.#changed(gate);
  }

  /** @internal A handler begins. @returns what is to be called when it is over. @throws RefusedError once the application shuts down. */
  begin(): () => void {
    let over = (): void => {};
    const running = this.#handlers.outcome(
      ({ call }) =>
        new Promise<void>((resolve) => {
          over = resolve;
          call.onAbort(() => resolve());
        }),
    );
    if (!isPromise(running)) unwrap(running);
    return over;
  }

  /** A mistake in a decorator is told when the application starts, not when the method is first called. */
  onModuleInit(): void {
    const wrappers = [...this.#discovery.getProviders(), ...this.#discovery.getControllers()];
    if (wrappers.filter(({ metatype }) => metatype === BreakwaterRegistry).length > 1) {
      throw new ConfigError(
        "BreakwaterModule: forRoot() or forRootAsync() has been imported twice. Do so once, in the root module; elsewhere use forFeature().",
      );
    }
    // What a test has put in the place of one is what everybody is to use.
    for (const { token, instance } of wrappers) {
      const [kind, name = ""] = namedBy(token);
      if (kind === "client") this.#clients.set(name, instance as NamedClient);
      if (kind === "pipeline") this.#pipelines.set(name, this.#pipelineOf(name, instance as PipelineLike));
    }
    this.#watched.follow();
    for (const { metatype, isNotMetatype, instance } of new Set(wrappers)) {
      const made = isNotMetatype && typeof instance === "object" ? (instance as Made | null) : null;
      const decorations = decorationsOf(
        made === null ? (metatype as Partial<Function> | null)?.prototype : Object.getPrototypeOf(made),
      );
      for (const decoration of decorations) this.decorated(decoration);
      // Nest injects into what it makes; this was made by the user, perhaps for an application that is over.
      const owner = made?.[REGISTRY];
      if (made !== null && decorations.length > 0 && (owner === undefined || owner.closing))
        made[REGISTRY] = this;
    }
    // Last: of an application that does not start nothing is to go on, and other instances are told of this one.
    const options = this.#adminOptions;
    if (options !== undefined)
      this.#admin = placed("BreakwaterModule", () => createAdminRoute(this, options));
  }

  /**
   * No more requests are let in. Those that are being served are finished, with all that they still ask for; then
   * clients and pipelines are drained, and at last all is closed, stores among it that the others needed. What is still going on when
   * the time is over is cut. Then Nest closes its connections.
   */
  beforeApplicationShutdown(): Promise<void> {
    return (this.#closing ??= this.#shutDown());
  }

  /** Clients may be of several applications; who has listened to all of this one's is told no more. */
  onApplicationShutdown(): void {
    this.#watched.close();
  }

  async #shutDown(): Promise<void> {
    const withinMs = this.#drainMs;
    const clients = withinMs === undefined ? [] : await this.#finish(withinMs);
    // An operator looks just while it goes. From here on who follows the events would keep the server open; and the store
    // that instances are seen in may be among what is closed.
    const left = await Promise.allSettled([this.#admin?.close()]);
    const closed = await Promise.allSettled(clients.map(async (one) => one.close?.()));
    logFailed([...left, ...closed]);
  }

  /** @returns what is to be closed now that nothing goes on in it. */
  async #finish(drainMs: number): Promise<readonly Partial<NamedClient>[]> {
    const until = this.#runtime.now() + drainMs;
    await this.#handlers.drain({ withinMs: drainMs });
    const withinMs = Math.max(0, until - this.#runtime.now());
    const all = [...new Set<Partial<NamedClient>>([...this.#clients.values(), ...this.#made()])];
    logFailed(await Promise.allSettled(all.map(async (one) => one.drain?.({ withinMs }))));
    return all;
  }

  #pipelineOf(name: string, given: PipelineLike): Pipeline {
    if (typeof (given as Partial<Pipeline> | null | undefined)?.execute === "function")
      return given as Pipeline;
    return placed(`BreakwaterModule: the pipeline "${name}"`, () =>
      this.#create(name, given as PolicySource),
    );
  }

  #create(name: string, policies: PolicySource): Pipeline {
    return pipelineOf({ name, runtime: this.#runtime }, policies);
  }

  #changed<T>(made: T): T {
    this.#watched.follow();
    return made;
  }

  #watchables(): readonly Watchable[] {
    const all: readonly unknown[] = [this.#handlers, ...this.#clients.values(), ...this.#made()];
    return all.filter(isWatchable);
  }

  #made(): Pipeline[] {
    const gates = [...this.#gates.values()].map(({ pipeline }) => pipeline);
    return [...new Set([...this.#pipelines.values(), ...this.#decorated.values(), ...gates])];
  }
}

/** Thrown, it would keep Nest 11 from closing its server. */
function logFailed(ends: readonly PromiseSettledResult<unknown>[]): void {
  for (const end of ends) if (end.status === "rejected") Logger.error(end.reason, BreakwaterRegistry.name);
}

/** A store is closed and not watched; and what a test has put in the place of a client may be nothing but a mock. */
function isWatchable(one: unknown): one is Watchable {
  const { managed, on } = (one ?? {}) as Partial<Watchable>;
  return (
    typeof managed === "function" && typeof on === "function" && Array.isArray((one as Watchable).managed())
  );
}

/** What a mistake is in, before what it is. */
export function placed<T>(where: string, f: () => T): T {
  try {
    return f();
  } catch (error) {
    throw ConfigError.isInstance(error) ? new ConfigError(`${where}: ${error.message}`) : error;
  }
}

function found<T>(map: ReadonlyMap<string, T>, name: string, kind: string): T {
  const value = map.get(name);
  if (value !== undefined) return value;
  const known = [...map.keys()].map((key) => `"${key}"`).join(", ");
  throw new ConfigError(
    `there is no ${kind} "${name}"; ${known === "" ? "none has been given" : `there is ${known}`}. Name it in BreakwaterModule.forRoot({ ${kind}s: { … } }) or forFeature().`,
  );
}

function added<T>(map: Map<string, T>, name: string, value: T, kind: string): T {
  if (map.has(name) && map.get(name) !== value)
    throw new ConfigError(
      `BreakwaterModule: there are two ${kind}s with the name "${name}". Rename one of them, or give the same one in both places.`,
    );
  map.set(name, value);
  return value;
}
