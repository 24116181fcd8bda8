import { setTimeout as pause } from "node:timers/promises";

import type { RedisServer } from "@breakwater-internal/redis-server";

/** What is left in Redis when all processes have ended: every key has an end, and no permit lives longer than its lease. */
export async function leaksIn(server: RedisServer, leaseMs: number): Promise<readonly string[]> {
  const keys = (await server.cli("KEYS", "*")) as readonly string[];
  const complaints: string[] = [];
  for (const key of keys)
    if (Number(await server.cli("PTTL", key)) === -1) complaints.push(`${key} stays in Redis for ever`);
  const permits = keys.filter((key) => key.includes(":permits:") && !key.endsWith(":line"));
  const live = async (): Promise<number> => {
    const [seconds, micros] = (await server.cli("TIME")) as readonly string[];
    const counts = permits.map((key) =>
      server.cli("ZCOUNT", key, `${seconds}${micros?.padStart(6, "0")}`, "+inf"),
    );
    return (await Promise.all(counts)).reduce<number>((sum, count) => sum + Number(count), 0);
  };
  for (let waited = 0; (await live()) > 0; waited += 50) {
    if (waited > 2 * leaseMs) {
      complaints.push(`${await live()} permits are out although nobody is there to hold them`);
      break;
    }
    await pause(50);
  }
  return complaints;
}
