import {
  ConfigError,
  type Duration,
  milliseconds,
  type Pipeline,
  type Policy,
  readOptions,
  type Runtime,
  type Snapshot,
  systemRuntime,
} from "@breakwater/core";
import type { AdminOptions, ContextOptions } from "@breakwater/http";
import { Logger } from "@nestjs/common";

/** The token of what `forRoot` and `forRootAsync` were given. */
export const OPTIONS = "Breakwater options: import BreakwaterModule.forRoot()";

/** What can be injected as a client: what `createClient`, `createDeepSeek` or `deepseekFetch` made, or a store to be closed with them. */
export interface NamedClient {
  close(): Promise<unknown>;
  drain?(options?: { readonly withinMs?: number }): Promise<void>;
  snapshot?(): Snapshot | readonly Snapshot[];
}

/** Policies, the first one outermost, or a pipeline that was made of them. */
export type PipelineLike = Pipeline | readonly Policy[];

// The platform's request: Express's or Fastify's. Which one it is this package cannot know.
// oxlint-disable-next-line typescript/no-explicit-any
type Any = any;

/** How a request becomes a call context; the functions are given the platform's request, after guards have run. */
export interface RequestOptions<Request = Any> {
  /** Whose request it is. Take it from what a guard authenticated, never from what was merely sent. */
  readonly tenant?: (request: Request) => string | undefined;
  /** How long an answer is of use. @default no bound */
  readonly deadline?: ContextOptions["deadline"];
  /** Which requests go first where there is a queue. @default "interactive" */
  readonly priority?: (request: Request) => ReturnType<NonNullable<ContextOptions["priority"]>>;
  /** @default `x-request-id` if it is harmless, else a new one */
  readonly callId?: (request: Request) => string | undefined;
}

/**
 * What `admin()` takes, and where it is served. By default its clock is the module's, and `onError` Nest's logger. What
 * `authorize` needs of the application is injected into the factory of `forRootAsync`.
 *
 * Where there is no HTTP server the log says that nobody can look there, unless there are `instances`: this one is seen
 * on the pages of the others then.
 *
 * @example
 * ```ts
 * import { basicAuth, BreakwaterModule } from "@breakwater/nestjs";
 * import { Module } from "@nestjs/common";
 * import { NestFactory } from "@nestjs/core";
 *
 * const authorize = basicAuth({ ada: "a long password" });
 * @Module({ imports: [BreakwaterModule.forRoot({ admin: { path: "internal/breakwater", authorize } })] })
 * class AppModule {}
 *
 * const app = await NestFactory.create(AppModule, { logger: false });
 * await app.listen(0, "127.0.0.1");
 * const headers = { authorization: `Basic ${btoa("ada:a long password")}` };
 * const response = await fetch(`${await app.getUrl()}/internal/breakwater/snapshot`, { headers });
 * response.status; // => 200
 * await app.close();
 * ```
 */
export interface ModuleAdminOptions extends AdminOptions {
  /**
   * Below the global prefix, as a controller's. Nothing that is made for visitors stands before it: no guard, pipe, interceptor or
   * filter of the application, nor its versions. Middleware does that is used before it, with `app.use()`.
   *
   * @default "breakwater"
   */
  readonly path?: string;
}

export interface FeatureOptions {
  /** By name, for `@InjectClient(name)`. */
  readonly clients?: Readonly<Record<string, NamedClient>>;
  /** By name, for `@UsePipeline(name)` and `@InjectPipeline(name)`. */
  readonly pipelines?: Readonly<Record<string, PipelineLike>>;
}

export interface BreakwaterOptions extends FeatureOptions {
  /** What clients are to know of the request that is being served. */
  readonly context?: RequestOptions;
  /** What `BreakwaterGuard` lets requests in by, where no `@Inbound()` says otherwise. */
  readonly inbound?: readonly Policy[];
  /**
   * A page for operators over all clients and pipelines of the application, and what it is made of: state and events to
   * be seen, policies to be changed. It is served by the application's own server.
   *
   * @default none
   */
  readonly admin?: ModuleAdminOptions;
  /**
   * How long requests and calls that run may still take when the application shuts down; after it they are cut. `false` leaves
   * clients and pipelines as they are, for those that several applications share.
   *
   * Nest has called `onModuleDestroy` before: close what requests need, such as a database, in `onApplicationShutdown`.
   *
   * @default "30s"
   */
  readonly drain?: Duration | false;
  /** The clock of the shutdown, of `deadline` and of pipelines that are lists of policies; tests give their own. @default the real one */
  readonly runtime?: Runtime;
}

// Nest names a missing token in its error, so they say what is missing.
const HOW = "name it in BreakwaterModule.forRoot(), in forFeature(), or beside the factory of forRootAsync()";
const TOKEN = /^Breakwater (client|pipeline) "(.*)": name it/s;

/** The token of a client, for `overrideProvider` and `useExisting`. */
export function getClientToken(name: string): string {
  return `Breakwater client "${name}": ${HOW}`;
}

/** The token of a pipeline. Methods that are decorated with its name run in what overrides it, too. */
export function getPipelineToken(name: string): string {
  return `Breakwater pipeline "${name}": ${HOW}`;
}

/** What a token is one of, and its name. */
export function namedBy(token: unknown): readonly [kind?: string, name?: string] {
  return typeof token === "string"
    ? ((TOKEN.exec(token)?.slice(1) as [string, string] | undefined) ?? [])
    : [];
}

/** The options with their defaults. @throws ConfigError for what makes no sense, as NaN that an unset variable became. */
export function readModuleOptions(given: BreakwaterOptions): Required<
  Pick<BreakwaterOptions, "clients" | "pipelines" | "runtime">
> & {
  readonly inbound: readonly Policy[] | undefined;
  readonly drainMs: number | undefined;
  readonly admin: { readonly path: string; readonly options: AdminOptions } | undefined;
} {
  const options = readOptions("BreakwaterModule", given ?? null);
  const context = readOptions("BreakwaterModule: context", options.raw("context"));
  for (const name of ["tenant", "priority", "callId"]) context.callback(name);
  context.optionalDuration("deadline");
  context.done();
  const runtime = options.raw<Runtime>("runtime") ?? systemRuntime();
  const drain = options.raw<Duration | false>("drain") ?? "30s";
  const effective = {
    clients: options.raw<BreakwaterOptions["clients"]>("clients") ?? {},
    pipelines: options.raw<BreakwaterOptions["pipelines"]>("pipelines") ?? {},
    inbound: options.raw<readonly Policy[]>("inbound"),
    runtime,
    admin: readAdminOptions(options.raw("admin"), runtime),
    drainMs: drain === false ? undefined : milliseconds(drain, "BreakwaterModule: drain"),
  };
  options.done();
  return effective;
}

/** Of a path alone: what else there is `admin()` reads. */
function readAdminOptions(
  given: ModuleAdminOptions | undefined,
  runtime: Runtime,
): { readonly path: string; readonly options: AdminOptions } | undefined {
  if (given === undefined) return undefined;
  if (typeof given !== "object" || given === null)
    throw new ConfigError(
      'BreakwaterModule: admin must be an object, for example { path: "breakwater", authorize: (request) => … }.',
    );
  const { path = "breakwater", ...options } = given;
  const [, bare] = (typeof path === "string" && /^\/?((?:[\w.~-]+\/)*[\w.~-]+)\/?$/.exec(path)) || [];
  if (bare === undefined)
    throw new ConfigError(
      `BreakwaterModule: admin: path must be a path such as "breakwater" or "internal/breakwater", without parameters, got ${JSON.stringify(path)}.`,
    );
  const onError = (error: unknown): void => Logger.error(error, "BreakwaterModule");
  return { path: `/${bare}`, options: { runtime, onError, ...options } };
}
