import type { Runtime } from "@breakwater/core";

import { createDeadlines } from "./deadlines.ts";
import { faultOf, isUnknownScript } from "./faults.ts";
import { createHealth } from "./health.ts";
import { type Link, LinkError } from "./link.ts";
import type { RedisClient } from "./redis-client.ts";
import { checkServer } from "./server.ts";
import { createSubscriber } from "./subscriber.ts";

export interface LinkOptions {
  readonly client: RedisClient;
  /** Whether `close` ends the client. */
  readonly own: boolean;
  readonly runtime: Runtime;
  /** A key that probes write to: where the scope's keys live. */
  readonly probeKey: string;
  readonly timeoutMs: number;
  readonly maxInFlight: number;
  /** Makes a connection that hears what is published (see `createSubscriber`). */
  readonly listener: () => RedisClient | undefined;
  /** Known before the server is met. */
  readonly hints?: readonly string[];
}

export interface RedisLink extends Link {
  /** What is poor about the client or the server, for people; more may come once the server is met. */
  readonly hints: readonly string[];
  /** Why it is not up; `undefined` while it is. */
  readonly reason: unknown;
}

export function createLink(options: LinkOptions): RedisLink {
  const { client, runtime, probeKey, timeoutMs, maxInFlight } = options;
  const deadlines = createDeadlines(runtime);
  const listeners = new Set<(up: boolean) => void>();
  let hints = options.hints ?? [];
  let closed = false;
  /** Commands without a reply, those that nobody waits for any more included. Counted for each connection. */
  let inFlight = { count: 0 };

  const health = createHealth({ runtime, probe, changed });
  const subscriber = createSubscriber({ runtime, deadlines, make: options.listener });

  function changed(up: boolean): void {
    for (const tell of listeners) {
      try {
        tell(up);
      } catch {
        // Whoever listens badly must not keep the others from hearing.
      }
    }
  }

  /** Settles at the deadline at the latest; whatever comes later is let go. */
  function send(issue: (open: () => boolean) => Promise<unknown>, ms: number): Promise<unknown> {
    const flight = inFlight;
    if (flight.count >= maxInFlight) {
      return Promise.reject(new LinkError(`${maxInFlight} commands wait for Redis already`, false));
    }
    flight.count++;
    return new Promise((resolve, reject) => {
      let open = true;
      const fail = (error: LinkError, sick: boolean): void => {
        if (!open) return;
        open = false;
        if (sick) health.failed(error);
        reject(error);
      };
      const cancel = deadlines.set(ms, () =>
        fail(new LinkError(`Redis did not answer within ${ms} ms`, true), true),
      );
      attempt(issue, () => open).then(
        (value) => {
          flight.count--;
          cancel();
          if (!open) return;
          open = false;
          health.succeeded();
          resolve(value);
        },
        (thrown: unknown) => {
          flight.count--;
          cancel();
          const { error, sick } = faultOf(thrown);
          fail(error, sick);
        },
      );
    });
  }

  /** Only while there is a connection: else ioredis would keep commands, and tell Redis when nobody wants it any more. */
  function away(): LinkError | undefined {
    if (closed) return new LinkError("the store was closed", false);
    if (client.status !== "ready") return new LinkError("Redis is not connected", false, health.reason);
    return undefined;
  }

  function ready(): LinkError | undefined {
    const error = away();
    if (error !== undefined || health.up) return error;
    return new LinkError("Redis is left alone for a moment after failures", false, health.reason);
  }

  let unfit: string | undefined;
  let met = false;

  async function probe(): Promise<void> {
    const error = away();
    if (error !== undefined) throw error;
    if (!met) {
      const check = await checkServer((name, ...args) =>
        send(() => client.call(name, ...args), 4 * timeoutMs),
      );
      met = true;
      ({ unfit } = check);
      hints = [...new Set([...hints, ...check.hints])];
    }
    if (unfit !== undefined) throw new LinkError(unfit, false);
    // Written, not read: a replica, or a server without memory, would answer a read.
    await send(() => client.call("SET", probeKey, "1", "PX", 1000), timeoutMs);
  }

  function onReady(): void {
    if (closed) return;
    met = false;
    inFlight = { count: 0 };
    health.connected();
  }
  const onClose = (): void => health.disconnected();
  const onError = (error: unknown): void => {
    if (client.status !== "ready") health.disconnected(faultOf(error).error);
  };
  client.on("error", onError);
  client.on("ready", onReady);
  client.on("close", onClose);
  client.on("end", onClose);
  if (client.status === "ready") onReady();
  if (client.status === "wait") client.connect().catch(() => {}); // its error comes as an event

  return {
    runtime,
    get up() {
      return health.up && !closed && client.status === "ready";
    },
    get hints() {
      return hints;
    },
    get reason() {
      return ready();
    },
    run(script, keys, args, ms = timeoutMs, binary = false) {
      const error = ready();
      if (error !== undefined) return Promise.reject(error);
      const call = binary ? "callBuffer" : "call";
      const given = args.map(asArgument);
      return send(
        (open) =>
          client[call]("EVALSHA", script.sha, keys.length, ...keys, ...given).then(undefined, (thrown) => {
            if (!isUnknownScript(thrown) || !open()) throw thrown;
            return client[call]("EVAL", script.lua, keys.length, ...keys, ...given);
          }),
        ms,
      );
    },
    command(name, args, { timeoutMs: ms = timeoutMs, binary = false } = {}) {
      const error = ready();
      if (error !== undefined) return Promise.reject(error);
      const given = args.map(asArgument);
      return send(() => (binary ? client.callBuffer(name, ...given) : client.call(name, ...given)), ms);
    },
    subscribe: subscriber.subscribe,
    onChange(tell) {
      listeners.add(tell);
      return () => void listeners.delete(tell);
    },
    async close() {
      if (closed) return;
      closed = true;
      health.close();
      listeners.clear();
      subscriber.close();
      client.removeListener("ready", onReady);
      client.removeListener("close", onClose);
      client.removeListener("end", onClose);
      if (options.own) client.disconnect();
      else client.removeListener("error", onError);
    },
  };
}

function attempt<T>(issue: (open: () => boolean) => Promise<T>, open: () => boolean): Promise<T> {
  try {
    return issue(open);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The same bytes: ioredis knows buffers alone, and would write any other array as text. */
function asArgument(given: string | number | Uint8Array): string | number | Buffer {
  if (typeof given !== "object") return given;
  return Buffer.from(given.buffer, given.byteOffset, given.byteLength);
}
