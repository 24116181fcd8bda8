import {
  ConfigError,
  createPipeline,
  milliseconds,
  type Pipeline,
  type Policy,
  type Snapshot,
} from "@breakwater/core";
import { createGate, type Drainable, type Gate } from "@breakwater/http";
import { type BeforeApplicationShutdown, Inject, Injectable, type OnModuleInit } from "@nestjs/common";
import { DiscoveryService } from "@nestjs/core";

import { decorationsOf } from "./decorations.ts";
import { type BreakwaterOptions, type NamedClient, OPTIONS, type PipelineLike } from "./options.ts";

/** Policies that are to be used in every application anew. */
export type PolicySource = readonly Policy[] | (() => readonly Policy[]);

/** What a decorator leaves behind; each application makes its own of it. */
export interface Decoration {
  /** For messages: `ChatService.ask: @UsePipeline("chat")`. */
  readonly where: string;
  /** The pipeline's name, or the policies of a pipeline that has none. */
  readonly use: string | { readonly name: string; readonly policies: PolicySource };
  /** What is wrong about it, if it can be seen without an application. */
  readonly mistake?: string;
}

/** The clients and pipelines of one application, by name; for code that cannot have them injected. */
@Injectable()
export class BreakwaterRegistry implements OnModuleInit, BeforeApplicationShutdown {
  readonly options: BreakwaterOptions;
  readonly #discovery: DiscoveryService;
  readonly #clients = new Map<string, NamedClient>();
  readonly #pipelines = new Map<string, Pipeline>();
  readonly #decorated = new Map<Decoration, Pipeline>();
  readonly #gates = new Map<readonly Policy[], Gate>();
  readonly #drainMs: number | undefined;

  constructor(
    @Inject(OPTIONS) options: BreakwaterOptions,
    @Inject(DiscoveryService) discovery: DiscoveryService,
  ) {
    const { clients = {}, pipelines = {}, inbound, drain = "30s" } = options;
    this.options = options;
    this.#discovery = discovery;
    this.#drainMs = drain === false ? undefined : milliseconds(drain, "BreakwaterModule: drain");
    for (const [name, client] of Object.entries(clients)) this.addClient(name, client);
    for (const [name, pipeline] of Object.entries(pipelines)) this.addPipeline(name, pipeline);
    if (inbound !== undefined) this.gate(inbound);
  }

  /** @throws ConfigError that says which names there are. */
  client(name: string): NamedClient {
    return found(this.#clients, name, "client");
  }

  /** @throws ConfigError that says which names there are. */
  pipeline(name: string): Pipeline {
    return found(this.#pipelines, name, "pipeline");
  }

  /** What every client and pipeline holds at this moment, those of decorated methods and inbound guards included. */
  snapshot(): readonly Snapshot[] {
    const clients = [...this.#clients.values()].flatMap((client) => client.snapshot?.() ?? []);
    return [...clients, ...this.#made().map((pipeline) => pipeline.snapshot())];
  }

  /** @internal */
  addClient(name: string, client: NamedClient): NamedClient {
    if (typeof (client as Partial<NamedClient> | undefined)?.close !== "function") {
      throw new ConfigError(
        `BreakwaterModule: the client "${name}" is ${client === undefined ? "undefined" : "none"}. Give one that createClient() or createDeepSeek() made.`,
      );
    }
    return added(this.#clients, name, client, "client");
  }

  /** @internal */
  addPipeline(name: string, given: PipelineLike): Pipeline {
    const pipeline = Array.isArray(given) ? createPipeline({ name }, ...(given as readonly Policy[])) : given;
    if (typeof (pipeline as Partial<Pipeline> | undefined)?.execute !== "function") {
      throw new ConfigError(
        `BreakwaterModule: the pipeline "${name}" is none. Give createPipeline(…) or a list of policies: [retry(), circuitBreaker()].`,
      );
    }
    return added(this.#pipelines, name, pipeline as Pipeline, "pipeline");
  }

  /** @internal The pipeline of a decorated method, of this application alone. */
  decorated(decoration: Decoration): Pipeline {
    const { use } = decoration;
    if (typeof use === "string") return this.pipeline(use);
    let pipeline = this.#decorated.get(decoration);
    if (pipeline === undefined) {
      pipeline = createPipeline({ name: use.name }, ...policiesOf(use.policies));
      this.#decorated.set(decoration, pipeline);
    }
    return pipeline;
  }

  /** @internal Guards in front of routes; one gate for each list of guards. */
  gate(guards: readonly Policy[]): Gate {
    let gate = this.#gates.get(guards);
    if (gate === undefined) this.#gates.set(guards, (gate = createGate(...guards)));
    return gate;
  }

  /** A mistake in a decorator is told when the application starts, not when the method is first called. */
  onModuleInit(): void {
    const wrappers = [...this.#discovery.getProviders(), ...this.#discovery.getControllers()];
    for (const { metatype } of new Set(wrappers)) {
      if (typeof metatype !== "function") continue;
      for (const decoration of decorationsOf(metatype)) {
        const { where, mistake } = decoration;
        try {
          if (mistake !== undefined) throw new ConfigError(mistake);
          this.decorated(decoration);
        } catch (error) {
          throw new ConfigError(`${where}: ${(error as Error).message}`);
        }
      }
    }
  }

  /** Nothing new is admitted; streams are finished, and cut when their time is over. Then Nest closes its connections. */
  async beforeApplicationShutdown(): Promise<void> {
    const withinMs = this.#drainMs;
    if (withinMs === undefined) return;
    const all: Drainable[] = [...new Set<Drainable>([...this.#clients.values(), ...this.#made()])];
    await Promise.all(all.map((one) => ("drain" in one ? one.drain({ withinMs }) : one.close())));
  }

  #made(): Pipeline[] {
    const gates = [...this.#gates.values()].map(({ pipeline }) => pipeline);
    return [...this.#pipelines.values(), ...this.#decorated.values(), ...gates];
  }
}

export function policiesOf(source: PolicySource): readonly Policy[] {
  return typeof source === "function" ? source() : source;
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
      `BreakwaterModule: there are two ${kind}s with the name "${name}". Rename one of them.`,
    );
  map.set(name, value);
  return value;
}
