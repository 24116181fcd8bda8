import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { freePort } from "./port.ts";
import { type RedisServer, startRedis } from "./redis.ts";
import { until } from "./until.ts";

export interface RedisCluster {
  /** Masters; the slots are divided among them evenly, in this order. */
  readonly nodes: readonly RedisServer[];
  stop(): Promise<void>;
}

const SLOTS = 16_384;

/** A cluster of `nodes` masters (3 unless said) that has agreed with itself when this is fulfilled. */
export async function startCluster({
  nodes: count = 3,
}: { readonly nodes?: number } = {}): Promise<RedisCluster> {
  const nodes: RedisServer[] = [];
  // What a node knows of the others outlasts it; its own folder does not.
  const folder = mkdtempSync(join(tmpdir(), "breakwater-cluster-"));
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (let i = 0; i < count; i++) nodes.push(await startNode(folder));
    await Promise.all(nodes.map((node, i) => own(node, i, count)));
    const [first, ...others] = nodes;
    for (const other of others)
      await first?.cli("CLUSTER", "MEET", "127.0.0.1", other.port, await busOf(other));
    await until(
      async () => (await Promise.all(nodes.map((node) => agrees(node, count)))).every(Boolean),
      30_000,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes, stop };
}

async function startNode(folder: string): Promise<RedisServer> {
  const bus = await freePort();
  const cluster = {
    "cluster-enabled": "yes",
    "cluster-port": bus,
    "cluster-node-timeout": 2_000,
    "cluster-config-file": join(folder, `${bus}.conf`),
  };
  return startRedis({
    args: Object.entries(cluster).flatMap(([name, value]) => [`--${name}`, String(value)]),
  });
}

async function own(node: RedisServer, i: number, count: number): Promise<void> {
  const from = (n: number): number => Math.floor((SLOTS * n) / count);
  await node.cli("CLUSTER", "ADDSLOTSRANGE", from(i), from(i + 1) - 1);
  // Each with an epoch of its own, or they settle that among themselves first.
  await node.cli("CLUSTER", "SET-CONFIG-EPOCH", i + 1);
}

async function busOf(node: RedisServer): Promise<number> {
  const [, port] = (await node.cli("CONFIG", "GET", "cluster-port")) as readonly string[];
  return Number(port);
}

async function agrees(node: RedisServer, count: number): Promise<boolean> {
  const info = String(await node.cli("CLUSTER", "INFO"));
  return info.includes("cluster_state:ok") && info.includes(`cluster_size:${count}\r`);
}
