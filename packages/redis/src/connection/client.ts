import type { Runtime } from "@breakwater/core";

import type { RedisClient, RedisLibrary } from "./redis-client.ts";

/** Where Redis is. */
export interface Target {
  readonly url?: string | undefined;
  readonly cluster?: readonly NodeAddress[] | undefined;
  /** Options of ioredis: credentials, TLS, sentinels. They win over ours, and a url over them. */
  readonly redis?: object | undefined;
}

export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

/** Within which a connection is made, in ms: with decisions of 50 ms, Redis is near or of no use. */
const CONNECT_WITHIN = 500;

/** The longest pause between two tries to connect, in ms. */
const RETRY_WITHIN = 500;

/** A client that fails at once while Redis is away, asks nothing twice, and is back soon. It connects when it is told to. */
export function makeClient({ Redis, Cluster }: RedisLibrary, target: Target, runtime: Runtime): RedisClient {
  const { url, cluster, redis } = target;
  if (cluster !== undefined) {
    const nodes = cluster.map((node) => ({ ...node }));
    return new Cluster(nodes, { ...clusterOptions(runtime), redisOptions: { ...nodeOptions(), ...redis } });
  }
  const options = { ...nodeOptions(), ...singleOptions(runtime), ...redis };
  return url === undefined ? new Redis(options) : new Redis(url, options);
}

/** A second connection to the same place, which is made anew by whoever uses it when it ends. */
export function makeListener(client: RedisClient, runtime: Runtime): RedisClient | undefined {
  const options = {
    ...nodeOptions(),
    lazyConnect: false,
    enableOfflineQueue: false,
    retryStrategy: null,
    readOnly: false,
    keyPrefix: "",
    autoResubscribe: false,
  };
  if (!client.isCluster) return client.duplicate(options);
  // What is published on one node of a cluster is heard on all of them.
  const nodes = client.nodes?.("master") ?? [];
  return nodes[Math.floor(runtime.random() * nodes.length)]?.duplicate(options);
}

/** What every connection has, in a cluster too. */
function nodeOptions(): object {
  return {
    connectTimeout: CONNECT_WITHIN,
    // How long a connection may take to end politely: one that is half open never does.
    disconnectTimeout: 100,
    // Only while replies are awaited. The last resort for what a connection cannot see itself: a handshake that hangs,
    // the nodes of a cluster.
    socketTimeout: 5_000,
    keepAlive: 5_000,
    noDelay: true,
    enableAutoPipelining: false,
    // A command whose reply was lost may have been executed. It is not sent again.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    maxLoadingRetryTime: 200,
    reconnectOnError: (error: Error) => /^(READONLY|LOADING|UNBLOCKED)\b/.test(error.message),
    connectionName: "breakwater",
    // Only ioredis 6 reads these; with them its replies have the shape of those of 5.
    protocol: 3,
    replyMapping: "legacy",
  };
}

function singleOptions(runtime: Runtime): object {
  return {
    lazyConnect: true,
    // What cannot be sent now fails now, instead of being executed when nobody waits for it any more.
    enableOfflineQueue: false,
    retryStrategy: (times: number) => backoff(runtime, times),
  };
}

function clusterOptions(runtime: Runtime): object {
  return {
    lazyConnect: true,
    // Not for the nodes: a cluster that may not queue for them cannot ask them for its slots.
    enableOfflineQueue: false,
    clusterRetryStrategy: (times: number) => backoff(runtime, times),
    maxRedirections: 3,
    // Else a command whose connection was lost would be sent to another node, and executed twice.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 10,
    slotsRefreshTimeout: CONNECT_WITHIN,
    slotsRefreshInterval: 5_000,
  };
}

/** By chance over the whole range: a fleet that lost Redis at one moment comes back spread out. */
function backoff(runtime: Runtime, times: number): number {
  return Math.round(runtime.random() * Math.min(RETRY_WITHIN, 50 * 2 ** Math.min(times - 1, 10)));
}
