import { Cluster, Redis } from "ioredis";

import type { Scope } from "../keys.ts";
import type { RedisStoreConfig } from "../options.ts";
import { makeClient, makeListener } from "./client.ts";
import { createConnection } from "./connection.ts";
import { createLink, type RedisLink } from "./create-link.ts";
import type { RedisLibrary } from "./redis-client.ts";
import { checkClient } from "./unsafe.ts";

/**
 * Connects as the options say.
 *
 * @param library of another major, for tests
 * @throws ConfigError when the client is not safe for limits
 */
export function openLink(
  config: RedisStoreConfig,
  scope: Scope,
  library: RedisLibrary = { Cluster, Redis },
): RedisLink {
  const { runtime, timeoutMs, maxInFlight } = config;
  // One that is made is looked at as well: its url and its `redis` may say anything.
  const client = config.client ?? makeClient(library, config.target, runtime);
  const hints = checkClient(client, config.allowed);
  const connection = createConnection({
    client,
    own: config.client === undefined,
    runtime,
    timeoutMs,
    maxInFlight,
    listener: () => makeListener(client, runtime),
    hints,
  });
  return createLink(connection, scope);
}
