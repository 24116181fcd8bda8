import { ConfigError } from "@breakwater/core";
import {
  type ConfigurableModuleAsyncOptions,
  type DynamicModule,
  Inject,
  Module,
  type Provider,
  type Type,
} from "@nestjs/common";
import { APP_INTERCEPTOR, DiscoveryModule } from "@nestjs/core";

import { AdminModule } from "./admin.ts";
import { BreakwaterHealthIndicator } from "./health.ts";
import { BreakwaterInterceptor } from "./interceptor.ts";
import {
  type BreakwaterOptions,
  type FeatureOptions,
  getClientToken,
  getPipelineToken,
  OPTIONS,
} from "./options.ts";
import { BreakwaterRegistry, placed } from "./registry.ts";
import { UnguardedCheck } from "./unguarded.ts";

/** What a class makes for `forRootAsync({ useClass })`. */
export interface BreakwaterOptionsFactory {
  createBreakwaterOptions(): Promise<BreakwaterOptions> | BreakwaterOptions;
}

export interface BreakwaterAsyncOptions extends ConfigurableModuleAsyncOptions<
  BreakwaterOptions,
  "createBreakwaterOptions"
> {
  /** Names of the clients that are to be injectable: Nest must know them before the factory has run. */
  readonly clients?: readonly string[];
  /** Names of the pipelines that are to be injectable. `@UsePipeline()` finds the others, too. */
  readonly pipelines?: readonly string[];
}

/**
 * The clients and pipelines of an application, and the call context of its handlers.
 *
 * @example
 * ```ts
 * import { circuitBreaker, retry } from "@breakwater/core";
 * import { createDeepSeek } from "@breakwater/deepseek";
 * import { BreakwaterModule } from "@breakwater/nestjs";
 * import { Module } from "@nestjs/common";
 *
 * @Module({
 *   imports: [
 *     BreakwaterModule.forRoot({
 *       clients: { deepseek: createDeepSeek({ apiKey: "sk-your-key" }) },
 *       pipelines: { search: [retry(), circuitBreaker({ name: "search" })] },
 *     }),
 *   ],
 * })
 * class AppModule {}
 * ```
 */
@Module({})
export class BreakwaterModule {
  /** Once, in the root module. @throws ConfigError when the application starts, for options that make no sense. */
  static forRoot(options: BreakwaterOptions = {}): DynamicModule {
    const { clients = {}, pipelines = {} } = options;
    return rootModule(
      [{ provide: OPTIONS, useValue: options }],
      Object.keys(clients),
      Object.keys(pipelines),
    );
  }

  /** As `forRoot`, with options that are made with what Nest injects, such as a ConfigService. */
  static forRootAsync(options: BreakwaterAsyncOptions): DynamicModule {
    const { clients = [], pipelines = [], imports = [], provideInjectionTokensFrom = [] } = options;
    return rootModule(
      [...optionsProviders(options), ...provideInjectionTokensFrom],
      clients,
      pipelines,
      imports as Type[],
    );
  }

  /** More clients and pipelines, beside the code that uses them. A name stands for one thing in the whole application. */
  static forFeature({ clients = {}, pipelines = {} }: FeatureOptions): DynamicModule {
    const providers: Provider[] = [
      ...Object.entries(clients).map(([name, client]) =>
        ofRegistry(getClientToken(name), (registry) => registry.addClient(name, client)),
      ),
      ...Object.entries(pipelines).map(([name, pipeline]) =>
        ofRegistry(getPipelineToken(name), (registry) => registry.addPipeline(name, pipeline)),
      ),
    ];
    return { module: BreakwaterModule, providers, exports: tokensOf(providers) };
  }
}

/** Injects the client of that name. */
export function InjectClient(name: string): PropertyDecorator & ParameterDecorator {
  return Inject(getClientToken(name));
}

/** Injects the pipeline of that name. */
export function InjectPipeline(name: string): PropertyDecorator & ParameterDecorator {
  return Inject(getPipelineToken(name));
}

/** Only there a name may stand for nothing: `forRoot` takes them from what it is given. */
const BESIDE = "BreakwaterModule.forRootAsync: a name beside the factory";

function rootModule(
  options: readonly Provider[],
  clients: readonly string[],
  pipelines: readonly string[],
  imports: readonly Type[] = [],
): DynamicModule {
  const named = [
    ...clients.map((name) =>
      ofRegistry(getClientToken(name), (registry) => placed(BESIDE, () => registry.client(name))),
    ),
    ...pipelines.map((name) =>
      ofRegistry(getPipelineToken(name), (registry) => placed(BESIDE, () => registry.pipeline(name))),
    ),
  ];
  return {
    module: BreakwaterModule,
    global: true,
    imports: [AdminModule, DiscoveryModule, ...imports],
    providers: [
      ...options,
      BreakwaterRegistry,
      BreakwaterHealthIndicator,
      UnguardedCheck,
      { provide: APP_INTERCEPTOR, useClass: BreakwaterInterceptor },
      ...named,
    ],
    exports: [BreakwaterRegistry, BreakwaterHealthIndicator, ...tokensOf(named)],
  };
}

function ofRegistry(provide: string, useFactory: (registry: BreakwaterRegistry) => unknown): Provider {
  return { provide, inject: [BreakwaterRegistry], useFactory };
}

function tokensOf(providers: readonly Provider[]): string[] {
  return providers.map((provider) => (provider as { provide: string }).provide);
}

function optionsProviders({
  useFactory,
  useClass,
  useExisting,
  inject = [],
}: BreakwaterAsyncOptions): Provider[] {
  if (useFactory !== undefined) return [{ provide: OPTIONS, useFactory, inject }];
  const factory = useExisting ?? useClass;
  if (factory === undefined)
    throw new ConfigError("BreakwaterModule.forRootAsync: give useFactory, useClass or useExisting.");
  return [
    {
      provide: OPTIONS,
      inject: [factory],
      useFactory: (made: BreakwaterOptionsFactory) => made.createBreakwaterOptions(),
    },
    ...(useClass === undefined ? [] : [useClass]),
  ];
}
