import {
  ConfigError,
  type Duration,
  type OptionReader,
  readOptions,
  type Runtime,
  systemRuntime,
} from "@breakwater/core";

import { readCacheTier, type RedisCacheTier, type RedisCacheTierOptions } from "./cache/options.ts";
import type { NodeAddress, Target } from "./connection/client.ts";
import type { RedisClient } from "./connection/redis-client.ts";
import { UNSAFE_OPTIONS, type UnsafeOption } from "./connection/unsafe.ts";

/** One of `url`, `client`, `cluster` or `redis` says where Redis is. */
export interface RedisStoreOptions {
  /** `redis://[[user]:password@]host[:port][/db]`, or `rediss://` with TLS. */
  readonly url?: string;
  /**
   * A client of ioredis 5 or 6, `Redis` or `Cluster`. Its options are checked: those with which calls would hang or
   * count twice are a `ConfigError` that names them. It stays open when the store is closed.
   */
  readonly client?: RedisClient;
  /** Some nodes of a cluster; the others are found through them. */
  readonly cluster?: readonly (string | NodeAddress)[];
  /** Options of ioredis for the client that is made, beside `url` or `cluster`, or alone: sentinels, TLS, credentials. */
  readonly redis?: object;
  /**
   * What the limits are about, usually an account: policies of one name in one scope share their state. All of a scope
   * lives on one node of a cluster; scopes are spread over them.
   *
   * @default "default"
   */
  readonly scope?: string;
  /**
   * How long a decision may take before the policy's `outage` applies, from 5 ms to 5 s. The first of each kind may take
   * half a second: the server is told its script.
   *
   * @default 50
   */
  readonly decisionTimeout?: Duration;
  /**
   * After how long a process that is not heard of any more loses its permits. Each process says that it is there three
   * times as often. From 100 ms to 10 min. @default "15s"
   */
  readonly lease?: Duration;
  /**
   * How many processes share the limits: while Redis is away, each goes by this part of them. Redis counts the processes
   * that it hears of; say the number if a process may start while Redis is away. @default 1, or what Redis saw last if that is more
   */
  readonly instances?: number;
  /** Commands that may wait for replies at the same time; what is more is decided as if Redis were away. @default 1024 */
  readonly maxInFlight?: number;
  /** Options of the given client that are accepted though they are dangerous, as the `ConfigError` names them. @default [] */
  readonly allowUnsafe?: readonly UnsafeOption[];
  /** What `cache` keeps in this process, in front of Redis. @default 32 MiB, for 5 s */
  readonly cache?: RedisCacheTierOptions;
  /** Time and chance, for tests. @default systemRuntime() */
  readonly runtime?: Runtime;
}

export interface RedisStoreConfig {
  readonly client: RedisClient | undefined;
  readonly target: Target;
  readonly scope: string;
  readonly timeoutMs: number;
  readonly leaseMs: number;
  readonly instances: number;
  readonly maxInFlight: number;
  readonly allowed: readonly UnsafeOption[];
  readonly cache: RedisCacheTier;
  readonly runtime: Runtime;
}

const WHERE =
  'give it a url such as "redis://localhost:6379", a client of ioredis, or options with one of url, client, cluster and redis';

export function readRedisOptions(given: string | RedisClient | RedisStoreOptions): RedisStoreConfig {
  const reader = readOptions("redisStore", optionsOf(given));
  const client = reader.raw<RedisClient>("client");
  const target = readTarget(reader, client);
  const config = {
    client,
    target,
    scope: reader.text("scope", "default"),
    timeoutMs: ranged(reader, "decisionTimeout", 50, 5, 5_000),
    leaseMs: ranged(reader, "lease", 15_000, 100, 600_000),
    instances: reader.count("instances", 1),
    maxInFlight: reader.count("maxInFlight", 1024),
    allowed: readAllowed(reader),
    cache: readCacheTier(reader),
    runtime: reader.raw<Runtime>("runtime") ?? systemRuntime(),
  };
  reader.done();
  return config;
}

function optionsOf(given: unknown): object {
  if (typeof given === "string") return { url: given };
  if (isClient(given)) return { client: given };
  if (typeof given !== "object" || given === null)
    throw new ConfigError(`redisStore: ${WHERE}, got ${missing(given)}.`);
  if (given instanceof URL)
    throw new ConfigError("redisStore: it was given a URL; give it its text: url.href.");
  if ("sendCommand" in given || "isOpen" in given)
    throw new ConfigError(
      "redisStore: the client that it was given is none of ioredis, which is what it can use; give it the url.",
    );
  if ("host" in given || "port" in given)
    throw new ConfigError(
      "redisStore: host and port are options of ioredis: write { redis: { host, port } }, or a url.",
    );
  // An option that is there and undefined is a variable that was not set, and not a wish for another server.
  for (const name of ["url", "client", "cluster"]) {
    if (name in given && given[name as keyof typeof given] === undefined)
      throw new ConfigError(`redisStore: ${name} is ${missing(undefined)}.`);
  }
  return given;
}

function readTarget(reader: OptionReader, client: RedisClient | undefined): Target {
  const url = reader.raw<unknown>("url");
  const cluster = reader.raw<unknown>("cluster");
  const redis = reader.raw<object>("redis");
  const said = Object.entries({ url, client, cluster }).filter(([, value]) => value !== undefined);
  if (said.length > 1)
    reader.fail(`${said.map(([name]) => name).join(" and ")} are both given; one says where Redis is.`);
  if (said.length === 0 && redis === undefined) reader.fail(`${WHERE}.`);
  if (redis !== undefined && (typeof redis !== "object" || redis === null))
    reader.fail('redis must be an object with options of ioredis, for example { username: "limits" }.');
  if (client !== undefined) {
    if (!isClient(client))
      reader.fail("client must be one of ioredis 5 or 6: new Redis(…) or new Cluster(…).");
    if (redis !== undefined)
      reader.fail("redis is for a client that is made, and one is given; leave it out.");
    if (client.status === "end") reader.fail("the client was closed; give one that is open.");
  }
  if (cluster !== undefined) return { ...readCluster(reader, cluster, redis) };
  if (url !== undefined) parse(reader, "url", url);
  return { url: url as string | undefined, redis };
}

/** Credentials of a node's url are for all nodes: those that are found have no url. */
function readCluster(reader: OptionReader, given: unknown, redis: object | undefined): Target {
  if (!Array.isArray(given) || given.length === 0)
    return reader.fail(
      'cluster must be a list of nodes, for example ["redis://10.0.0.1:6379", { host: "10.0.0.2", port: 6379 }].',
    );
  const nodes: NodeAddress[] = [];
  let shared: object | undefined;
  for (const [i, node] of given.entries()) {
    if (typeof node === "string") {
      const { hostname, port, username, password, protocol } = parse(reader, `cluster[${i}]`, node);
      nodes.push({ host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? 6379 : Number(port) });
      const own = {
        ...(username === "" ? {} : { username: decodeURIComponent(username) }),
        ...(password === "" ? {} : { password: decodeURIComponent(password) }),
        ...(protocol === "rediss:" ? { tls: {} } : {}),
      };
      if (shared !== undefined && JSON.stringify(shared) !== JSON.stringify(own))
        reader.fail("the urls of cluster differ in user, password or TLS, which hold for all nodes.");
      shared = own;
    } else if (isAddress(node)) nodes.push({ host: node.host, port: node.port });
    else reader.fail(`cluster[${i}] must be a url or { host, port }.`);
  }
  return { cluster: nodes, redis: { ...shared, ...redis } };
}

/** Passwords that machines make are full of them. */
const ESCAPES = "in a user or password # is written %23, / is %2F, ? is %3F, @ is %40";

/** Says nothing of what was given: there may be a password in it. */
function parse(reader: OptionReader, name: string, given: unknown): URL {
  const example = 'such as "redis://localhost:6379" or "rediss://user:password@host:6380/0"';
  if (typeof given !== "string" || given === "")
    return reader.fail(`${name} must be a url ${example}, got ${missing(given)}.`);
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    return reader.fail(`${name} is not a url ${example}${given.includes("@") ? `; ${ESCAPES}` : ""}.`);
  }
  if (url.protocol !== "redis:" && url.protocol !== "rediss:")
    return reader.fail(`${name} must begin with "redis://" or "rediss://", ${example}.`);
  if (url.hostname === "") return reader.fail(`${name} has no host; write one ${example}.`);
  if (url.hash !== "") return reader.fail(`${name} has a part that begins with #; ${ESCAPES}.`);
  if (!/^\/?\d*$/.test(url.pathname))
    return reader.fail(`${name} must end with the number of a database or without one, ${example}.`);
  return url;
}

function ranged(reader: OptionReader, name: string, fallback: number, min: number, max: number): number {
  const ms = reader.duration(name, fallback);
  if (ms < min || ms > max) reader.fail(`${name} must be from ${min} ms to ${max} ms, got ${ms} ms.`);
  return ms;
}

function readAllowed(reader: OptionReader): readonly UnsafeOption[] {
  const given = reader.raw<unknown>("allowUnsafe") ?? [];
  if (Array.isArray(given) && given.every((name) => UNSAFE_OPTIONS.includes(name))) return given;
  return reader.fail(
    `allowUnsafe must be a list of ${UNSAFE_OPTIONS.map((name) => `"${name}"`).join(", ")}.`,
  );
}

function isClient(given: unknown): given is RedisClient {
  if (typeof given !== "object" || given === null) return false;
  const { status, call, callBuffer, on, duplicate } = given as Partial<Record<keyof RedisClient, unknown>>;
  return (
    typeof status === "string" && [call, callBuffer, on, duplicate].every((f) => typeof f === "function")
  );
}

function isAddress(given: unknown): given is NodeAddress {
  if (typeof given !== "object" || given === null) return false;
  const { host, port } = given as Partial<NodeAddress>;
  return (
    typeof host === "string" &&
    host !== "" &&
    Number.isInteger(port) &&
    Number(port) > 0 &&
    Number(port) < 65_536
  );
}

function missing(given: unknown): string {
  if (given === undefined) return "undefined (an environment variable that is not set?)";
  return given === ""
    ? "an empty string (an environment variable that is empty?)"
    : given === null
      ? "null"
      : `a ${typeof given}`;
}
