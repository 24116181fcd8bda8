import {
  type CallOptions,
  type Client,
  ConfigError,
  createClient,
  type Full,
  lazyStream,
  type Managed,
  type Policy,
  type Settings,
  type Target,
  unwrap,
} from "@breakwater/core";

import { createBook } from "./accounts/book.ts";
import { type Accounts, faceOf } from "./accounts/index.ts";
import { DEFAULT_RULES } from "./accounts/options.ts";
import { asStream } from "./as-stream.ts";
import { type CostLedger, createCostLedger } from "./costs/ledger.ts";
import type { PriceTable } from "./costs/prices.ts";
import { ERROR_MODES, type ErrorMode } from "./error-mode.ts";
import { type FetchRequest, withoutCredentials } from "./fetch-request.ts";
import { createFetch } from "./fetch.ts";
import { createFim, type Fim } from "./fim-client.ts";
import { createHandler, type HandlerOptions } from "./http/handler.ts";
import { wireAround } from "./raw.ts";
import { type MidStream, midStreamOf, recommended, statusPolicies } from "./recommended.ts";
import { statusUpstream } from "./status-upstream.ts";
import type { Fetch } from "./transport.ts";
import type { ChatAnswer, ChatChunk, ChatCompletion, ChatRequest } from "./types.ts";
import {
  type DeepSeekUpstreamOptions,
  readUpstreamOptions,
  type UpstreamConfig,
} from "./upstream-options.ts";
import { createUpstream, keyFor, ownAddress } from "./upstream.ts";

export interface DeepSeekOptions extends DeepSeekUpstreamOptions, Settings {
  /** What every chat goes through. @default `recommended()` for this host */
  readonly policies?: readonly Policy<ChatRequest, ChatAnswer>[];
  /** Where to go when this host cannot answer: options of a second host, or an upstream or client of your own. */
  readonly fallback?: DeepSeekUpstreamOptions | Target<ChatRequest, ChatAnswer>;
  /** What becomes of a streamed answer that breaks off: an error, or `resume()`. @default "error" */
  readonly midStream?: MidStream;
  /** What hosts ask for their models. Instead of `costs`. @default `prices`: what DeepSeek asks */
  readonly prices?: PriceTable;
  /** How failures come out of `fetch`. @default "auto": thrown to the AI SDK, as responses to everybody else */
  readonly errorMode?: ErrorMode;
}

export interface Chat {
  /** Asks, and waits for the whole answer. Throws what went wrong, or the signal's own reason. */
  (request: ChatRequest, options?: CallOptions): Promise<ChatCompletion>;
  /** The answer together with what is known of how it came about. */
  full(request: ChatRequest, options?: CallOptions): Promise<Full<ChatCompletion>>;
}

export interface DeepSeek extends Managed {
  readonly chat: Chat;
  /**
   * Asks, and gives the answer out as it is made. The call begins with the first read: an iterable that nobody reads
   * asks nothing. Errors come out of the loop; leaving the loop cancels the call. Can be read once.
   */
  stream(request: ChatRequest, options?: CallOptions): AsyncIterableIterator<ChatChunk>;
  /**
   * Fills in what stands between two texts ("fill in the middle"), where the host can. No model thinks about it. It goes
   * through the policies of the chats: callbacks in them see such requests too, which have a `prompt` and no `messages`.
   *
   * @throws ConfigError for a host whose profile says nothing of `fim`
   *
   * @example
   * ```ts
   * import { createDeepSeek } from "@breakwater/deepseek";
   *
   * const deepseek = createDeepSeek({ apiKey: process.env["DEEPSEEK_API_KEY"] });
   * const { object } = await deepseek.fim({ prompt: "const sum = (a, b) => ", suffix: ";", max_tokens: 50 });
   * object; // => "text_completion"
   * ```
   */
  readonly fim: Fim;
  /**
   * A `fetch` for SDKs that asks this host with this key, whatever the SDK was given: `new OpenAI({ apiKey: "-",
   * baseURL: "https://api.deepseek.com", fetch: deepseek.fetch, maxRetries: 0 })`.
   */
  readonly fetch: Fetch;
  /** An OpenAI-compatible server in front of this client, as the web platform spells it. */
  handler(options: HandlerOptions): (request: Request) => Promise<Response>;
  /** The ids that a request may name here. Ids that are not listed reach the host as they are. */
  models(): readonly string[];
  /** The accounts of this client's keys: how each stands, and `reset` after a top-up. Can be given to further clients. */
  readonly accounts: Accounts;
  /** What its calls cost, those that a fallback answered as well: by tenant, by model, and how much of it was for nothing. */
  readonly costs: CostLedger;
  /** The client itself: outcomes that are not thrown, and the upstream for further clients. */
  readonly client: Client<ChatRequest, ChatAnswer>;
}

/**
 * DeepSeek, with policies around it.
 *
 * @throws ConfigError for options that cannot work, a missing key among them.
 *
 * @example
 * ```ts
 * import { createDeepSeek } from "@breakwater/deepseek";
 *
 * const deepseek = createDeepSeek({ apiKey: process.env["DEEPSEEK_API_KEY"] });
 * const { choices } = await deepseek.chat({ messages: [{ role: "user", content: "Hello" }] });
 * ```
 */
export function createDeepSeek(options: DeepSeekOptions = {}): DeepSeek {
  const {
    budget,
    errorMode = "auto",
    fallback,
    midStream,
    name,
    policies,
    prices,
    runtime,
    ...own
  } = options;
  if (policies !== undefined && fallback !== undefined) {
    throw new ConfigError(
      "createDeepSeek: fallback changes the recommended policies; where you give policies, put fallback({ to }) among them.",
    );
  }
  if (policies !== undefined && midStream !== undefined) {
    throw new ConfigError(
      "createDeepSeek: midStream changes the recommended policies; where you give policies, put resume() among them, before retry().",
    );
  }
  if (!ERROR_MODES.includes(errorMode)) {
    throw new ConfigError('createDeepSeek: errorMode must be "auto", "response" or "throw".');
  }
  if (prices !== undefined && own.costs !== undefined) {
    throw new ConfigError("createDeepSeek: costs has prices already: createCostLedger({ prices }).");
  }
  const costs = own.costs ?? createCostLedger(prices === undefined ? {} : { prices });
  const config = readUpstreamOptions("createDeepSeek", { ...own, costs });
  const settings: Settings = {
    ...(name !== undefined && { name }),
    ...(runtime !== undefined && { runtime }),
    ...(budget !== undefined && { budget }),
  };
  const second =
    typeof fallback === "object" ? secondHost({ costs, ...fallback }, settings, midStream) : fallback;
  const client = createClient(
    { ...settings, upstream: createUpstream(config, (call) => addressOf(call, config)) },
    ...(policies ?? recommended({ host: config.profile, fallback: second, midStream })),
  );
  const other = createClient(
    { ...settings, name: `${client.snapshot().name}-other`, upstream: otherUpstream(config) },
    ...statusPolicies(),
  );

  const managed = (): readonly Managed[] =>
    typeof fallback === "object" ? [client, other, second as Managed] : [client, other];

  const full: Chat["full"] = async (request, callOptions) => {
    const { value, meta } = await client.full(whole(request), callOptions);
    return { value: value as ChatCompletion, meta };
  };
  return {
    chat: Object.assign(
      async (request: ChatRequest, callOptions?: CallOptions) => (await full(request, callOptions)).value,
      {
        full,
      },
    ),
    stream: (request, callOptions = {}) =>
      lazyStream(async (signal) => {
        const streamed = inPieces(request);
        return asStream(unwrap(await client.outcome(streamed, { ...callOptions, signal })), streamed);
      }, callOptions.signal),
    fim: createFim(client),
    fetch: createFetch(() => ({ chat: client, other }), errorMode, runtime),
    handler: (handlerOptions) => createHandler(client, modelsOf(config), runtime, handlerOptions),
    models: () => modelsOf(config),
    costs,
    accounts: faceOf(config.accounts ?? createBook([], DEFAULT_RULES)),
    client,
    describe: () => client.describe(),
    snapshot: () => client.snapshot(),
    managed,
    policies: client.policies,
    change: (policy, change, changeOptions) => client.change(policy, change, changeOptions),
    on(listener) {
      const forget = managed().map((each) => each.on(listener));
      return () => {
        for (const each of forget) each();
      };
    },
    async drain(drainOptions) {
      await Promise.all([client.drain(drainOptions), other.drain(drainOptions)]);
    },
    async close() {
      await Promise.all([client.close(), other.close()]);
    },
  };
}

function whole(request: ChatRequest): ChatRequest {
  return request.stream === true ? { ...request, stream: false } : request;
}

/** With the usage at the end, which DeepSeek sends anyway and other hosts when they are asked to. */
function inPieces(request: ChatRequest): ChatRequest {
  return { ...request, stream: true, stream_options: request.stream_options ?? { include_usage: true } };
}

function modelsOf({ profile }: UpstreamConfig): readonly string[] {
  const { defaultModel, models = {} } = profile;
  return [...new Set([...Object.keys(models), ...(defaultModel === undefined ? [] : [defaultModel])])];
}

/** A second host with policies like the first one's, so that it is retried and spared on its own. */
function secondHost(
  options: DeepSeekUpstreamOptions,
  { name = "deepseek", ...settings }: Settings,
  midStream: MidStream | undefined,
): Client<ChatRequest, ChatAnswer> {
  const config = readUpstreamOptions("createDeepSeek: fallback", options);
  const upstream = createUpstream(config);
  return createClient(
    { ...settings, name: `${name}-fallback`, upstream },
    ...recommended({ host: config.profile, midStream: midStreamOf(config.profile, midStream) }),
  );
}

type AddressOf = NonNullable<Parameters<typeof createUpstream>[1]>;

/** What an SDK says of a request is kept, but for whom it is from: the key is ours. */
async function addressOf(
  call: Parameters<AddressOf>[0],
  config: UpstreamConfig,
): Promise<Awaited<ReturnType<AddressOf>>> {
  const address = await ownAddress(call, config);
  if ("code" in address) return address;
  const given = wireAround(call)?.headers;
  if (given === undefined) return address;
  const headers = withoutCredentials(given);
  for (const [name, value] of address.headers) headers.set(name, value);
  return { ...address, headers };
}

function otherUpstream(config: UpstreamConfig): ReturnType<typeof statusUpstream> {
  const fetch: Fetch = config.fetch ?? ((...args) => globalThis.fetch(...args));
  return statusUpstream(config.profile.name, fetch, async (request, call) => {
    const key = await keyFor(call, config);
    const headers = withoutCredentials(request.headers);
    if (key !== undefined) headers.set("authorization", `Bearer ${key}`);
    const { args, method } = request;
    const [input, init] = args;
    return [
      elsewhere(request, config.url.replace(/\/chat\/completions$/, "")),
      {
        ...init,
        method,
        headers,
        ...(typeof input === "object" && "body" in input && { body: input.body, duplex: "half" }),
      },
    ];
  });
}

/** The same path on this host. Whatever an SDK was pointed at, the key goes nowhere else. */
function elsewhere({ url }: FetchRequest, baseURL: string): string {
  if (url.href.startsWith(`${baseURL}/`)) return url.href;
  return baseURL + url.pathname.replace(/^\/v1(?=\/)/, "") + url.search;
}
