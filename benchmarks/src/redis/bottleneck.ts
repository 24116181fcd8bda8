import Bottleneck from "bottleneck";
import { Redis } from "ioredis";

import { ANSWER, noop } from "../subject.ts";
import { CONCURRENCY, LIMIT, PER_MS } from "./sides.ts";
import type { RedisSubjects } from "./subject.ts";

/** "It is strongly recommended": without it the permits of a process that dies are lost for good. */
const JOB = { expiration: 60_000 };

export const subjects: RedisSubjects = {
  // A limiter is one limit here, and keys would be limiters of a group, each with scripts and keys of its own: one for all
  // is the cheaper way to hold it.
  async bottleneck(url) {
    const limiter = new Bottleneck({
      id: "bench",
      datastore: "ioredis",
      clearDatastore: true,
      Redis,
      clientOptions: urlOptions(url),
      maxConcurrent: CONCURRENCY,
      reservoir: LIMIT,
      reservoirRefreshAmount: LIMIT,
      reservoirRefreshInterval: PER_MS,
    });
    await limiter.ready();
    return {
      call: async () => (await limiter.schedule(JOB, noop)) === ANSWER,
      close: () => limiter.disconnect(),
    };
  },
};

function urlOptions(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}
