import { connect } from "./client.ts";
import { accountOf, ACCOUNTS, LIMIT, PER_MS } from "./sides.ts";
import type { RedisSubjects } from "./subject.ts";

/** As little as a token bucket on the server's clock can be. KEYS: bucket. ARGV: µs that a call takes, µs that are saved. */
const GCRA = `local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local tat = math.max(now, tonumber(redis.call('GET', KEYS[1]) or now)) + ARGV[1]
if tat - now > tonumber(ARGV[2]) then return tat - now - ARGV[2] end
redis.call('SET', KEYS[1], tat, 'PX', math.ceil((tat - now) / 1000))
return 0`;

/** No library but ioredis. */
export const subjects: RedisSubjects = {
  async gcra(url) {
    const client = await connect(url);
    const sha = String(await client.script("LOAD", GCRA));
    const keys = Array.from({ length: ACCOUNTS }, (_, n) => `bare:{bench}:${accountOf(n)}`);
    const interval = Math.round((PER_MS * 1_000) / LIMIT);
    return {
      async call(n) {
        return (
          (await client.evalsha(sha, 1, keys[n % keys.length] as string, interval, PER_MS * 1_000)) === 0
        );
      },
      close: async () => client.disconnect(),
    };
  },

  async ping(url) {
    const client = await connect(url);
    return {
      call: async () => (await client.ping()) === "PONG",
      close: async () => client.disconnect(),
    };
  },
};
