import { Redis } from "ioredis";

/** As Breakwater makes its own: what is asked twice is counted twice, and what waits is decided too late. */
export async function connect(url: string): Promise<Redis> {
  const client = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
  });
  await client.connect();
  return client;
}
