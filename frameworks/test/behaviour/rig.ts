import type { AddressInfo, Socket } from "node:net";

import { until } from "@breakwater-internal/visitor";
import { type Client, createClient, type Policy, type Upstream } from "@breakwater/core";
import { createDeepSeek, type DeepSeek } from "@breakwater/deepseek";
import { basicAuth } from "@breakwater/http";
import {
  createTestClock,
  type ScriptedUpstream,
  scriptedUpstream,
  type TestClock,
} from "@breakwater/testing";
import { Registry } from "prom-client";
import { expect, onTestFinished } from "vitest";

import type { Framework, Operators, Started } from "./framework.ts";

export interface RigOptions {
  /** What every call goes through, first is outermost. */
  readonly policies?: readonly Policy<string, unknown>[];
  /** @default the script */
  readonly upstream?: Upstream<string, unknown>;
  readonly inbound?: readonly Policy[];
  readonly deepseek?: DeepSeek;
  /** Where operators look, if they do: below this prefix, which may be empty. */
  readonly operators?: string;
}

/** A server of one framework, what stands behind it in the test's own hand, and what it must leave behind: nothing. */
export interface Rig extends Started {
  readonly url: string;
  readonly clock: TestClock;
  /** The upstream of `ask`. */
  readonly script: ScriptedUpstream<string, unknown>;
  readonly ask: Client<string, unknown>;
  readonly own: Error;
  /** Connections that are open at this moment. */
  connections(): number;
  /** What the framework's own handling of errors was told since this was asked last. What nobody asks for is a failure. */
  logged(): unknown[];
}

/**
 * Starts a server for one test. When the test is over nothing is left of it: no call, no permit, no timer, nothing in
 * the framework's log of errors that the test has not asked for, and no rejection that nobody handled.
 */
export async function startRig(framework: Framework, options: RigOptions = {}): Promise<Rig> {
  const clock = createTestClock();
  const script = scriptedUpstream<string, unknown>();
  const { policies = [], inbound = [], upstream = script.upstream } = options;
  const ask = createClient({ upstream, runtime: clock, name: "ask" }, ...policies);
  const deepseek = options.deepseek ?? createDeepSeek({ apiKey: "sk-nobody", runtime: clock });
  const own = new Error("mine: the password is swordfish");
  const log: unknown[] = [];
  const unhandled = watchRejections();
  const started = await framework.start({
    ask,
    deepseek,
    inbound,
    clock,
    own,
    log: (error) => void log.push(error),
    ...(options.operators !== undefined && { operators: operatorsOf(options.operators, clock) }),
  });
  const sockets = new Set<Socket>();
  started.server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  let closing: Promise<unknown> | undefined;
  const close = (): Promise<unknown> => (closing ??= started.close());

  onTestFinished(async () => {
    try {
      await until(() => ask.snapshot().inFlight === 0 && deepseek.snapshot().inFlight === 0);
      const bulkheads = [...policies, ...inbound].filter(({ kind }) => kind === "bulkhead");
      await until(() => bulkheads.every((each) => active(each) + queued(each) === 0));
      await clock.settle();
      expect({ active: script.active, logged: log, unhandled }).toEqual({
        active: 0,
        logged: [],
        unhandled: [],
      });
      expect(clock.pending).toBe(0);
    } finally {
      started.server.closeAllConnections();
      await close();
    }
  }, 30_000);
  return {
    url: `http://127.0.0.1:${(started.server.address() as AddressInfo).port}`,
    server: started.server,
    clock,
    script,
    ask,
    own,
    connections: () => sockets.size,
    logged: () => log.splice(0),
    close,
  };
}

/** `ada` may do all, `visitor` may look. */
export const passwords = { ada: "a long password", visitor: "another one" } as const;

function operatorsOf(prefix: string, clock: TestClock): Operators {
  const authorize = basicAuth(passwords, { seeOnly: ["visitor"] });
  return { prefix, admin: { authorize, runtime: clock, instance: "here" }, register: new Registry() };
}

interface Permits {
  readonly active: Readonly<Record<string, number>>;
  readonly queued: Readonly<Record<string, number>>;
}

/** How many permits of a bulkhead are out. */
export const active = (policy: Policy): number => sum(permitsOf(policy).active);

/** How many calls wait in the queue of a bulkhead. */
export const queued = (policy: Policy): number => sum(permitsOf(policy).queued);

const permitsOf = (policy: Policy): Permits => policy.snapshot?.() as Permits;

function sum(numbers: Readonly<Record<string, number>>): number {
  return Object.values(numbers).reduce((all, one) => all + one, 0);
}

function watchRejections(): unknown[] {
  const seen: unknown[] = [];
  const on = (reason: unknown): void => void seen.push(reason);
  process.on("unhandledRejection", on);
  onTestFinished(() => void process.off("unhandledRejection", on));
  return seen;
}
