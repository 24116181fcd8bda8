import { RateLimiterRedis } from "rate-limiter-flexible";

import { connect } from "./client.ts";
import { accountOf, LIMIT, PER_MS } from "./sides.ts";
import type { RedisSubjects } from "./subject.ts";

export const subjects: RedisSubjects = {
  async "rate-limiter-flexible"(url) {
    const client = await connect(url);
    const limiter = new RateLimiterRedis({
      storeClient: client,
      points: LIMIT,
      duration: PER_MS / 1_000,
      // As its documentation says for production: neither a queue while Redis is away, nor a trip for who is blocked anyway.
      rejectIfRedisNotReady: true,
      inMemoryBlockOnConsumed: LIMIT,
    });
    return {
      call: async (n) => (await limiter.consume(accountOf(n))).remainingPoints > 0,
      close: async () => client.disconnect(),
    };
  },
};
