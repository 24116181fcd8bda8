import { randomUUID } from "node:crypto";

import { type Admission, type BreakerStore, isPromise, type Runtime, systemRuntime } from "@breakwater/core";

import { openLink } from "../connection/open-link.ts";
import type { RedisLibrary } from "../connection/redis-client.ts";
import { createOutbox } from "../decide/batches.ts";
import { createDecisions } from "../decide/decisions.ts";
import type { Context } from "../decide/part.ts";
import { createScope } from "../keys.ts";
import { readRedisOptions } from "../options.ts";
import { createPresence } from "../presence/create-presence.ts";
import { type BreakerPart, createBreakerPart } from "./part.ts";

export interface MemberOptions {
  /** A scope of its own for each test. @default a new one */
  readonly scope?: string;
  readonly library?: RedisLibrary;
  /** Of ioredis. */
  readonly redis?: object;
  readonly leaseMs?: number;
  /** Chance of the circuits; of one half nothing jitters. @default 0.5 */
  readonly random?: () => number;
}

/** A process of a fleet, as far as circuits are concerned: a link of its own, a presence of its own. */
export interface Member extends BreakerStore {
  readonly context: Context;
  readonly part: BreakerPart;
  close(): Promise<void>;
}

export const newScope = (): string => randomUUID();

/** @param where a url, or those of the nodes of a cluster */
export async function joinFleet(
  where: string | readonly string[],
  options: MemberOptions = {},
): Promise<Member> {
  const { scope: name = newScope(), library, leaseMs = 15_000, random = () => 0.5 } = options;
  // A machine with many tests at once is slow at times: what is late is no matter of these tests.
  const config = readRedisOptions({
    ...(typeof where === "string" ? { url: where } : { cluster: where }),
    scope: name,
    decisionTimeout: "2s",
    ...(options.redis && { redis: options.redis }),
  });
  const scope = createScope(name);
  const link = openLink(config, scope, library);
  const real = systemRuntime();
  const { presence, agreement } = createPresence({ link, runtime: real, scope, leaseMs, instances: 1 });
  const outbox = createOutbox({
    link,
    operations: () => part.operations,
    learnUntil: () => presence.learnUntil,
  });
  const runtime: Runtime = { ...real, random };
  const context: Context = { link, runtime, scope, presence, agreement, outbox, leaseMs };
  const part = createBreakerPart(context);
  if (!link.up) {
    await new Promise<void>((resolve) => {
      const end = link.onChange(() => {
        end();
        resolve();
      });
    });
  }
  const decisions = createDecisions({ link, runtime: real, presence, partOf: () => part });
  return {
    shared: true,
    context,
    part,
    decide: (ask) => {
      const replies = decisions.decideAll([ask]);
      return isPromise(replies) ? replies.then(([reply]) => reply as Admission) : (replies[0] as Admission);
    },
    record: (ask, ticket, report) => part.record(ask, ticket, report),
    provisional: (ask, ticket, now, slow) => part.provisional(ask, ticket, now, slow),
    force: (...given) => part.force(...given),
    snapshot: (...given) => part.snapshot(...given),
    async close() {
      part.close();
      await outbox.close();
      await presence.close();
      await link.close();
    },
  };
}
