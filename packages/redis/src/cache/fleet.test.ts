// Real processes, each with connections of its own: what a fleet asks at the same time is asked once.
import type { ChildProcess } from "node:child_process";

import { type Program, programOf } from "@breakwater-internal/redis-server/fork";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import type { Order, Report } from "./asker.test-help.ts";
import { pass, someScope, until } from "./lab.test-help.ts";

const redis = useRedis();
let program: Program | undefined;

interface Asker {
  readonly child: ChildProcess;
  /** Calls that its upstream got. */
  calls: number;
  tell(order: Order): void;
  /** What so many callers of the process are answered. */
  ask(question: string, callers: number): Promise<readonly string[]>;
  forget(question: string): Promise<void>;
}

async function asker(scope: string): Promise<Asker> {
  const child = (program as Program).start(redis.url, scope, "1000");
  const heard: Report[] = [];
  let ids = 0;
  const one: Asker = {
    child,
    calls: 0,
    tell: (order) => void child.send(order),
    async ask(question, callers) {
      const id = ids++;
      one.tell({ ask: question, callers, id });
      const mine = (report: Report) => typeof report === "object" && report.id === id;
      await until(() => heard.some(mine));
      return (heard.find(mine) as { readonly outcomes: readonly string[] }).outcomes;
    },
    async forget(question) {
      const before = heard.filter((report) => report === "forgotten").length;
      one.tell({ forget: question });
      await until(() => heard.filter((report) => report === "forgotten").length > before);
    },
  };
  child.on("message", (report: Report) => {
    heard.push(report);
    if (report === "called") one.calls++;
  });
  await until(() => heard.includes("ready"));
  return one;
}

let askers: readonly Asker[];
beforeAll(async () => {
  const scope = someScope();
  program = await programOf(new URL("./asker.test-help.ts", import.meta.url));
  askers = await Promise.all(Array.from({ length: 8 }, () => asker(scope)));
}, 120_000);
afterAll(() => program?.remove());
beforeEach(() => {
  for (const one of askers) one.calls = 0;
});

const calls = (): number => askers.reduce((sum, one) => sum + one.calls, 0);

/** Who fetches, once all others wait for him. */
async function fetcher(waiting: number): Promise<Asker> {
  await until(async () => {
    const channels = (await redis.cli("PUBSUB", "CHANNELS", "bw1:{cache:*}:c")) as readonly string[];
    const counts = (await redis.cli("PUBSUB", "NUMSUB", ...channels)) as readonly (string | number)[];
    return counts.includes(waiting) && calls() > 0;
  });
  return askers.find((one) => one.calls > 0) as Asker;
}

describe("processes that want the same answer", { timeout: 60_000 }, () => {
  it("8 × 20 callers make one call", async () => {
    const asked = askers.map((one) => one.ask("many", 20));
    (await fetcher(7)).tell({ answer: "yes" });
    const outcomes = (await Promise.all(asked)).flat();
    expect(outcomes).toHaveLength(160);
    expect(outcomes.filter((outcome) => outcome === "miss: yes")).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === "join: yes")).toHaveLength(159);
    expect(calls()).toBe(1);
  });

  it("have its failure from one call", async () => {
    const asked = askers.map((one) => one.ask("failing", 20));
    (await fetcher(7)).tell({ fail: "busy" });
    expect(new Set((await Promise.all(asked)).flat())).toEqual(new Set(["failed: busy"]));
    expect(calls()).toBe(1);
  });

  it("have the stale one when a new one fails, and forget what one of them deletes", async () => {
    const [one, two] = askers as [Asker, Asker];
    const first = one.ask("stale", 1);
    await until(() => one.calls === 1);
    one.tell({ answer: "old" });
    await first;
    const hits = await Promise.all(askers.map((each) => each.ask("stale", 1)));
    expect(new Set(hits.flat())).toEqual(new Set(["hit: old"]));
    await pass(2_100); // stale now
    one.calls = 0;
    const both = [one.ask("stale", 1), two.ask("stale", 1)];
    const failing = await fetcher(1);
    failing.tell({ fail: "busy" });
    expect((await Promise.all(both)).flat()).toEqual(["stale: old", "stale: old"]);
    await two.forget("stale");
    for (const each of askers.slice(0, 3)) {
      each.calls = 0;
      const asked = each.ask("stale", 1);
      await until(() => each.calls === 1);
      each.tell({ fail: "gone" });
      expect(await asked).toEqual(["failed: gone"]);
    }
  });

  it("one takes over from a process that was killed while it fetched", async () => {
    const asked = askers.map((one) => one.ask("killed", 5));
    const first = await fetcher(7);
    await pass(1_500); // longer than a lease: it is renewed
    expect(calls()).toBe(1);
    first.child.kill("SIGKILL");
    const others = askers.filter((one) => one !== first);
    await until(() => others.some((one) => one.calls > 0));
    await pass(600); // all have looked again
    expect(calls()).toBe(2);
    others.find((one) => one.calls > 0)?.tell({ answer: "yes" });
    const outcomes = await Promise.all(asked.filter((_, n) => askers[n] !== first));
    expect(outcomes.flat().filter((outcome) => outcome.endsWith(": yes"))).toHaveLength(35);
    expect(calls()).toBe(2);
  });
});
