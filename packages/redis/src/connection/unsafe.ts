import { ConfigError } from "@breakwater/core";

import type { RedisClient } from "./redis-client.ts";

/** Options of ioredis that a store may be told to accept (`allowUnsafe`). */
export type UnsafeOption =
  | "autoResendUnfulfilledCommands"
  | "enableOfflineQueue"
  | "maxRetriesPerRequest"
  | "retryDelayOnFailover"
  | "retryStrategy"
  | "scaleReads";

export const UNSAFE_OPTIONS: readonly UnsafeOption[] = [
  "autoResendUnfulfilledCommands",
  "enableOfflineQueue",
  "maxRetriesPerRequest",
  "retryDelayOnFailover",
  "retryStrategy",
  "scaleReads",
];

interface Danger {
  readonly option: string;
  readonly is: string;
  readonly so: string;
  /** What to write. */
  readonly write: string;
}

type Options = Readonly<Record<string, unknown>>;

const REPLAYED = "a command whose reply was lost is sent again and may be executed twice";

/**
 * Looks at the options of a client that was given.
 *
 * @returns what is poor about it, for people
 * @throws ConfigError that names each option with which limits do not hold or calls hang
 */
export function checkClient(client: RedisClient, allowed: readonly UnsafeOption[]): string[] {
  const options = client.options as Options;
  const dangers = (client.isCluster ? ofCluster(options) : ofSingle(options)).filter(
    ({ option }) => !allowed.includes(option as UnsafeOption),
  );
  if (dangers.length > 0) throw new ConfigError(say(dangers, client.isCluster));
  const node = client.isCluster ? ((options["redisOptions"] ?? {}) as Options) : options;
  if (node["stringNumbers"] === true)
    throw new ConfigError(
      "redisStore: the client has stringNumbers: true, and limits are numbers; leave it out.",
    );
  return hintsOf(options, node);
}

function ofSingle(options: Options): Danger[] {
  const dangers: Danger[] = [];
  const { maxRetriesPerRequest: retries, enableOfflineQueue, autoResendUnfulfilledCommands } = options;
  if (retries !== 0) {
    dangers.push({
      option: "maxRetriesPerRequest",
      is: show(retries),
      so: `with Redis down a command waits for ${typeof retries === "number" ? `${retries} tries to connect (with 20, for up to 73 s)` : "ever"}, and ${REPLAYED}`,
      write: "maxRetriesPerRequest: 0",
    });
    if (autoResendUnfulfilledCommands !== false) {
      dangers.push({
        option: "autoResendUnfulfilledCommands",
        is: show(autoResendUnfulfilledCommands),
        so: REPLAYED,
        write: "autoResendUnfulfilledCommands: false",
      });
    }
  }
  if (enableOfflineQueue !== false) dangers.push(offlineQueue(enableOfflineQueue));
  if (typeof options["retryStrategy"] !== "function") {
    dangers.push({
      option: "retryStrategy",
      is: show(options["retryStrategy"]),
      so: "a client that has lost its connection never connects again",
      write: "retryStrategy: (times) => Math.random() * Math.min(500, 50 * 2 ** times)",
    });
  }
  if (options["readOnly"] === true) {
    dangers.push({
      option: "scaleReads",
      is: "that of a replica (readOnly: true)",
      so: "decisions write",
      write: "readOnly: false",
    });
  }
  return dangers;
}

function ofCluster(options: Options): Danger[] {
  const dangers: Danger[] = [];
  const { enableOfflineQueue, retryDelayOnFailover, scaleReads, clusterRetryStrategy } = options;
  const node = (options["redisOptions"] ?? {}) as Options;
  if (enableOfflineQueue !== false) dangers.push(offlineQueue(enableOfflineQueue));
  if (node["enableOfflineQueue"] === false) {
    dangers.push({
      option: "enableOfflineQueue",
      is: "false in redisOptions",
      so: "a cluster that may not queue for its nodes cannot ask them for its slots",
      write: "enableOfflineQueue: false beside redisOptions, not in it",
    });
  }
  if (retryDelayOnFailover !== 0) {
    dangers.push({
      option: "retryDelayOnFailover",
      is: show(retryDelayOnFailover),
      so: REPLAYED,
      write: "retryDelayOnFailover: 0",
    });
  }
  if (typeof options["clusterNodeRetryStrategy"] === "function" && node["maxRetriesPerRequest"] !== 0) {
    dangers.push({
      option: "maxRetriesPerRequest",
      is: show(node["maxRetriesPerRequest"]),
      so: REPLAYED,
      write: "redisOptions: { maxRetriesPerRequest: 0 }",
    });
  }
  if (typeof clusterRetryStrategy !== "function") {
    dangers.push({
      option: "retryStrategy",
      is: show(clusterRetryStrategy),
      so: "a cluster that has lost all of its nodes never connects again",
      write: "clusterRetryStrategy: (times) => Math.random() * Math.min(500, 50 * 2 ** times)",
    });
  }
  if (scaleReads !== undefined && scaleReads !== "master") {
    dangers.push({
      option: "scaleReads",
      is: show(scaleReads),
      so: "a replica answers with what was true a while ago",
      write: 'scaleReads: "master"',
    });
  }
  return dangers;
}

function offlineQueue(is: unknown): Danger {
  return {
    option: "enableOfflineQueue",
    is: show(is),
    so: "while Redis is away commands pile up without a bound, and are executed when nobody waits for them any more",
    write: "enableOfflineQueue: false",
  };
}

function hintsOf(options: Options, node: Options): string[] {
  const hints: string[] = [];
  if (options["enableAutoPipelining"] === true || node["enableAutoPipelining"] === true) {
    hints.push("enableAutoPipelining makes decisions half as many and three times as slow; leave it out");
  }
  if (!isPositive(node["socketTimeout"])) {
    hints.push(
      "without socketTimeout a connection that is half open is noticed after minutes; write socketTimeout: 1000",
    );
  }
  if (!isPositive(node["keepAlive"]))
    hints.push("without keepAlive an idle connection may be dropped; write keepAlive: 5000");
  if (typeof node["reconnectOnError"] !== "function") {
    hints.push(
      "without reconnectOnError the client stays with a server that has become a replica; write reconnectOnError: (error) => /^READONLY/.test(error.message)",
    );
  }
  return hints;
}

function say(dangers: readonly Danger[], isCluster: boolean): string {
  const list = dangers.map(({ option, is, so }) => `${option} is ${is}: ${so}`).join("; ");
  const write = dangers.map((danger) => danger.write).join(", ");
  const accept = [...new Set(dangers.map(({ option }) => `"${option}"`))].join(", ");
  const make = isCluster ? "redisStore({ cluster: [...] })" : "redisStore(url)";
  return `redisStore: the client that it was given is not safe for limits: ${list}. Give it { ${write} }, let ${make} make one, or accept it with { allowUnsafe: [${accept}] }.`;
}

function isPositive(value: unknown): boolean {
  return typeof value === "number" && value > 0;
}

function show(value: unknown): string {
  return typeof value === "function" ? "a function" : (JSON.stringify(value) ?? "undefined");
}
