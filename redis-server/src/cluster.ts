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
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    for (let i = 0; i < count; i++) nodes.push(await startNode());
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

async function startNode(): Promise<RedisServer> {
  const bus = await freePort();
  const cluster = { "cluster-enabled": "yes", "cluster-port": bus, "cluster-node-timeout": 2_000 };
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
