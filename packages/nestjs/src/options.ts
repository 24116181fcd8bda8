import {
  type Duration,
  milliseconds,
  type Pipeline,
  type Policy,
  readOptions,
  type Runtime,
  type Snapshot,
  systemRuntime,
} from "@breakwater/core";
import type { ContextOptions } from "@breakwater/http";

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
} {
  const options = readOptions("BreakwaterModule", given ?? null);
  const context = readOptions("BreakwaterModule: context", options.raw("context"));
  for (const name of ["tenant", "priority", "callId"]) context.callback(name);
  context.optionalDuration("deadline");
  context.done();
  const drain = options.raw<Duration | false>("drain") ?? "30s";
  const effective = {
    clients: options.raw<BreakwaterOptions["clients"]>("clients") ?? {},
    pipelines: options.raw<BreakwaterOptions["pipelines"]>("pipelines") ?? {},
    inbound: options.raw<readonly Policy[]>("inbound"),
    runtime: options.raw<Runtime>("runtime") ?? systemRuntime(),
    drainMs: drain === false ? undefined : milliseconds(drain, "BreakwaterModule: drain"),
  };
  options.done();
  return effective;
}
