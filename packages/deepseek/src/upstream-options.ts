import { type Call, ConfigError, type Duration, type MaybePromise, readOptions } from "@breakwater/core";

import { type AccountBook, createBook } from "./accounts/book.ts";
import { type Accounts, bookOf } from "./accounts/index.ts";
import {
  type AccountOptions,
  type AccountsConfig,
  checkAccounts,
  checkKey,
  checkKeys,
  DEFAULT_RULES,
} from "./accounts/options.ts";
import { type Asker, createAsker } from "./accounts/probe.ts";
import { bookOf as costBookOf, type CostBook, type CostLedger } from "./costs/ledger.ts";
import type { FimRequest } from "./fim.ts";
import { type HostName, type HostProfile, hosts, type UpstreamMode } from "./hosts.ts";
import type { CommitOn, StreamRules } from "./stream-source.ts";
import type { ReserveOutput } from "./tokens/meter.ts";
import type { Fetch } from "./transport.ts";
import type { ChatRequest } from "./types.ts";

/** One key, several of one account, or a function that gives one for each attempt. */
export type ApiKey = string | readonly string[] | KeyOf;

/** Each key that it gives counts as an account of its own, since nothing else is known of it. */
type KeyOf = (call: Call<unknown>) => MaybePromise<string>;

export interface DeepSeekUpstreamOptions {
  /**
   * The key, several keys of one account, which are used in turn, or a function that gives one for each attempt.
   * @default the host's environment variable: `DEEPSEEK_API_KEY`
   */
  readonly apiKey?: ApiKey | undefined;
  /**
   * Several accounts, in the order in which they are preferred, or what `createAccounts` made of them, to share what
   * is learnt of them between clients. Instead of `apiKey`.
   */
  readonly accounts?: readonly AccountOptions[] | Accounts | undefined;
  /**
   * How the host is asked for a whole answer: the `same` way, or by `stream`. A whole answer is silent in the making, so
   * nothing but its total time can be watched; streamed to here and put together, it has a clock for its first token and
   * for every other one, and one that stalls is asked for again after a minute. What the caller gets is the same, but
   * for members that a host sends in whole answers only, and the spelling of its JSON. @default "same", or the host's
   */
  readonly upstreamMode?: UpstreamMode;
  /** What `/chat/completions` is appended to. @default `DEEPSEEK_BASE_URL`, else the host's */
  readonly baseURL?: string | undefined;
  /** A known host by name, or one of your own. @default "deepseek" */
  readonly host?: HostName | HostProfile;
  /** What requests ask for that name no model. @default the host's */
  readonly model?: string;
  /** Further model ids, as this host calls them. */
  readonly models?: Readonly<Record<string, string>>;
  /** What makes the HTTP requests. @default undici's on Node, without its time limits; else the runtime's own */
  readonly fetch?: Fetch;
  /** Sent with every request. */
  readonly headers?:
    | Readonly<Record<string, string>>
    | ((call: Call<ChatRequest>) => Readonly<Record<string, string>>);
  /** Whether a finished stream must say [DONE] as well. Some hosts never do. @default false */
  readonly strictDone?: boolean;
  /** How long the host lets a call queue before it gives it up; tells a queue timeout from an empty answer. @default "10m" */
  readonly queueLimit?: Duration;
  /** How long to wait for [DONE] once the answer is finished. @default "5s" */
  readonly tail?: Duration;
  /** How much of an error answer is read, in bytes. @default 65_536 */
  readonly maxErrorBodyBytes?: number;
  /** Largest JSON answer, in bytes. @default 67_108_864 */
  readonly maxAnswerBytes?: number;
  /** Largest event of a stream, in characters. @default 4_194_304 */
  readonly maxEventChars?: number;
  /**
   * What a streamed answer begins with. Until it begins, whatever goes wrong is tried again unseen.
   *
   * - `any`: the first text. Who watches the model think sees it live, and so most callers want it.
   * - `content`: the first text or tool call behind the reasoning. The reasoning comes with it, at once: models think
   *   for longer than they write, so most streams that break do so before anybody has seen anything.
   *
   * Tokens that are held back count for `firstToken` and `idle` clocks, for breakers and for `meta.firstTokenMs`;
   * `timeout({ total })` bounds the reasoning as well, since it counts to the answer. @default "any"
   */
  readonly commitOn?: CommitOn;
  /**
   * How much of a stream before it begins is held back, in characters of JSON; then it begins with what is there.
   * @default 65_536, with `commitOn: "content"` 1_048_576: some four thousand tokens of reasoning
   */
  readonly maxWithheld?: number;
  /**
   * What `rateLimit({ limits: { tokens } })` reserves for an answer until it has ended, when only what it came to is
   * charged.
   *
   * - `recent`: what nine in ten of the latest 64 answers of this model did not exceed, thinking or not, and never more
   *   than `max_tokens`; 4_096 until ten are known. A request that is silent on `max_tokens` may come to 64K tokens by
   *   DeepSeek's default and hardly ever does: reserved for the worst, a limit of 60,000 tokens a minute would let one
   *   call pass at a time. The price is that ten calls in a hundred use more than was reserved for them, which the
   *   calls after them wait for.
   * - `max`: `max_tokens`, or what DeepSeek takes for it when it is not set: 8K, 64K while thinking, 128K at effort
   *   `max`. For a limit that must not be exceeded even for a moment.
   *
   * @default "recent"
   */
  readonly reserveOutput?: ReserveOutput;
  /**
   * Counts the tokens of a prompt: a tokenizer of your own. What the host counts corrects it all the same, since no
   * tokenizer knows what the host puts around a prompt. It is asked once or twice for each attempt, and must be quick.
   * @default `estimatePrompt`: 0.3 tokens a character, 0.6 a Chinese, Japanese or Korean one
   */
  readonly countTokens?: (request: ChatRequest | FimRequest) => number;
  /** Where is written down what its requests cost. @default `deepseek.costs` of `createDeepSeek`; else nowhere */
  readonly costs?: CostLedger;
}

/** Options with everything filled in. */
export interface UpstreamConfig {
  readonly costs: CostBook | undefined;
  readonly profile: HostProfile;
  readonly url: string;
  /** Where texts are continued, if that is known. */
  readonly prefixUrl: string | undefined;
  readonly fimUrl: string | undefined;
  /** Undefined where the keys are known, or none is asked for. */
  readonly keyOf: KeyOf | undefined;
  /** Undefined for a host that asks for no key. */
  readonly accounts: AccountBook | undefined;
  readonly asker: Asker;
  readonly fetch: Fetch | undefined;
  readonly headers: DeepSeekUpstreamOptions["headers"];
  readonly rules: StreamRules;
  readonly maxErrorBodyBytes: number;
  readonly maxAnswerBytes: number;
  readonly upstreamMode: UpstreamMode;
  readonly reserveOutput: ReserveOutput;
  readonly countTokens: DeepSeekUpstreamOptions["countTokens"];
}

export function readUpstreamOptions(
  where: string,
  options: DeepSeekUpstreamOptions | undefined,
): UpstreamConfig {
  const reader = readOptions(where, options);
  const host = profileOf(where, reader.raw("host"));
  const model = reader.raw<string>("model") === undefined ? host.defaultModel : reader.text("model", "");
  const profile: HostProfile = {
    ...host,
    ...(model !== undefined && { defaultModel: model }),
    models: { ...host.models, ...modelsOf(where, reader.raw("models")) },
  };
  const given = reader.raw<string>("baseURL") ?? environment(host.baseURLEnv) ?? host.baseURL;
  const headers = reader.raw<UpstreamConfig["headers"]>("headers");
  if (
    headers !== undefined &&
    typeof headers !== "function" &&
    (typeof headers !== "object" || headers === null)
  ) {
    reader.fail("headers must be an object of names and values, or a function that gives one.");
  }
  const commitOn = reader.oneOf<CommitOn>("commitOn", ["any", "content"], "any");
  const url = `${baseOf(where, given)}/chat/completions`;
  const fetch = reader.callback<Fetch>("fetch");
  const costs = reader.raw<CostLedger>("costs");
  const config: UpstreamConfig = {
    costs: costs === undefined ? undefined : costBookOf(where, costs),
    profile,
    url,
    ...keysOf(where, reader.raw("apiKey"), reader.raw("accounts"), host),
    asker: createAsker(profile, url, fetch),
    fetch,
    prefixUrl: placeOf(where, given, profile.prefix, "/chat/completions"),
    fimUrl: placeOf(where, given, profile.fim, "/completions"),
    headers,
    rules: {
      commitOn,
      strictDone: reader.flag("strictDone", false),
      queueLimitMs: reader.duration("queueLimit", 600_000),
      tailMs: reader.duration("tail", 5_000),
      maxWithheldChars: reader.count("maxWithheld", commitOn === "content" ? 1_048_576 : 65_536),
      maxEventChars: reader.count("maxEventChars", 4_194_304),
      tokenPerChunk: profile.tokenPerChunk === true,
    },
    maxErrorBodyBytes: reader.count("maxErrorBodyBytes", 65_536),
    maxAnswerBytes: reader.count("maxAnswerBytes", 67_108_864),
    upstreamMode: reader.oneOf<UpstreamMode>(
      "upstreamMode",
      ["same", "stream"],
      profile.upstreamMode ?? "same",
    ),
    reserveOutput: reader.oneOf<ReserveOutput>("reserveOutput", ["recent", "max"], "recent"),
    countTokens: reader.callback<NonNullable<DeepSeekUpstreamOptions["countTokens"]>>("countTokens"),
  };
  reader.done();
  return config;
}

function profileOf(where: string, host: unknown = "deepseek"): HostProfile {
  const known = Object.keys(hosts)
    .map((name) => `"${name}"`)
    .join(", ");
  if (typeof host === "string") {
    if (Object.hasOwn(hosts, host)) return hosts[host as HostName];
    throw new ConfigError(
      `${where}: host ${JSON.stringify(host.slice(0, 60))} is not known; known are ${known}. For another one write { host: { name, baseURL, keyEnv } }.`,
    );
  }
  const { name, baseURL } = (host ?? {}) as Partial<HostProfile>;
  if (typeof name === "string" && name !== "" && typeof baseURL === "string") return host as HostProfile;
  throw new ConfigError(`${where}: host must be one of ${known}, or an object with name and baseURL.`);
}

function modelsOf(where: string, models: unknown): Readonly<Record<string, string>> {
  if (models === undefined) return {};
  const fits =
    typeof models === "object" &&
    models !== null &&
    Object.values(models).every((id) => typeof id === "string" && id !== "");
  if (fits) return models as Readonly<Record<string, string>>;
  throw new ConfigError(
    `${where}: models must map ids to ids, for example { "deepseek-flash": "my-flash" }.`,
  );
}

function baseOf(where: string, given: unknown): string {
  const url = typeof given === "string" ? parseUrl(given) : undefined;
  if (url !== undefined && url.username === "" && url.search === "") return url.href.replace(/\/+$/, "");
  throw new ConfigError(
    `${where}: baseURL must be an http(s) URL without query or credentials, such as "https://api.deepseek.com".`,
  );
}

/** A host's place for something: a URL, or a path behind its base URL. */
function placeOf(where: string, base: unknown, place: string | undefined, path: string): string | undefined {
  if (place === undefined) return undefined;
  const plain = baseOf(where, base).replace(/\/(v1|beta)$/, "");
  return `${baseOf(where, place.startsWith("/") ? plain + place : place)}${path}`;
}

function parseUrl(text: string): URL | undefined {
  try {
    const url = new URL(text);
    return url.protocol === "https:" || url.protocol === "http:" ? url : undefined;
  } catch {
    return undefined;
  }
}

function keysOf(
  where: string,
  given: unknown,
  accounts: unknown,
  host: HostProfile,
): Pick<UpstreamConfig, "accounts" | "keyOf"> {
  if (accounts !== undefined) {
    if (given !== undefined) {
      throw new ConfigError(
        `${where}: apiKey and accounts both say which keys there are; write the key into the accounts.`,
      );
    }
    return {
      accounts: bookOf(accounts as Accounts) ?? bookFor(checkAccounts(where, accounts)),
      keyOf: undefined,
    };
  }
  // Keys that a function gives are known when they come.
  if (typeof given === "function") return { accounts: bookFor([]), keyOf: given as KeyOf };
  const key = given ?? environment(host.keyEnv);
  if (key === undefined && host.keyEnv === undefined) return { accounts: undefined, keyOf: undefined };
  if (key === undefined || key === "") {
    const variable = host.keyEnv === undefined ? "" : `set the environment variable ${host.keyEnv}, or `;
    throw new ConfigError(`${where}: apiKey is missing for ${host.name}: ${variable}write { apiKey: "…" }.`);
  }
  const keys = Array.isArray(key) ? checkKeys(`${where}: apiKey`, key) : [checkKey(`${where}: apiKey`, key)];
  return { accounts: bookFor([{ id: "default", keys }]), keyOf: undefined };
}

function bookFor(accounts: AccountsConfig["accounts"]): AccountBook {
  return createBook(accounts, DEFAULT_RULES);
}

function environment(name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  const value = globalThis.process?.env?.[name];
  return value === undefined || value === "" ? undefined : value;
}
