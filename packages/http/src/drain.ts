import type { Server, ServerResponse } from "node:http";

import { type CancelTimer, ConfigError, readOptions, type Runtime, systemRuntime } from "@breakwater/core";

/** What else is to be shut down: clients, pipelines, stores, anything with a `drain` or else a `close`. */
export type Drainable =
  | { drain(options?: { readonly withinMs?: number }): Promise<void> }
  | { close(): Promise<unknown> };

export interface ServerDrainOptions {
  /** How long answers that have begun may still take, in ms; then they are cut. @default 30_000 */
  readonly withinMs?: number;
  /** @default the real clock */
  readonly runtime?: Runtime;
}

/**
 * Shuts a server down in good order: no new connections, answers that are being streamed are finished, then the
 * clients are drained and the last connections closed. What is still going on after `withinMs` is cut.
 *
 * @returns whether everything was finished in time.
 * @throws ConfigError for options that make no sense, and for what is no server or no list; the server then goes on.
 */
export async function drain(
  server: Server,
  clients: readonly Drainable[] = [],
  options: ServerDrainOptions = {},
): Promise<boolean> {
  const read = readOptions("drain", options);
  const withinMs = read.duration("withinMs", 30_000);
  const runtime = read.raw<Runtime>("runtime") ?? systemRuntime();
  read.done();
  if (typeof server?.closeIdleConnections !== "function") {
    throw new ConfigError("drain: the first argument must be a server, such as app.listen() returns.");
  }
  if (!Array.isArray(clients)) {
    throw new ConfigError("drain: the second argument must be a list of clients, for example [deepseek].");
  }
  const until = runtime.now() + withinMs;

  // Requests on connections that are open already are still served, and are the last on theirs.
  const last = (_: unknown, res: ServerResponse): void => void (res.shouldKeepAlive = false);
  server.prependListener("request", last);
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  let cancelSweep: CancelTimer = () => {};
  const sweep = (): void => {
    server.closeIdleConnections();
    cancelSweep = runtime.setTimer(SWEEP_MS, sweep);
  };
  sweep();

  const inTime = await settlesWithin(closed, withinMs, runtime);
  // Calls that are cut here answer their requests with an error; background work has what time is left.
  const left = inTime ? Math.max(0, until - runtime.now()) : 0;
  await Promise.all(
    clients.map((client) => ("drain" in client ? client.drain({ withinMs: left }) : client.close())),
  );
  await settlesWithin(closed, LAST_WORDS_MS, runtime);
  cancelSweep();
  server.closeAllConnections();
  await closed;
  server.off("request", last);
  return inTime;
}

function settlesWithin(promise: Promise<void>, ms: number, runtime: Runtime): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = runtime.setTimer(ms, () => resolve(false));
    void promise.then(() => {
      cancel();
      resolve(true);
    });
  });
}

/** What was cut still says so to its browser. */
const LAST_WORDS_MS = 1_000;

/** Connections become idle one by one, and nothing tells when. */
const SWEEP_MS = 100;
