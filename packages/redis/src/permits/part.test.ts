import type { PermitReply } from "@breakwater/core";
// The part by itself, on a clock that is held in the hand, with nobody to ask.
import { createTestClock } from "@breakwater/testing";
import { describe, expect, it } from "vitest";

import type { Operation } from "../decide/outbox.ts";
import type { Pending } from "../decide/part.ts";
import { createScope } from "../keys.ts";
import { createPermitPart } from "./part.ts";
import { permitAsk } from "./process.test-help.ts";

const ask = permitAsk({ limit: 9_999 });

function alone() {
  const clock = createTestClock();
  const told: Operation[] = [];
  const beats: ((again: boolean) => boolean | void)[] = [];
  const link = {
    runtime: clock,
    up: true,
    run: () => Promise.resolve([]),
    command: () => Promise.resolve(null),
    subscribe: () => () => {},
    onChange: () => () => {},
    close: () => Promise.resolve(),
  };
  const part = createPermitPart({
    link,
    runtime: clock,
    scope: createScope("alone"),
    leaseMs: 15_000,
    agreement: { on: (_, __, config) => ({ config }) },
    presence: {
      instance: "0123456789abcdef",
      ready: () => undefined,
      instances: 1,
      learnUntil: 0,
      learning: false,
      instancesKey: "",
      onBeat: (f) => void beats.push(f),
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
  return {
    clock,
    part,
    sent: (): Pending<PermitReply> => {
      const pending = part.begin(ask, true) as Pending<PermitReply>;
      pending.write([], []);
      return pending;
    },
    /** @returns whether it needs the next one */
    beat: () => beats.map((f) => f(false)).includes(true),
    told: () => told.splice(0).map(({ name, args }) => ({ name, args: args.slice(3) })),
  };
}

describe("a part that holds permits", () => {
  it("does not take a permit that was asked for so long ago that it may be somebody else's", async () => {
    const { clock, sent, part, told } = alone();
    const [early, late] = [sent(), sent()];
    await clock.advance(10_000);
    expect(early.read([1], 0, true)).toMatchObject({ granted: true });
    await clock.advance(1);
    expect(late.read([2], 0, true)).toEqual({ granted: false, active: 1 });
    expect(part.active("account")).toEqual({ "": 1 });
    expect(told()).toEqual([{ name: "permit-release", args: [] }]);
  });

  it("names all that it holds with each heartbeat, two hundred at a time, and needs none when it holds nothing", async () => {
    const { clock, sent, part, beat, told } = alone();
    expect(beat()).toBe(false);
    const replies = Array.from({ length: 450 }, (_, n) => sent().read([n + 1], 0, true));
    expect(beat()).toBe(true);
    await clock.settle();
    const named = told().map(({ name, args }) => [name, String(args[0]).split(" ").length]);
    expect(named).toEqual([
      ["permit-renew", 200],
      ["permit-renew", 200],
      ["permit-renew", 50],
    ]);
    await Promise.all(replies.map(async (reply) => part.release(ask, reply)));
    expect(told()).toHaveLength(450);
    expect(beat()).toBe(false);
    expect(told()).toEqual([]);
  });

  it("names for a lease what it gave back without knowing that it was there", async () => {
    const { clock, sent, beat, told } = alone();
    sent().lost();
    expect(told()).toMatchObject([{ name: "permit-release" }]);
    expect(beat()).toBe(true);
    expect(told()).toEqual([{ name: "permit-renew", args: ["", "0"] }]);
    await clock.advance(15_001);
    expect(beat()).toBe(false);
    expect(told()).toEqual([]);
  });
});
