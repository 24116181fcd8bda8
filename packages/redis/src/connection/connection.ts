import type { CancelTimer, Runtime } from "@breakwater/core";

import { createDeadlines } from "./deadlines.ts";
import { faultOf } from "./faults.ts";
import { createGather } from "./gather.ts";
import { LinkError } from "./link.ts";
import type { RedisClient } from "./redis-client.ts";
import { checkServer, type ServerCheck } from "./server.ts";
import { createSubscriber, type Subscriber } from "./subscriber.ts";

export interface ConnectionOptions {
  readonly client: RedisClient;
  /** Whether `close` ends the client. */
  readonly own: boolean;
  readonly runtime: Runtime;
  readonly timeoutMs: number;
  readonly maxInFlight: number;
  /** Makes a connection that hears what is published (see `createSubscriber`). */
  readonly listener: () => RedisClient | undefined;
  /** Known before the server is met. */
  readonly hints?: readonly string[];
}

/** A client, and commands that never wait longer than they say. The links of all scopes are over one. */
export interface Connection {
  readonly client: RedisClient;
  readonly runtime: Runtime;
  readonly timeoutMs: number;
  /** What is poor about the client or the server, for people; more may come once the server is met. */
  readonly hints: readonly string[];
  readonly subscriber: Subscriber;
  /** Why nothing can be sent. */
  away(): LinkError | undefined;
  /**
   * Settles at the deadline at the latest; whatever comes later is let go.
   *
   * @param heard told how it went
   * @param vital whether it is sent though many commands wait already
   */
  send(issue: Issue, ms: number, heard?: Heard, vital?: boolean): Promise<unknown>;
  /** Looks at the server, once for each time that it is connected to. Rejects while it is not known to be fit. */
  meet(): Promise<void>;
  watch(watcher: Watcher): void;
  close(): void;
}

/** Sends a command; `open` says later whether somebody still waits for it. */
type Issue = (open: () => boolean) => Promise<unknown>;

interface Heard {
  succeeded(): void;
  /** Redis did not answer, or cannot do its work. */
  failed(error: LinkError): void;
}

interface Watcher {
  connected(): void;
  disconnected(reason?: LinkError): void;
  closed(): void;
}

/** A connection on which nothing came for so long though it should have, in ms, is taken for dead. */
const SILENCE = 1_000;

/** A client of ours that has ended, as one without sentinels does, is connected again after so long, in ms. */
const REVIVE_AFTER = 500;

/** Commands beside `maxInFlight`: probes, heartbeats and what gives back, on which the others hang. */
const RESERVE = 64;

/** Hints are for people. */
const MOST_HINTS = 16;

/** A server is looked at in the background: it may take this many times as long as a decision. */
const PATIENCE = 4;

export function createConnection(options: ConnectionOptions): Connection {
  const { client, runtime, timeoutMs, maxInFlight } = options;
  const deadlines = createDeadlines(runtime);
  const gather = createGather(client);
  const subscriber = createSubscriber({ runtime, deadlines, make: options.listener });
  const watchers = new Set<Watcher>();
  const hints = new Set(options.hints);
  let closed = false;
  let revival: CancelTimer | undefined;
  let lost: LinkError | undefined;
  let met: Promise<ServerCheck> | undefined;
  /** When the last reply came, or the first of the commands that wait was sent after it. */
  let heardAt = 0;
  /** Ending, and not to be written to. */
  let dropped = false;
  /** Commands without a reply, those that nobody waits for any more included. Counted anew for each connection. */
  let inFlight = { count: 0 };

  function send(issue: Issue, ms: number, heard?: Heard, vital = false): Promise<unknown> {
    const flight = inFlight;
    if (flight.count >= maxInFlight + (vital ? RESERVE : 0)) {
      return Promise.reject(new LinkError(`${maxInFlight} commands wait for Redis already`, false));
    }
    if (flight.count++ === 0) heardAt = runtime.now(); // from now on something should come
    return new Promise((resolve, reject) => {
      let open = true;
      const fail = (error: LinkError, sick: boolean): void => {
        if (!open) return;
        open = false;
        if (sick) heard?.failed(error);
        reject(error);
      };
      const cancel = deadlines.set(ms, () => {
        fail(new LinkError(`Redis did not answer within ${ms} ms`, true), true);
        if (runtime.now() - heardAt > SILENCE) drop();
      });
      gather();
      attempt(issue, () => open).then(
        (value) => {
          flight.count--;
          heardAt = runtime.now();
          cancel();
          if (!open) return;
          open = false;
          heard?.succeeded();
          resolve(value);
        },
        (thrown: unknown) => {
          flight.count--;
          heardAt = runtime.now();
          cancel();
          const { error, sick } = faultOf(thrown);
          // Redis is well, and decides all the same without being of use: somebody should see that. What nobody waits for
          // any more may have failed because of that: a script that is unknown is sent again for those alone who wait.
          if (open && !sick && heard !== undefined && hints.size < MOST_HINTS)
            hints.add(`a command failed: ${error.message}`);
          fail(error, sick);
        },
      );
    });
  }

  /**
   * Makes another connection. Not left to ioredis' `socketTimeout`, which does not look whether replies have come while
   * the event loop was blocked.
   */
  function drop(): void {
    if (!options.own || client.isCluster || dropped || away() !== undefined) return;
    dropped = true;
    client.disconnect(true);
  }

  function away(): LinkError | undefined {
    if (closed) return new LinkError("the store was closed", false);
    if (client.status === "end" && !options.own)
      return new LinkError(
        "the client that the store was given has ended, and stays so until it is connected",
        false,
      );
    // Else ioredis might keep the command, and tell Redis when nobody wants it any more.
    if (client.status !== "ready" || dropped) return new LinkError("Redis is not connected", false, lost);
    return undefined;
  }

  async function meet(): Promise<void> {
    const meeting = (met ??= checkServer((name, ...args) =>
      send(() => client.call(name, ...args), PATIENCE * timeoutMs, undefined, true),
    ));
    const check = await meeting.catch((error: unknown) => {
      if (met === meeting) met = undefined; // it did not answer, which may change
      throw error;
    });
    for (const hint of check.hints) hints.add(hint);
    if (check.unfit !== undefined) throw new LinkError(check.unfit, false);
  }

  function onReady(): void {
    met = undefined;
    lost = undefined;
    dropped = false;
    heardAt = runtime.now();
    inFlight = { count: 0 };
    for (const watcher of watchers) watcher.connected();
  }
  function onClose(): void {
    for (const watcher of watchers) watcher.disconnected();
  }
  function onError(error: unknown): void {
    if (client.status === "ready") return;
    // ioredis goes on regardless, in database 0.
    if (isReplyTo(error, "select"))
      hints.add(`the database was not selected, and 0 is used: ${error.message}`);
    lost = faultOf(error).error;
    for (const watcher of watchers) watcher.disconnected(lost);
  }
  function onEnd(): void {
    onClose();
    if (options.own && !closed) revival = runtime.setTimer(REVIVE_AFTER, connect);
  }
  function connect(): void {
    client.connect().catch(() => {}); // its error comes as an event
  }
  // Without a listener ioredis writes errors to the console.
  client.on("error", onError);
  client.on("ready", onReady);
  client.on("close", onClose);
  client.on("end", onEnd);
  if (client.status === "wait") connect();

  return {
    client,
    runtime,
    timeoutMs,
    subscriber,
    get hints() {
      return [...hints];
    },
    away,
    send,
    meet,
    watch(watcher) {
      if (closed) {
        watcher.closed();
        return;
      }
      watchers.add(watcher);
      if (client.status === "ready") watcher.connected();
    },
    close() {
      if (closed) return;
      closed = true;
      subscriber.close();
      for (const watcher of watchers) watcher.closed();
      watchers.clear();
      client.removeListener("ready", onReady);
      client.removeListener("close", onClose);
      client.removeListener("end", onEnd);
      revival?.();
      // Of our own client the listener stays: it may still say that it was ended.
      if (options.own) client.disconnect();
      else client.removeListener("error", onError);
    },
  };
}

/** ioredis says with the error what it had sent. */
function isReplyTo(error: unknown, name: string): error is Error {
  return error instanceof Error && (error as { command?: { name?: unknown } }).command?.name === name;
}

function attempt(issue: Issue, open: () => boolean): Promise<unknown> {
  try {
    return issue(open);
  } catch (error) {
    return Promise.reject(error);
  }
}
