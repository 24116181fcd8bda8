import { randomUUID } from "node:crypto";

import { isPromise, type MaybePromise } from "@breakwater/core";

import type { RedisLink } from "../connection/create-link.ts";
import { openLink } from "../connection/open-link.ts";
import type { RedisLibrary } from "../connection/redis-client.ts";
import { createScope } from "../keys.ts";
import { readRedisOptions } from "../options.ts";
import { createPresence } from "../presence/create-presence.ts";
import { createOutbox } from "./batches.ts";
import { createDecisions } from "./decisions.ts";
import type { AnyPart } from "./frame.ts";
import type { StoreAskOfAKind } from "./kinds.ts";
import type { Context } from "./part.ts";

/** A store of one part alone, as a process has it: the link, decisions, batches and presence of the real one. */
export interface PartInProcess<P extends AnyPart> {
  readonly context: Context;
  readonly part: P;
  readonly link: RedisLink;
  decide(ask: StoreAskOfAKind): MaybePromise<unknown>;
  decideAll(asks: readonly StoreAskOfAKind[]): MaybePromise<readonly unknown[]>;
  /** Ends its connections and tells nobody, as if it were killed. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

export interface PartInProcessOptions {
  /** @default a new one */
  readonly scope?: string;
  readonly library?: RedisLibrary;
  /** Of ioredis. */
  readonly redis?: object;
  /** @default 1 */
  readonly instances?: number;
  /** In ms. @default 15_000 */
  readonly lease?: number;
  /** In ms. @default 2_000: a machine that is busy with other tests is slow at times, which is no matter of these */
  readonly decisionTimeout?: number;
  /** Chance of the part, and not of the rest. */
  readonly random?: () => number;
}

/** A scope that no other test has. */
export const newScope = (): string => randomUUID().slice(0, 18);

/** @param where a url, or those of the nodes of a cluster */
export function startPart<P extends AnyPart & { close?(): void }>(
  where: string | readonly string[],
  options: PartInProcessOptions,
  create: (context: Context) => P,
): PartInProcess<P> {
  const { scope: name = newScope(), library, redis, instances = 1, lease = 15_000 } = options;
  const { decisionTimeout = 2_000, random } = options;
  const config = readRedisOptions({
    ...(typeof where === "string" ? { url: where } : { cluster: where }),
    ...(redis && { redis }),
    scope: name,
    decisionTimeout,
    lease,
  });
  const { runtime, leaseMs } = config;
  const scope = createScope(name);
  const link = openLink(config, scope, library);
  const { presence, agreement } = createPresence({ link, runtime, scope, leaseMs, instances });
  const outbox = createOutbox({
    link,
    learnUntil: () => presence.learnUntil,
    operations: () => part.operations,
  });
  const chance = random === undefined ? runtime : { ...runtime, random };
  const context: Context = { link, runtime: chance, scope, presence, agreement, outbox, leaseMs };
  const part = create(context);
  const { decideAll } = createDecisions({ link, presence, runtime, partOf: () => part });
  return {
    context,
    part,
    link,
    decideAll,
    decide(ask) {
      const replies = decideAll([ask]);
      return isPromise(replies) ? replies.then(([reply]) => reply) : replies[0];
    },
    async kill() {
      await link.close();
      part.close?.();
    },
    async close() {
      await outbox.close();
      part.close?.();
      await presence.close();
      await link.close();
    },
  };
}

/** Resolves when Redis decides. */
export function connected({ link }: Pick<PartInProcess<AnyPart>, "link">): Promise<void> {
  if (link.up) return Promise.resolve();
  return new Promise((resolve) => {
    const forget = link.onChange((up) => {
      if (!up) return;
      forget();
      resolve();
    });
  });
}
