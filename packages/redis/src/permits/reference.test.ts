// The Lua against a model that says the same in TypeScript, on a clock that is held in the hand.
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import fc from "fast-check";
import { expect, it } from "vitest";

import { batchScript } from "../decide/batches.ts";
import { decisionOf } from "../decide/frame.ts";
import { createScope } from "../keys.ts";
import { permitLua, type PermitShape, SIZES } from "./lua.ts";
import { createModel } from "./model.test-help.ts";
import { newScope, startProcess, until } from "./process.test-help.ts";

const redis = useRedis();

const LEASE_MS = 15_000;
const KEEP_MS = 300;
const START = Date.UTC(2100, 0, 1) * 1_000;
const INSTANCES = ["a", "b", "c", "d"];

const instance = fc.constantFrom(...INSTANCES);
const limit = fc.integer({ min: 1, max: 4 });
const number = fc.integer({ min: 0, max: 3 });
const numbers = fc.uniqueArray(number, { maxLength: 4 });

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant("ask" as const), instance, number, limit }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant("askWaiting" as const), instance, number, limit }) },
  { weight: 5, arbitrary: fc.record({ what: fc.constant("release" as const), instance, number, limit }) },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant("wait" as const),
      instance,
      limit,
      waitedUs: fc.integer({ min: 0, max: 5_000_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("leave" as const), instance, limit }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant("renew" as const),
      instance,
      limit,
      held: numbers,
      lost: numbers,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant("pass" as const),
      us: fc.oneof(fc.integer({ min: 0, max: 400_000 }), fc.integer({ min: -60_000_000, max: 16_000_000 })),
    }),
  },
);

it("does in Lua what the model does", { timeout: 60_000 }, async () => {
  const server = startProcess(redis.url);
  const { link } = server;
  await until(() => link.up);
  const lua = permitLua({ leaseMs: LEASE_MS, keepMs: KEEP_MS, channel: "nobody hears:" });
  const part = { ...lua, size: (shape: string) => SIZES[shape as PermitShape] };
  const scripts = {
    p: decisionOf([{ part: part as never, shape: "p" }], "local now = tonumber(ARGV[#ARGV])").script,
    pw: decisionOf([{ part: part as never, shape: "pw" }], "local now = tonumber(ARGV[#ARGV])").script,
    batch: batchScript(lua.operations, "local now = tonumber(KEYS[#KEYS])"),
  };

  async function contents(key: string): Promise<readonly (readonly [string, number])[]> {
    // In pairs already, in the third version of the protocol.
    const flat = ((await link.command("ZRANGE", [key, 0, -1, "WITHSCORES"])) as string[][]).flat();
    const pairs: [string, number][] = [];
    for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i] as string, Number(flat[i + 1])]);
    if (pairs.length > 0) expect(Number(await link.command("PTTL", [key]))).toBeGreaterThan(0);
    return pairs.toSorted(([a], [b]) => (a < b ? -1 : 1));
  }

  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: "max" }), async (steps) => {
      const permits = createScope(newScope()).key("permits", "n", "k");
      const keys = [permits];
      const model = createModel({ leaseUs: LEASE_MS * 1_000, keepUs: KEEP_MS * 1_000 });
      let now = START;

      async function decide(shape: PermitShape, args: (string | number)[]): Promise<unknown[]> {
        const [, , ...values] = (await link.run(scripts[shape], keys, [0, ...args, now])) as unknown[];
        return values;
      }
      async function tell(name: string, args: (string | number)[]): Promise<unknown> {
        const [said] = (await link.run(
          scripts.batch,
          [...keys, String(now)],
          [0, name, ...args],
        )) as unknown[];
        return said;
      }

      for (const one of steps) {
        if (one.what === "pass") {
          now += one.us;
          continue;
        }
        const me = `!${one.instance}`;
        const prefix = `${one.instance}:`;
        const named = (n: number): string => prefix + n;
        const { limit: most } = one;
        switch (one.what) {
          case "ask":
            expect(await decide("p", [named(one.number), most, 0])).toEqual(
              model.ask(now, named(one.number), most),
            );
            break;
          case "askWaiting":
            expect(await decide("pw", [named(one.number), most, 0, me])).toEqual(
              model.ask(now, named(one.number), most, me),
            );
            break;
          case "release":
            expect(await tell("permit-release", [most, me, named(one.number)])).toBe(
              model.release(now, most, me, named(one.number)),
            );
            break;
          case "wait":
            expect(await tell("permit-wait", [most, me, one.waitedUs])).toBe(
              model.wait(now, most, me, one.waitedUs),
            );
            break;
          case "leave":
            expect(await tell("permit-leave", [most, me])).toBe(model.leave(now, most, me));
            break;
          case "renew":
            expect(
              await tell("permit-renew", [most, me, prefix, one.held.join(" "), one.lost.join(" ")]),
            ).toBe(model.renew(now, most, me, one.held.map(named), one.lost.map(named)));
            break;
        }
        expect(await contents(permits)).toEqual(model.members());
      }
    }),
    { numRuns: 150, seed: 4 },
  );
  await server.close();
});
