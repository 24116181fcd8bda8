import {
  type Call,
  createClient,
  type Listener,
  type Managed,
  type Policy,
  readOptions,
  type Refusal,
  type Runtime,
} from "@breakwater/core";

import { createBook } from "./accounts/book.ts";
import { type Accounts, faceOf } from "./accounts/index.ts";
import { DEFAULT_RULES } from "./accounts/options.ts";
import type { Asker } from "./accounts/probe.ts";
import { ERROR_MODES, type ErrorMode } from "./error-mode.ts";
import { baseOf, type FetchRequest, isCompletion, withoutHopHeaders } from "./fetch-request.ts";
import { createFetch, type FetchClients, type Managing } from "./fetch.ts";
import { type HostProfile, hosts } from "./hosts.ts";
import { wireAround, wireOf } from "./raw.ts";
import { type MidStream, midStreamOf, recommended, statusPolicies } from "./recommended.ts";
import { isContinuation } from "./resume/continuation.ts";
import { statusUpstream } from "./status-upstream.ts";
import type { Fetch } from "./transport.ts";
import type { ChatRequest } from "./types.ts";
import { type DeepSeekUpstreamOptions, readUpstreamOptions } from "./upstream-options.ts";
import { type Address, createUpstream } from "./upstream.ts";

/** Where a fetch sends to: each has clients of its own, so that one sick host does not stop the others. */
export interface FetchTarget {
  /** The base URL, without `/chat/completions`. */
  readonly baseURL: string;
  /** What is known of this host. */
  readonly host: HostProfile;
  /**
   * What the option `account` says of the key. A store that processes share knows nothing of keys: where these are of
   * several accounts, give each the store of its own scope, `redis.scope(account)`.
   */
  readonly account?: string;
}

type WireOptions = Pick<
  DeepSeekUpstreamOptions,
  | "fetch"
  | "strictDone"
  | "queueLimit"
  | "tail"
  | "maxErrorBodyBytes"
  | "maxAnswerBytes"
  | "maxEventChars"
  | "commitOn"
  | "upstreamMode"
  | "maxWithheld"
  | "reserveOutput"
  | "countTokens"
  | "costs"
>;

export interface DeepSeekFetchOptions extends WireOptions {
  /** What every call goes through. A function makes them for each base URL and key. @default `recommended()` for each */
  readonly policies?: readonly Policy[] | ((target: FetchTarget) => readonly Policy[]);
  /** What everything goes through that is no chat. @default retry, circuit breaker and bulkhead for each base URL and key */
  readonly otherPolicies?: readonly Policy[] | ((target: FetchTarget) => readonly Policy[]);
  /**
   * What becomes of a streamed answer that breaks off: an error, or `resume()` where the host is known to continue
   * texts, as DeepSeek is. @default "error"
   */
  readonly midStream?: MidStream;
  /**
   * The account that a key belongs to, so that its keys share what is known of it: credit, limits, breakers. A name,
   * never the key itself, since events show it. @default each key is an account of its own
   */
  readonly account?: (key: string) => string | undefined;
  /** How failures reach the SDK. @default "auto": thrown to the AI SDK, as responses to everybody else */
  readonly errorMode?: ErrorMode;
  /** Time and chance. @default the real ones */
  readonly runtime?: Runtime;
  /** Base URLs and keys that are kept apart at most; who was not used for longest begins anew. @default 100 */
  readonly maxTargets?: number;
}

/** A `fetch` for SDKs, and what can be seen of the clients behind it. */
export type DeepSeekFetch = Fetch &
  Managing & {
    /** The accounts of the keys that came by, those that were not used for longest left out: how each stands, and `reset`. */
    readonly accounts: Accounts;
  };

/**
 * A `fetch` with policies, for any SDK that lets itself be given one: `new OpenAI({ fetch: deepseekFetch() })`. URL and
 * key are those of each request, so one fetch serves several hosts and accounts; breakers, limits and budgets are kept
 * apart by them.
 *
 * Chats, whole or streamed, get everything; other requests only what their status is good for. A failure comes back
 * as a response that tells the SDK not to retry on its own; one in the middle of a stream as an error event without
 * a [DONE], which SDKs throw. To the AI SDK, which passes on what is thrown, it is thrown: see `ErrorMode`. LangChain
 * asks again whatever it is told: set its `maxRetries: 0`, which is never wrong in others either.
 *
 * @example
 * ```ts
 * import OpenAI from "openai";
 * import { deepseekFetch } from "@breakwater/deepseek";
 *
 * const client = new OpenAI({
 *   apiKey: process.env["DEEPSEEK_API_KEY"],
 *   baseURL: "https://api.deepseek.com",
 *   fetch: deepseekFetch(),
 *   maxRetries: 0,
 * });
 * ```
 */
export function deepseekFetch(options: DeepSeekFetchOptions = {}): DeepSeekFetch {
  const config = read(options);
  const { account, errorMode, maxTargets, otherPolicies, policies, runtime, transport, wire } = config;
  const settings = runtime === undefined ? {} : { runtime };
  const targets = new Map<string, FetchClients>();
  const listeners = new Set<Attached>();
  const book = createBook([], DEFAULT_RULES);

  function makeClients(baseURL: string, owner: string | undefined): FetchClients {
    const host = profileOf(baseURL);
    const target = { baseURL, host, ...(owner !== undefined && { account: owner }) };
    const own = readUpstreamOptions("deepseekFetch", { ...wire, host, apiKey: "of-each-request" });
    const upstream = createUpstream(
      own,
      (call) => admit(call, addressOf(call, baseURL, own.prefixUrl), baseURL, own.asker),
      (call) => {
        const { key } = addressOf(call, baseURL, undefined);
        return key === undefined ? undefined : book.idOfKey(key, { place: baseURL, account: account?.(key) });
      },
    );
    const other = statusUpstream(host.name, transport, ({ args }) => args);
    const clients = {
      chat: createClient({ upstream, name: host.name, ...settings }, ...policies(target)),
      other: createClient(
        { upstream: other, name: `${host.name}-other`, ...settings },
        ...otherPolicies(target),
      ),
    };
    for (const listener of listeners) attach(listener, clients);
    return clients;
  }

  /** The key is the caller's. Whether its account can pay is known all the same. */
  async function admit(
    call: Call<ChatRequest>,
    address: Address,
    place: string,
    asker: Asker,
  ): Promise<Address | Refusal> {
    const { key } = address;
    if (key === undefined) return address;
    const lease = await book.admitKey(call, asker, key, { place, account: account?.(key) });
    return "code" in lease ? lease : { ...address, elsewhere: lease.elsewhere };
  }

  function clientsFor(request: FetchRequest): FetchClients {
    const { headers, url } = request;
    const baseURL = isCompletion(request) ? baseOf(request) : url.origin;
    // The key tells accounts apart, and stays in here.
    const credentials = keyIn(headers);
    const owner = credentials === undefined ? undefined : account?.(credentials);
    const key = [baseURL, owner === undefined ? `key ${credentials}` : `account ${owner}`].join("\n");
    const clients = targets.get(key) ?? makeClients(baseURL, owner);
    targets.delete(key);
    targets.set(key, clients);
    const [oldest] = targets.keys();
    if (targets.size > maxTargets && oldest !== undefined) {
      // Those who listen go on hearing of what still runs there; nobody holds on to it.
      for (const { forget } of listeners) forget.delete(targets.get(oldest) as FetchClients);
      targets.delete(oldest);
    }
    return clients;
  }

  const all = (): readonly Managed[] => [...targets.values()].flatMap(clientsOf);

  function attach(listener: Attached, clients: FetchClients): void {
    const forget = clientsOf(clients).map((client) =>
      client.on((event) => {
        if (listeners.has(listener)) listener.tell(event);
      }),
    );
    listener.forget.set(clients, () => {
      for (const each of forget) each();
    });
  }

  const managing: Managing = {
    on(tell) {
      const listener: Attached = { tell, forget: new Map() };
      listeners.add(listener);
      for (const clients of targets.values()) attach(listener, clients);
      return () => {
        listeners.delete(listener);
        for (const forget of listener.forget.values()) forget();
      };
    },
    managed: all,
    snapshot: () => all().map((client) => client.snapshot()),
    async close() {
      await Promise.all(all().map((client) => client.close()));
    },
  };
  return Object.assign(createFetch(clientsFor, errorMode, runtime), managing, { accounts: faceOf(book) });
}

/** The host at this address. It is addressed as its caller addressed it: nothing in his requests is translated. */
function profileOf(baseURL: string): HostProfile {
  const known = Object.values(hosts).find((host) => new URL(host.baseURL).origin === new URL(baseURL).origin);
  const {
    name,
    earlyHeaders = false,
    tokenPerChunk = false,
    prefix,
    balance,
  } = known ?? { name: new URL(baseURL).host };
  return {
    name,
    baseURL,
    earlyHeaders,
    tokenPerChunk,
    ...(prefix !== undefined && { prefix }),
    ...(balance !== undefined && { balance }),
  };
}

function keyIn(headers: Headers): string | undefined {
  return headers.get("authorization")?.replace(/^bearer\s+/i, "") ?? headers.get("x-api-key") ?? undefined;
}

function addressOf(call: Call<ChatRequest>, baseURL: string, prefixUrl: string | undefined): Address {
  const wire = wireAround(call);
  const headers = withoutHopHeaders(wire?.headers ?? new Headers({ "content-type": "application/json" }));
  // A continuation is ours: what its caller addressed was the answer that broke off.
  const url =
    wireOf(call.request)?.url ?? (isContinuation(call.request) ? prefixUrl : undefined) ?? wire?.url;
  return { url: url ?? `${baseURL}/chat/completions`, headers, key: keyIn(headers) };
}

/** Who listens to all clients, those that are still to be made among them. */
interface Attached {
  readonly tell: Listener;
  readonly forget: Map<FetchClients, () => void>;
}

const clientsOf = ({ chat, other }: FetchClients): readonly Managed[] => [chat, other];

function read(options: DeepSeekFetchOptions) {
  const reader = readOptions("deepseekFetch", options);
  const policiesOf = (
    name: "policies" | "otherPolicies",
    fallback: (target: FetchTarget) => readonly Policy[],
  ): ((target: FetchTarget) => readonly Policy[]) => {
    const given = reader.raw<readonly Policy[] | ((target: FetchTarget) => readonly Policy[])>(name);
    if (given === undefined) return fallback;
    if (typeof given === "function") return given;
    return Array.isArray(given)
      ? () => given
      : reader.fail(`${name} must be an array of policies, or a function that makes one.`);
  };
  const transport = reader.callback<Fetch>("fetch");
  const wire: Record<string, unknown> = transport === undefined ? {} : { fetch: transport };
  for (const name of WIRE_OPTIONS) {
    const value = reader.raw<unknown>(name);
    if (value !== undefined) wire[name] = value;
  }
  const midStream = reader.raw<MidStream>("midStream");
  if (midStream !== undefined) {
    recommended({ midStream }); // a wrong one is told here, not by the first call
    if (reader.raw("policies") !== undefined) {
      reader.fail(
        "midStream changes the recommended policies; where you give policies, put resume() among them, before retry().",
      );
    }
  }
  const config = {
    policies: policiesOf("policies", ({ host }) =>
      recommended({ host, midStream: midStreamOf(host, midStream) }),
    ),
    otherPolicies: policiesOf("otherPolicies", () => statusPolicies()),
    errorMode: reader.oneOf<ErrorMode>("errorMode", ERROR_MODES, "auto"),
    account: reader.callback<NonNullable<DeepSeekFetchOptions["account"]>>("account"),
    runtime: reader.raw<Runtime>("runtime"),
    maxTargets: reader.count("maxTargets", 100),
    // What is no chat may have any body that the runtime's own fetch knows: forms, files, streams.
    transport: transport ?? ((...args: Parameters<Fetch>) => globalThis.fetch(...args)),
    wire: wire as WireOptions,
  };
  reader.done();
  readUpstreamOptions("deepseekFetch", { ...config.wire, apiKey: "checked-only" });
  return config;
}

const WIRE_OPTIONS = [
  "strictDone",
  "queueLimit",
  "tail",
  "maxErrorBodyBytes",
  "maxAnswerBytes",
  "maxEventChars",
  "commitOn",
  "upstreamMode",
  "maxWithheld",
  "reserveOutput",
  "countTokens",
  "costs",
] as const satisfies readonly (keyof WireOptions)[];
