import { expect, test } from "vitest";

import { LinkError } from "./link.ts";
import { checkServer } from "./server.ts";

/** A server that answers with these; what is an error is thrown. */
function server(info: unknown, config: unknown): (name: string) => Promise<unknown> {
  return async (name) => {
    const reply = name === "INFO" ? info : config;
    if (reply instanceof Error) throw reply;
    return reply;
  };
}

const INFO_7 = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n";
const NO_EVICTION = ["maxmemory", "1000000", "maxmemory-policy", "noeviction"];

test("Redis 7, and what says that it is like it, is fit", async () => {
  expect(await checkServer(server(INFO_7, NO_EVICTION))).toEqual({ hints: [] });
  expect(await checkServer(server("redis_version:8.2.1\r\n", NO_EVICTION))).toEqual({ hints: [] });
  expect(await checkServer(server("redis_version:10.0.0\r\n", NO_EVICTION))).toEqual({ hints: [] });
});

test("an older one is not, and it is said which it is", async () => {
  const { unfit } = await checkServer(server("# Server\r\nredis_version:6.2.14\r\n", NO_EVICTION));
  expect(unfit).toMatch(/Redis 6\.2\.14.*7\.0 or later/);
});

test("one that does not let us know is taken as it is", async () => {
  const no = new Error("NOPERM this user has no permissions to run the 'config|get' command");
  const unknown = new Error("ERR unknown command 'CONFIG'");
  expect(await checkServer(server(no, unknown))).toEqual({ hints: [] });
  const told = (cause: Error): LinkError => new LinkError(`Redis says: ${cause.message}`, false, cause);
  expect(await checkServer(server(told(no), told(unknown)))).toEqual({ hints: [] });
});

test("one that cannot answer now is asked again another time", async () => {
  const loading = new Error("LOADING Redis is loading the dataset in memory");
  await expect(checkServer(server(INFO_7, loading))).rejects.toBe(loading);
});

test.each(["allkeys-lru", "volatile-ttl"])(
  "%s with a bound on memory is hinted at: all of our keys may go",
  async (policy) => {
    const { hints } = await checkServer(server(INFO_7, ["maxmemory-policy", policy, "maxmemory", "1000000"]));
    expect(hints).toEqual([expect.stringContaining(`maxmemory-policy ${policy}`)]);
    expect(await checkServer(server(INFO_7, ["maxmemory-policy", policy, "maxmemory", "0"]))).toEqual({
      hints: [],
    });
    const mapped = await checkServer(server(INFO_7, { "maxmemory-policy": policy, maxmemory: "1" }));
    expect(mapped.hints).toHaveLength(1);
  },
);
