import {
  bulkhead,
  circuitBreaker,
  type Client,
  createClient,
  type Managed,
  type Policy,
  readOptions,
  retry,
  type Runtime,
  timeout,
  unwrap,
} from "@breakwater/core";

import { besideStream, languageModelUpstream } from "./model-upstream.ts";
import type { LanguageModel, ModelAnswer, ModelCall, ModelParams, ModelPart } from "./model.ts";

export interface BreakwaterMiddlewareOptions {
  /**
   * What every call of every wrapped model goes through, outermost first. Policies see a `ModelCall` as the request.
   *
   * @default 10 min to the answer or its first token and 1 h to the end, 3 attempts, a breaker for each model that opens
   * at 90 % failures, 500 calls at once, and clocks: first token 180 s, idle 60 s, while reasoning 120 s
   */
  readonly policies?: readonly Policy<ModelCall, ModelAnswer>[];
  /** What events, refusals and `snapshot()` call it. @default "ai-sdk" */
  readonly name?: string;
  /** Time and chance. @default the real ones */
  readonly runtime?: Runtime;
}

/** The version that is inferred from where the middleware is put: "v3" is ai 6, "v4" is ai 7. */
export interface BreakwaterMiddleware<Version extends string = "v3"> extends Managed {
  readonly specificationVersion: Version;
  wrapGenerate<Params extends ModelParams, Result extends object>(options: {
    readonly model: WrappedModel<Params, Result, unknown>;
    readonly params: Params;
  }): Promise<Result>;
  wrapStream<Params extends ModelParams, Result extends object>(options: {
    readonly model: WrappedModel<Params, unknown, Result>;
    readonly params: Params;
  }): Promise<Result>;
}

/** A model as the SDK hands it to a middleware. */
export interface WrappedModel<Params, Result, Stream> {
  readonly provider: string;
  readonly modelId: string;
  doGenerate(params: Params): PromiseLike<Result>;
  doStream(params: Params): PromiseLike<Stream>;
}

/**
 * A middleware of the AI SDK that runs a model's calls through policies, whatever provider it is of:
 * `wrapLanguageModel({ model, middleware: breakwaterMiddleware() })`. Attempts are repeated unseen until the first
 * token, permits are held to the last one, and a stream that ends without its finish part ends with an error.
 *
 * With `@ai-sdk/deepseek` and other providers that take a `fetch`, `deepseekFetch()` sees more: status and headers,
 * keep-alives, the host's own words. This is for providers that are no HTTP, for policies that tell models apart, and
 * for a fallback to a model of another provider.
 *
 * Its retries are all there are: an `APICallError` that comes out says `isRetryable: false`, so that the SDK does not
 * ask again. Refusals come out as `RefusedError`, clocks as `TimedOutError`, broken answers as `UpstreamError`.
 *
 * @throws ConfigError
 *
 * @example
 * ```ts no-run
 * import { breakwaterMiddleware } from "@breakwater/deepseek/ai-sdk";
 *
 * const middleware = breakwaterMiddleware();
 * // const model = wrapLanguageModel({ model: anyProvider("any-model"), middleware });
 * ```
 */
export function breakwaterMiddleware<Version extends string = "v3">(
  options: BreakwaterMiddlewareOptions = {},
): BreakwaterMiddleware<Version> {
  const reader = readOptions("breakwaterMiddleware", options);
  const policies = reader.raw<readonly Policy<ModelCall, ModelAnswer>[]>("policies") ?? defaultPolicies();
  if (!Array.isArray(policies)) reader.fail("policies must be an array of policies.");
  const name = reader.raw<string>("name") ?? "ai-sdk";
  const runtime = reader.raw<Runtime>("runtime");
  reader.done();
  const upstream = languageModelUpstream();
  const client = createClient(
    { upstream, name, ...(runtime !== undefined && { runtime }) },
    ...(policies as readonly Policy<ModelCall, ModelAnswer>[]),
  );

  const { change, close, describe, drain, managed, on, policies: made, snapshot } = client;
  return {
    // The SDKs look at what a model says of itself, not at this: one value does for both.
    specificationVersion: "v3" as Version,
    async wrapGenerate<Result>(given: Wrapped) {
      return (await ask(client, given, false)) as Result;
    },
    async wrapStream<Result>(given: Wrapped) {
      const answer = (await ask(client, given, true)) as AsyncIterableIterator<ModelPart>;
      return { ...besideStream(answer), stream: streamOf(answer) } as Result;
    },
    describe,
    snapshot,
    on,
    managed,
    policies: made,
    change,
    drain,
    close,
  };
}

interface Wrapped {
  readonly model: unknown;
  readonly params: ModelParams;
}

async function ask(
  client: Client<ModelCall, ModelAnswer>,
  { model, params }: Wrapped,
  stream: boolean,
): Promise<ModelAnswer> {
  const request = { model: model as LanguageModel, params, stream };
  const outcome = await client.outcome(request, { signal: params.abortSignal });
  if (outcome.status === "failed") sayNotToRetry(outcome.error);
  return unwrap(outcome);
}

/** The SDK asks again by itself what says that it may be asked again; that has been done. */
function sayNotToRetry(error: unknown): void {
  if ((error as { readonly isRetryable?: unknown } | null)?.isRetryable === true)
    Reflect.set(error as object, "isRetryable", false);
}

/** Read from as it is read; an error breaks it off. */
function streamOf(parts: AsyncIterableIterator<ModelPart>): ReadableStream<ModelPart> {
  return new ReadableStream<ModelPart>(
    {
      async pull(controller) {
        const { done, value } = await parts.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await parts.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

function defaultPolicies(): readonly Policy<ModelCall, ModelAnswer>[] {
  const key = ({ model }: ModelCall): string => `${model.provider}/${model.modelId}`;
  return [
    timeout({ name: "total", total: "10m", overall: "1h" }),
    retry({ attempts: 3 }),
    circuitBreaker({ failureRate: 0.9, key }),
    bulkhead({ concurrency: 500, queue: 2_000, maxWait: "30s" }),
    timeout({ name: "clocks", firstToken: "180s", idle: "60s", idleReasoning: "120s" }),
  ];
}
