import { useCluster, useRedis } from "@breakwater-internal/redis-server/vitest";
import { instanceStoreContract } from "@breakwater/testing";
import { describe, it } from "vitest";

import { eventually, LIBRARIES } from "../connection/lab.test-help.ts";
import { type Instances, openInstances } from "./lab.test-help.ts";

const real = {
  // Node's timers are early by up to a millisecond.
  advance: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms + 2)),
  slackMs: 400,
  dispose: (store: unknown) => (store as Instances).close(),
};

describe.each(LIBRARIES)("instances in Redis over %s", (_, library) => {
  const redis = useRedis();
  const cases = instanceStoreContract({ ...real, create: () => openInstances({ url: redis.url }, library) });
  // A machine that stands still for longer is not to be told from a time that is wrong, so it is tried again.
  it.concurrent.each(cases)("$name", { retry: 2, timeout: 30_000 }, ({ run }) => run());
});

describe.each(LIBRARIES)("instances in a cluster over %s", (_, library) => {
  const cluster = useCluster();
  const cases = instanceStoreContract({
    ...real,
    async create() {
      const store = await openInstances({ cluster: cluster.nodes.map(({ url }) => url) }, library);
      // A node is connected to with the first command for it.
      for (const service of ["contract", "contrac", "{contract}", "contract:ключ", "a b\n", "*"])
        await eventually(() =>
          Promise.resolve(store.all(service)).then(
            () => true,
            () => false,
          ),
        );
      return store;
    },
  });
  it.concurrent.each(cases)("$name", { retry: 2, timeout: 30_000 }, ({ run }) => run());
});
