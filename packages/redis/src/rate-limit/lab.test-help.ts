import {
  type RateAdjustment,
  type RateLimitAsk,
  type RateLimitReply,
  type RateLimitStore,
  systemRuntime,
} from "@breakwater/core";

import { openLink } from "../connection/open-link.ts";
import type { RedisLibrary } from "../connection/redis-client.ts";
import { batchScript } from "../decide/batches.ts";
import { decisionOf } from "../decide/frame.ts";
import type { Operation } from "../decide/outbox.ts";
import type { Pending } from "../decide/part.ts";
import {
  connected,
  newScope,
  type PartInProcess,
  type PartInProcessOptions,
  startPart,
} from "../decide/process.test-help.ts";
import { createScope } from "../keys.ts";
import { readRedisOptions } from "../options.ts";
import { createRatePart, type RatePart } from "./part.ts";

/** A store of rate limits alone, as a process has it. */
export interface Process
  extends RateLimitStore, Omit<PartInProcess<RatePart>, "decide" | "decideAll" | "kill"> {}

export async function startProcess(url: string, options: PartInProcessOptions = {}): Promise<Process> {
  const { decide, decideAll, ...rest } = startPart(url, options, createRatePart);
  await connected(rest);
  return {
    ...rest,
    shared: true,
    decide: decide as RateLimitStore["decide"],
    decideAll: decideAll as Required<RateLimitStore>["decideAll"],
    settle: rest.part.settle,
    remaining: rest.part.remaining,
  };
}

/** The scripts on a clock that is held in the hand. */
export interface Lab {
  /** µs of the server. */
  now: number;
  /** µs until which a key that is missing may have been lost. */
  learn: number;
  decide(...asks: readonly RateLimitAsk[]): Promise<readonly RateLimitReply[]>;
  settle(ask: RateLimitAsk, reply: RateLimitReply, adjustment: RateAdjustment): Promise<void>;
  command(name: string, ...args: readonly (string | number)[]): Promise<unknown>;
  keyOf(ask: RateLimitAsk, amount: "requests" | "tokens"): string;
  close(): Promise<void>;
}

/** Far ahead: what is kept until then is not forgotten while a test runs. */
export const YEAR_2100: number = Date.UTC(2100, 0, 1) * 1_000;

export async function openLab(url: string, library?: RedisLibrary): Promise<Lab> {
  const config = readRedisOptions({ url, scope: newScope(), decisionTimeout: "2s" });
  const scope = createScope(config.scope);
  const link = openLink(config, scope, library);
  await connected({ link });
  const runtime = systemRuntime();
  const told: Operation[] = [];
  const part = createRatePart({
    link,
    scope,
    runtime,
    leaseMs: 15_000,
    agreement: { on: (_, __, given) => ({ config: given }) },
    presence: {
      instance: "0123456789abcdef",
      ready: () => undefined,
      instances: 1,
      learnUntil: 0,
      learning: false,
      instancesKey: "",
      onBeat() {},
      close: () => Promise.resolve(),
    },
    outbox: {
      push(operation) {
        told.push(operation);
        return Promise.resolve(0);
      },
      flush: () => Promise.resolve(),
    },
  });
  const batch = batchScript(part.operations, "local now = tonumber(KEYS[#KEYS])");

  const lab: Lab = {
    now: YEAR_2100,
    learn: 0,
    async decide(...asks) {
      const pendings = asks.map((ask) => part.begin(ask, false) as Pending<RateLimitReply>);
      const members = pendings.map(({ shape }) => ({ part, shape }));
      const { script, at } = decisionOf(members, "local now = tonumber(ARGV[#ARGV])");
      const keys: string[] = [];
      const args: (string | number)[] = [lab.learn];
      for (const pending of pendings) pending.write(keys, args);
      const values = (await link.run(script, keys, [...args, lab.now])) as readonly unknown[];
      return pendings.map((pending, i) => pending.read(values, at[i] as number, values[0] === 1));
    },
    async settle(ask, reply, adjustment) {
      await part.settle(ask, reply, adjustment);
      for (const { name, keys, args } of told.splice(0))
        await link.run(batch, [...keys, String(lab.now)], [lab.learn, name, ...args]);
    },
    command: (name, ...args) => link.command(name, args),
    keyOf: ({ name, key }, amount) => scope.key(amount === "requests" ? "rr" : "rt", name, key),
    close: () => link.close(),
  };
  return lab;
}
