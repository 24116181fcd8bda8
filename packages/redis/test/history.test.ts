// Several real processes over one store; what they saw must be what one process alone could have seen.
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Program, programOf } from "@breakwater-internal/redis-server/fork";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import type { RateStanding } from "@breakwater/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createScope } from "../src/keys.ts";
import {
  check,
  complaint,
  type History,
  historyOf,
  type Log,
  type Part,
  partWith,
} from "./history/history.test-help.ts";
import { type Happening, sharesOf } from "./history/model.test-help.ts";
import { admits, type Line, recorder, type Reply } from "./history/record.test-help.ts";
import type { Work } from "./history/worker.test-help.ts";
import { lastLooks } from "./history/workload.test-help.ts";
import { connected, newScope } from "./outage.test-help.ts";

const redis = useRedis();
let program: Program;
let folder: string;
beforeAll(async () => {
  program = await programOf(new URL("./history/worker.test-help.ts", import.meta.url));
  folder = mkdtempSync(join(tmpdir(), "breakwater-history-"));
}, 60_000);
afterAll(() => {
  program?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const PROCESSES = 5;

type Decided = Happening & { readonly what: "decide"; readonly replies: readonly Reply[] };

/** What so many processes did at the same time, and what is there when they have ended. */
async function record(
  seed: number,
  given: {
    readonly scope?: string;
    readonly steps?: number;
    readonly killedAt?: number;
    readonly meanwhile?: () => Promise<void>;
  } = {},
): Promise<History> {
  const { scope = newScope(), steps = 120, killedAt, meanwhile } = given;
  const windows = killedAt === undefined;
  const works = Array.from({ length: PROCESSES }, (_, i): Work => ({
    url: redis.url,
    scope,
    log: join(folder, `${scope}-${i}`),
    seed: seed * 10 + i,
    users: 3,
    steps,
    windows,
    ...(i === 0 && killedAt !== undefined && { killedAt }),
  }));
  const children = works.map((work) => program.start(JSON.stringify(work)));
  const gone = children.map((child) => once(child, "exit"));
  await Promise.all(children.map((child) => once(child, "message")));
  for (const child of children) child.send("go");

  let running = true;
  const ended = Promise.all(gone).finally(() => (running = false));
  while (running && meanwhile !== undefined) await meanwhile();
  await ended;
  await meanwhile?.();
  expect(children.map(({ exitCode, signalCode }) => exitCode ?? signalCode)).toEqual(
    works.map((work) => (work.killedAt === undefined ? 0 : "SIGKILL")),
  );

  const store = await connected(redis.url, scope, { decisionTimeout: "5s", lease: "10m" });
  const last: Line[] = [];
  const looker = recorder(store, (line) => last.push(line));
  for (const asks of lastLooks(windows)) await looker.decide(asks);
  const logs = works.map(({ log, killedAt: at }): Log => ({ lines: read(log), killed: at !== undefined }));
  return historyOf([...logs, { lines: last }]);
}

/** The last line of a process that was killed may be half of one. */
function read(log: string): readonly Line[] {
  const lines = readFileSync(log, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Line);
}

/** Whether there is an order for all of it. A machine that stands still for seconds may leave a little unanswered. */
function expectLinearizable({ parts, operations, unanswered }: History): void {
  expect(unanswered).toBeLessThan(operations / 50);
  expect(parts).not.toEqual([]);
  for (const part of parts) expect(complaint(check(part))).toBe("");
}

const refusals = (part: Part): readonly Decided[] =>
  part.filter(
    (one): one is Decided => one.what === "decide" && one.replies?.some((reply) => !admits(reply)) === true,
  );

/** The same history, but for one operation. */
const instead = (part: Part, one: Happening, ...others: readonly Happening[]): Part =>
  part.flatMap((each) => (each === one ? others : [each]));

/** What would have been said to who was let through although there was nothing left. */
function letThrough(one: Decided): Happening {
  const replies = one.asks.map((ask, i): Reply => {
    const reply = one.replies[i] as Reply;
    if ("granted" in reply) return { granted: true, active: reply.active + 1 };
    const passed = { ...reply, admitted: true, retryAfterMs: 0 };
    for (const { amount, cost } of sharesOf(ask)) {
      const standing = reply[amount] as RateStanding;
      passed[amount] = { ...standing, remaining: standing.remaining - cost, retryAfterMs: 0 };
    }
    return passed;
  });
  return { ...one, replies };
}

describe("what several processes see is what one alone could have seen", { timeout: 120_000 }, () => {
  let recorded: Promise<History> | undefined;
  const recordOne = (): Promise<History> => (recorded ??= record(1));

  it("of rate limits and permits, alone and together, settled and given back", async () => {
    const whole = await recordOne();
    expectLinearizable(whole);
    for (const place of ["tokens slow bucket ", "requests slow window "]) {
      const part = partWith(whole, place);
      expect(refusals(part).length).toBeGreaterThan(5);
      expect(part.length - refusals(part).length).toBeGreaterThan(5);
    }
  });

  it("and would not be if one more had been let through, or one had not come back", async () => {
    const whole = await recordOne();
    const found = (part: Part): void => expect(check(part).order).toBeUndefined();
    // The last look tells what was counted, so there is no order in which it could have been.
    for (const place of ["requests slow window ", "permits seats a", "permits seats b"]) {
      const part = partWith(whole, place);
      expect(check(part).order).toBeDefined();
      for (const one of refusals(part).slice(0, 8)) found(instead(part, one, letThrough(one)));
    }
    for (const place of ["permits seats a", "permits seats b", "permits account "]) {
      const part = partWith(whole, place);
      const [release] = part.filter(({ what }) => what === "release") as [Happening];
      found(instead(part, release));
      found(instead(part, release, release, release));
    }
    const bucket = partWith(whole, "tokens slow bucket ");
    for (const one of bucket.filter(({ what }) => what === "settle").slice(0, 8)) found(instead(bucket, one));
  });

  it("while the server forgets its scripts all the time", async () => {
    let flushed = 0;
    const history = await record(2, {
      meanwhile: async () => {
        await redis.cli("SCRIPT", "FLUSH");
        flushed++;
      },
    });
    expect(flushed).toBeGreaterThan(1);
    expectLinearizable(history);
  });

  it("when one of them is killed in the middle of what it asks", async () => {
    const history = await record(3, { killedAt: 150 });
    expect(history.parts.flat().filter(({ returned }) => returned === Infinity)).not.toEqual([]);
    expectLinearizable(history);
  });

  it("and is not where the server forgets a limit, or what has come back", async () => {
    const scope = newScope();
    const keys = createScope(scope);
    const history = await record(4, {
      scope,
      steps: 40,
      meanwhile: async () => {
        await redis.cli("DEL", keys.key("rt", "slow bucket", ""));
        await redis.cli("ZADD", keys.key("permits", "seats", "a"), 4e15, "not given back");
      },
    });
    for (const place of ["tokens slow bucket ", "permits seats a"])
      expect(check(partWith(history, place)).order).toBeUndefined();
    expect(complaint(check(partWith(history, "permits seats b")))).toBe("");
  });
});
