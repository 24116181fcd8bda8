import { randomUUID } from "node:crypto";

import { isPromise, type PermitAsk, type PermitReply, type PermitStore } from "@breakwater/core";

import type { RedisLink } from "../connection/create-link.ts";
import { openLink } from "../connection/open-link.ts";
import type { RedisLibrary } from "../connection/redis-client.ts";
import { createOutbox } from "../decide/batches.ts";
import { createDecisions } from "../decide/decisions.ts";
import type { Context } from "../decide/part.ts";
import { createScope } from "../keys.ts";
import { readRedisOptions } from "../options.ts";
import { createPresence } from "../presence/create-presence.ts";
import { createPermitPart, type PermitPart, type PermitPartOptions } from "./part.ts";

/** A store of permits alone, as a process has it: the decisions, batches and presence of the real one. */
export interface Process extends Required<PermitStore> {
  readonly context: Context;
  readonly part: PermitPart;
  readonly link: RedisLink;
  /** Ends its connections and tells nobody, as if it were killed. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

export interface ProcessOptions extends PermitPartOptions {
  /** @default a new one */
  readonly scope?: string;
  readonly library?: RedisLibrary;
  /** Of ioredis. */
  readonly redis?: object;
  readonly instances?: number;
  readonly lease?: number;
  /** In ms. @default 2_000: a machine that is busy with other tests is slow at times, which is no matter of these */
  readonly decisionTimeout?: number;
}

/** Never, in a test. */
export const HOUR = 3_600_000;

export const newScope = (): string => randomUUID().slice(0, 18);

/** @param where a url, or those of the nodes of a cluster */
export function startProcess(where: string | readonly string[], options: ProcessOptions = {}): Process {
  const { scope: name = newScope(), library, instances = 1, lease = 15_000 } = options;
  const { decisionTimeout = 2_000 } = options;
  const config = readRedisOptions({
    ...(typeof where === "string" ? { url: where } : { cluster: where }),
    scope: name,
    decisionTimeout,
    lease,
    ...(options.redis && { redis: options.redis }),
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
  const context: Context = { link, runtime, scope, presence, agreement, outbox, leaseMs };
  const part = createPermitPart(context, options);
  const { decideAll } = createDecisions({ link, presence, runtime, partOf: () => part });
  return {
    shared: true,
    context,
    part,
    link,
    decide(ask) {
      const replies = decideAll([ask]);
      return isPromise(replies)
        ? replies.then(([reply]) => reply as PermitReply)
        : (replies[0] as PermitReply);
    },
    decideAll: decideAll as Required<PermitStore>["decideAll"],
    release: part.release,
    active: part.active,
    watch: part.watch,
    async kill() {
      await link.close();
      part.close();
    },
    async close() {
      await outbox.close();
      part.close();
      await presence.close();
      await link.close();
    },
  };
}

export async function connected(process: Process): Promise<Process> {
  await until(() => process.link.up);
  return process;
}

/** Looks again and again; fails when the test does. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

export const permitAsk = (given: Partial<PermitAsk> = {}): PermitAsk => ({
  kind: "permit",
  name: "account",
  key: "",
  limit: 1,
  ...given,
});
