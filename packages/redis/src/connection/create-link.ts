import type { Scope } from "../keys.ts";
import type { Connection } from "./connection.ts";
import { isUnknownScript } from "./faults.ts";
import { createHealth } from "./health.ts";
import { type Link, LinkError } from "./link.ts";

export interface RedisLink extends Link {
  /** What is poor about the client or the server, for people; more may come once the server is met. */
  readonly hints: readonly string[];
  readonly reason: LinkError | undefined;
  /** The link for another scope. On a cluster that may live on another node, which is up or down by itself. */
  of(scope: Scope): RedisLink;
}

/**
 * How long a script may take at first, in ms. The server is told its text and compiles it, and this process runs code that
 * it never ran before: a start must not look like an outage, and begin with refusals.
 */
const FIRST_WITHIN = 500;

/** Scripts that are remembered; a store has a dozen or two. */
const MOST_KNOWN = 1_024;

export function createLink(connection: Connection, scope: Scope): RedisLink {
  const { client, runtime, timeoutMs } = connection;
  /** Texts that were answered once, by their digest. */
  const known = new Set<string>();
  const probeKey = scope.key("probe");
  const listeners = new Set<(up: boolean) => void>();

  const health = createHealth({
    runtime,
    async probe() {
      const error = connection.away();
      if (error !== undefined) throw error;
      await connection.meet();
      // Written, not read: a replica, or a server without memory, would answer a read.
      await connection.send(() => client.call("SET", probeKey, "1", "PX", 1000), timeoutMs, undefined, true);
    },
    changed(up) {
      for (const tell of listeners) {
        try {
          tell(up);
        } catch {
          // Whoever listens badly must not keep the others from hearing.
        }
      }
    },
  });
  connection.watch({
    connected: health.connected,
    disconnected: health.disconnected,
    closed() {
      listeners.clear();
      health.close();
    },
  });

  function reason(): LinkError | undefined {
    const error = connection.away();
    if (error !== undefined || health.up) return error;
    if (health.reason === undefined) return new LinkError("Redis has not said yet that it is there", false);
    return new LinkError("Redis is left alone for a moment after failures", false, health.reason);
  }

  const link: RedisLink = {
    runtime,
    get up() {
      return health.up && connection.away() === undefined;
    },
    get hints() {
      return connection.hints;
    },
    get reason() {
      return reason();
    },
    of: (other) => (client.isCluster ? createLink(connection, other) : link),
    run(script, keys, args, ms = timeoutMs, binary = false) {
      const error = reason();
      if (error !== undefined) return Promise.reject(error);
      const call = binary ? "callBuffer" : "call";
      const told = [script.sha, keys.length, ...keys, ...args] as Told;
      if (args.some(isBytes)) for (let i = 2; i < told.length; i++) told[i] = asArgument(told[i] as Given);
      const answered = (reply: unknown): unknown => {
        if (known.size < MOST_KNOWN) known.add(script.sha);
        return reply;
      };
      return connection.send(
        (open) =>
          client[call]("EVALSHA", ...told).then(answered, (thrown) => {
            if (!isUnknownScript(thrown) || !open()) throw thrown;
            return client[call]("EVAL", script.lua, ...told.slice(1)).then(answered);
          }),
        known.has(script.sha) || known.size >= MOST_KNOWN ? ms : Math.max(ms, FIRST_WITHIN),
        health,
        script.vital,
      );
    },
    command(name, args, { timeoutMs: ms = timeoutMs, binary = false } = {}) {
      const error = reason();
      if (error !== undefined) return Promise.reject(error);
      const given = args.map(asArgument);
      const call = binary ? "callBuffer" : "call";
      return connection.send(() => client[call](name, ...given), ms, health);
    },
    subscribe: connection.subscriber.subscribe,
    onChange(tell) {
      listeners.add(tell);
      return () => void listeners.delete(tell);
    },
    async close() {
      connection.close();
    },
  };
  return link;
}

type Given = string | number | Uint8Array;
type Told = (string | number | Buffer)[];

function isBytes(given: Given): given is Uint8Array {
  return typeof given === "object";
}

/** The same bytes: ioredis knows buffers alone, and would write any other array as text. */
function asArgument(given: Given): string | number | Buffer {
  if (!isBytes(given)) return given;
  return Buffer.from(given.buffer, given.byteOffset, given.byteLength);
}
