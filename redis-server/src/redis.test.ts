import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, describe, expect, test } from "vitest";

import { redisIsUnwanted } from "../../scripts/find-redis.mjs";
import { startCluster } from "./cluster.ts";
import { GUARD } from "./guarded.ts";
import { type RedisOptions, type RedisServer, startRedis } from "./redis.ts";
import { until } from "./until.ts";

describe.skipIf(redisIsUnwanted())("a server", () => {
  const started: { stop(): Promise<void> }[] = [];
  const start = async (options?: RedisOptions): Promise<RedisServer> => {
    const server = await startRedis(options);
    started.push(server);
    return server;
  };
  afterEach(async () => {
    await Promise.all(started.splice(0).map((each) => each.stop()));
  });
  const isAlive = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };

  test("keeps what it is told, and answers with errors as such", async () => {
    const server = await start();
    expect(await server.cli("SET", "a", "ä\r\nb")).toBe("OK");
    expect(await server.cli("GET", "a")).toBe("ä\r\nb");
    expect(await server.cli("EVAL", "return { 1, false, { 'x' } }", 0)).toEqual([1, null, ["x"]]);
    await expect(server.cli("GET")).rejects.toThrow("wrong number of arguments");
  });

  test("comes back empty, on the same port, in another process", async () => {
    const server = await start();
    const { pid } = server;
    await server.cli("SET", "a", 1);
    await server.kill();
    await expect(server.cli("PING")).rejects.toThrow("ECONNREFUSED");
    await server.restart();
    expect(server.pid).not.toBe(pid);
    expect(await server.cli("GET", "a")).toBe(null);
    await server.restart();
    await server.stop();
    // Nothing of the three is left that would keep this process from ending.
    await until(() => !process.getActiveResourcesInfo().includes("ProcessWrap"), 10_000);
  });

  test("goes on after it was frozen, and can be stopped while it is", async () => {
    const server = await start();
    server.freeze();
    const asked = server.cli("PING");
    server.thaw();
    expect(await asked).toBe("PONG");
    server.freeze();
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
  });

  test("has a clock that can be set", async () => {
    const server = await start({ faketime: true });
    const beside = async (): Promise<number> => {
      const [seconds] = (await server.cli("TIME")) as readonly string[];
      return Math.round((Number(seconds) * 1_000 - Date.now()) / 60_000) + 0;
    };
    expect(await beside()).toBe(0);
    await server.setClock("+1h");
    expect(await beside()).toBe(60);
    await server.setClock("-1h");
    expect(await beside()).toBe(-60);
  });

  test("that follows another is promoted with what that one had", async () => {
    const master = await start();
    await master.cli("SET", "a", 1);
    const replica = await start({ replicaOf: master });
    await expect(replica.cli("SET", "a", 2)).rejects.toThrow("READONLY");
    await master.kill();
    await replica.promote();
    expect(await replica.cli("GET", "a")).toBe("1");
    expect(await replica.cli("SET", "a", 2)).toBe("OK");
  });

  test("says why it does not start", async () => {
    await expect(start({ args: ["--maxmemory", "much"] })).rejects.toThrow("argument must be a memory value");
    const { port } = await start();
    await expect(start({ port })).rejects.toThrow(/already in use/i);
  });

  test("does not outlive a process that is killed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "breakwater-guarded-"));
    const program = `
      const { spawn } = require("node:child_process");
      spawn("/bin/sh", ["-c", process.argv[1], "guard", process.argv[2], "sleep", "1000"],
        { detached: true, stdio: ["pipe", "inherit", "ignore"] });
      setInterval(() => {}, 1_000);
    `;
    const child = spawn(process.execPath, ["-e", program, GUARD, folder], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [pid] = (await once(child.stdout, "data")) as [Buffer];
    expect(isAlive(Number(pid))).toBe(true);
    child.kill("SIGKILL");
    await until(() => !isAlive(Number(pid)) && !existsSync(folder), 10_000);
  });
});

describe.skipIf(redisIsUnwanted())("a cluster", () => {
  test("of three has every slot, and says who has a key", async () => {
    const cluster = await startCluster({ nodes: 3 });
    try {
      const told = await Promise.all(cluster.nodes.map((node) => node.cli("SET", "{a}b", 1).catch(String)));
      expect(told.filter((reply) => reply === "OK")).toHaveLength(1);
      expect(told.filter((reply) => String(reply).includes("MOVED 15495"))).toHaveLength(2);
    } finally {
      await cluster.stop();
    }
  });
});
