import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

import { findFaketime, findRedis, NO_REDIS } from "../../scripts/find-redis.mjs";
import { type Guarded, startGuarded } from "./guarded.ts";
import { freePort } from "./port.ts";
import { command, type Reply } from "./resp.ts";
import { until } from "./until.ts";

export interface RedisOptions {
  /** More of redis-server's arguments: `["--maxmemory", "2mb"]`. */
  readonly args?: readonly string[];
  /** Its clock can be set by `setClock`. @default false */
  readonly faketime?: boolean;
  /** @default a free one */
  readonly port?: number;
  /** Follows that one. Fulfilled when it has everything the other has. */
  readonly replicaOf?: RedisServer;
}

/** A redis-server on 127.0.0.1 that keeps nothing on disk and ends with this process. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** Of the process that runs now: `restart` makes another. */
  readonly pid: number;
  /** `redis_version`. */
  readonly version: string;
  /** One command over a connection of its own. */
  cli(...parts: readonly (string | number)[]): Promise<Reply>;
  /** SIGKILL. Fulfilled when it is gone. */
  kill(): Promise<void>;
  /** The same port again, and nothing in it. Kills it first if it runs. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open and nobody answers. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  /** Its clock beside the real one: `"+1h"`, `"-1h"`, `"+0"`; needs `faketime`. Only the date: what it measures goes on. */
  setClock(offset: string): Promise<void>;
  /** Makes a replica a server of its own. */
  promote(): Promise<void>;
  /** Ends it and removes what it wrote. */
  stop(): Promise<void>;
}

// A replica would wait five seconds for others that might want the same.
const SETTINGS = { save: "", appendonly: "no", "repl-diskless-sync-delay": "0" };

/** How long a server may take for a step that takes some ms on an idle machine. */
const LONG_MS = 20_000;

/**
 * @throws Error with what to do, if there is no redis-server to be had
 *
 * @example
 * const server = await startRedis();
 * await server.cli("SET", "a", 1); // => "OK"
 * await server.stop();
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const { args = [], replicaOf } = options;
  const found = findRedis();
  if (!found) throw new Error(NO_REDIS);
  let clock = "";
  let offset = "+0";

  /** In a folder of its own, which goes with it. */
  async function run(port: number): Promise<Guarded> {
    const folder = mkdtempSync(join(tmpdir(), "breakwater-redis-"));
    const log = join(folder, "redis.log");
    clock = join(folder, "clock");
    writeFileSync(clock, offset);
    const own = found?.env ?? {};
    const env = options.faketime === true ? { ...own, ...fakeTime(clock, own) } : own;
    const settings = { port, bind: "127.0.0.1", dir: folder, logfile: log, ...SETTINGS };
    const written = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const server = await startGuarded([found?.path ?? "", ...written, ...args], folder, env);
    const lost = server.ended.then((said) => {
      throw new Error(`redis-server ended on port ${port}: ${said}${lastLines(log)}`);
    });
    lost.catch(() => {}); // it may end as often as it likes once it has started
    try {
      await Promise.race([until(() => isUp(port, server.pid), LONG_MS), lost]);
    } catch (error) {
      await server.end();
      throw error;
    }
    return server;
  }

  /** Somebody may have taken the port since it was found free. */
  async function runSomewhere(tries: number): Promise<[number, Guarded]> {
    const port = options.port ?? (await freePort());
    try {
      return [port, await run(port)];
    } catch (error) {
      if (options.port !== undefined || tries === 1 || !/in use/i.test(String(error))) throw error;
      return runSomewhere(tries - 1);
    }
  }

  let [port, running] = await runSomewhere(5);
  const cli = (...parts: readonly (string | number)[]): Promise<Reply> => command(port, parts);
  const kill = async (): Promise<void> => {
    running.signal("SIGKILL");
    await running.ended;
  };
  if (replicaOf) {
    await cli("REPLICAOF", "127.0.0.1", replicaOf.port);
    await until(async () => /master_link_status:up/.test(String(await cli("INFO", "replication"))), LONG_MS);
  }

  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return running.pid;
    },
    version: found.version,
    cli,
    kill,
    async restart() {
      await running.end();
      running = await run(port);
    },
    freeze: () => running.signal("SIGSTOP"),
    thaw: () => running.signal("SIGCONT"),
    async setClock(to) {
      if (options.faketime !== true)
        throw new Error("startRedis({ faketime: true }) makes a server with a clock to set.");
      offset = to;
      writeFileSync(clock, to);
    },
    async promote() {
      await cli("REPLICAOF", "NO", "ONE");
    },
    stop: () => running.end(),
  };
}

/** Whether the server on this port is ours, and not one that took the port before it. */
async function isUp(port: number, pid: number): Promise<boolean> {
  try {
    return String(await command(port, ["INFO", "server"])).includes(`process_id:${pid}\r\n`);
  } catch {
    return false;
  }
}

function lastLines(log: string): string {
  try {
    return readFileSync(log, "utf8").split("\n").slice(-4).join("\n");
  } catch {
    return ""; // it did not come so far
  }
}

function fakeTime(clock: string, env: Readonly<Record<string, string>>): Record<string, string> {
  const found = findFaketime();
  if (!found)
    throw new Error("There is no libfaketime here: install it, or set BREAKWATER_TEST_FAKETIME to its path.");
  return {
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    LD_LIBRARY_PATH: [dirname(found.path), env["LD_LIBRARY_PATH"]].filter(Boolean).join(":"),
    // jemalloc asks for the time while libfaketime asks it for memory, both for the first time, for ever: libc stands
    // between them and hands out the memory.
    LD_PRELOAD: `${basename(found.path)} libc.so.6`,
  };
}
