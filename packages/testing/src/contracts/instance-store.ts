import assert from "node:assert/strict";

import { ConfigError, INSTANCE_LIMITS, type InstanceStore, StoreError } from "@breakwater/core";

import {
  atOnce,
  type Bench,
  contract,
  type ContractCase,
  type ContractOptions,
  type Written,
} from "./contract.ts";

/**
 * What an `InstanceStore` must do. Works with any test runner: a suite is a list of cases that throw.
 *
 * A store on a real clock says how time passes (`advance`) and how much of it passes unseen (`slackMs`).
 *
 * @example
 * ```ts
 * import { createMemoryInstanceStore } from "@breakwater/core";
 * import { createTestClock, instanceStoreContract } from "@breakwater/testing";
 *
 * const runtime = createTestClock();
 * const cases = instanceStoreContract({
 *   create: () => createMemoryInstanceStore({ runtime }),
 *   advance: (ms) => runtime.advance(ms),
 * });
 * // in a test file: for (const { name, run } of cases) test(name, run);
 * for (const { run } of cases) await run();
 * ```
 */
export function instanceStoreContract(options: ContractOptions<InstanceStore>): readonly ContractCase[] {
  return contract(options, cases);
}

type In = Bench<InstanceStore>;

const HOUR = 3_600_000;
/** Longer than a busy machine takes for a case. */
const SHORT = 1_000;

async function namesOf({ store }: In, service = "contract"): Promise<readonly string[]> {
  return (await store.all(service)).map(({ instance }) => instance);
}

async function heard({ store }: In, after: string, service = "contract"): Promise<readonly string[]> {
  return (await store.told(service, after)).messages;
}

/** A place in what is told from which on everything is heard. */
async function fromNow({ store }: In, service = "contract"): Promise<string> {
  const { messages, cursor } = await store.told(service, undefined);
  assert.deepEqual(messages, [], "who begins to listen hears nothing of before");
  return cursor;
}

const cases: Written<InstanceStore> = [
  [
    "knows of nobody at first",
    async (bench) => {
      assert.deepEqual(await bench.store.all("contract"), []);
      await bench.store.remove("contract", "nobody");
    },
  ],
  [
    "gives back what instances said of themselves, in the order of their names",
    async ({ store }) => {
      const report = JSON.stringify({ text: "ответ 答え 🙂\u0000\n", list: [1, -0.5, null] });
      await store.put("contract", "b", report, HOUR);
      await store.put("contract", "a", "", HOUR);
      await store.put("contract", "B", "a plain text", HOUR);
      assert.deepEqual(await store.all("contract"), [
        { instance: "B", report: "a plain text" },
        { instance: "a", report: "" },
        { instance: "b", report },
      ]);
    },
  ],
  [
    "what an instance says takes the place of what it said before",
    async (bench) => {
      await bench.store.put("contract", "a", "first", HOUR);
      await bench.store.put("contract", "a", "second", HOUR);
      assert.deepEqual(await bench.store.all("contract"), [{ instance: "a", report: "second" }]);
    },
  ],
  [
    "an instance that says nothing any more is gone after its time, and no other",
    async (bench) => {
      await bench.store.put("contract", "short", "", SHORT);
      await bench.store.put("contract", "long", "", HOUR);
      await bench.advance(SHORT - 1 - bench.slackMs);
      assert.deepEqual(await namesOf(bench), ["long", "short"]);
      await bench.advance(1 + 2 * bench.slackMs);
      assert.deepEqual(await namesOf(bench), ["long"]);
    },
  ],
  [
    "each word of an instance begins its time anew, also where that is shorter",
    async (bench) => {
      const { store } = bench;
      await store.put("contract", "a", "", SHORT);
      await bench.advance(SHORT / 2);
      await store.put("contract", "a", "", SHORT);
      await bench.advance(SHORT / 2 + 1);
      assert.deepEqual(await namesOf(bench), ["a"]);
      await store.put("contract", "a", "", HOUR);
      await store.put("contract", "a", "", 50);
      await bench.advance(50 + bench.slackMs);
      assert.deepEqual(await namesOf(bench), []);
    },
  ],
  [
    "one that says that it is gone is gone, and may come back",
    async (bench) => {
      const { store } = bench;
      for (const instance of ["a", "b"]) await store.put("contract", instance, "", HOUR);
      await store.remove("contract", "a");
      assert.deepEqual(await namesOf(bench), ["b"]);
      await store.put("contract", "a", "again", HOUR);
      assert.deepEqual(await namesOf(bench), ["a", "b"]);
    },
  ],
  [
    "services know nothing of one another, however they and their instances are called",
    async (bench) => {
      const { store } = bench;
      const services = ["contract", "contrac", "{contract}", "contract:ключ", "a b\n", "*"];
      const cursors = new Map<string, string>();
      for (const service of services) cursors.set(service, await fromNow(bench, service));
      for (const service of services) {
        await store.put(service, service, service, HOUR);
        await store.tell(service, service, HOUR);
      }
      for (const service of services) {
        assert.deepEqual(await store.all(service), [{ instance: service, report: service }]);
        assert.deepEqual(await heard(bench, cursors.get(service) ?? "", service), [service]);
      }
    },
  ],
  [
    "has room for so many instances and no more, until some are gone",
    async (bench) => {
      const { store } = bench;
      const most = INSTANCE_LIMITS.instances;
      await atOnce(most - 1, (n) => store.put("contract", `${n}`, "", HOUR));
      await store.put("contract", "last", "", SHORT);
      await assert.rejects(async () => store.put("contract", "late", "", HOUR), isStoreError);
      await store.put("contract", "0", "one that is there may go on", HOUR);
      assert.equal((await namesOf(bench)).length, most);
      await bench.advance(SHORT + bench.slackMs);
      await store.put("contract", "late", "", HOUR);
      assert.ok((await namesOf(bench)).includes("late"));
    },
  ],
  [
    "keeps a report that is as long as it may be, and says so of a longer one",
    async (bench) => {
      const { store } = bench;
      const longest = "ю".repeat(INSTANCE_LIMITS.reportLength);
      await store.put("contract", "a", longest, HOUR);
      await assert.rejects(async () => store.put("contract", "a", `${longest}!`, HOUR), isStoreError);
      const [kept] = await store.all("contract");
      assert.equal(kept?.report.length, longest.length, "the one before is still there");
    },
  ],
  [
    "tells everybody who listened, in order, each message once",
    async (bench) => {
      const { store } = bench;
      const one = await fromNow(bench);
      await store.tell("contract", "first", HOUR);
      const other = await fromNow(bench);
      for (const message of ["second", "third", "third", "четвёртый\u0000"])
        await store.tell("contract", message, HOUR);
      const reply = await store.told("contract", one);
      assert.deepEqual(reply.messages, ["first", "second", "third", "third", "четвёртый\u0000"]);
      assert.deepEqual(await heard(bench, reply.cursor), []);
      assert.deepEqual(await heard(bench, other), reply.messages.slice(1));
      await store.tell("contract", "sixth", HOUR);
      assert.deepEqual(await heard(bench, reply.cursor), ["sixth"]);
      assert.deepEqual(await heard(bench, reply.cursor), ["sixth"], "a cursor may be asked with again");
    },
  ],
  [
    "what was told is not heard after its time",
    async (bench) => {
      const { store } = bench;
      const cursor = await fromNow(bench);
      await store.tell("contract", "short", SHORT);
      await store.tell("contract", "long", HOUR);
      await bench.advance(SHORT - 1 - bench.slackMs);
      assert.deepEqual(await heard(bench, cursor), ["short", "long"]);
      await bench.advance(1 + 2 * bench.slackMs);
      assert.deepEqual(await heard(bench, cursor), ["long"]);
    },
  ],
  [
    "a cursor stays good when nothing is left of what it stood in",
    async (bench) => {
      const { store } = bench;
      const before = await fromNow(bench);
      await store.tell("contract", "short", 50);
      const { cursor } = await store.told("contract", before);
      await bench.advance(100 + bench.slackMs);
      await store.tell("contract", "later", HOUR);
      assert.deepEqual(await heard(bench, before), ["later"]);
      assert.deepEqual(await heard(bench, cursor), ["later"]);
    },
  ],
  [
    "keeps the last messages only, and a cursor survives that those before are gone",
    async (bench) => {
      const { store } = bench;
      const cursor = await fromNow(bench);
      const all = Array.from({ length: INSTANCE_LIMITS.messages + 50 }, (_, n) => `${n}`);
      for (const message of all) await store.tell("contract", message, HOUR);
      assert.deepEqual(await heard(bench, cursor), all.slice(50));
    },
  ],
  [
    "takes a cursor that it does not know for none",
    async (bench) => {
      const { store } = bench;
      await store.tell("contract", "before", HOUR);
      for (const unknown of ["", "x", "-", "+", "(1-1", "1 2", "9".repeat(400)]) {
        const { messages, cursor } = await store.told("contract", unknown);
        assert.deepEqual(messages, [], unknown);
        await store.tell("contract", unknown, HOUR);
        assert.deepEqual(await heard(bench, cursor), [unknown]);
      }
    },
  ],
  [
    "keeps a message that is as long as it may be, and says so of a longer one",
    async (bench) => {
      const { store } = bench;
      const cursor = await fromNow(bench);
      const longest = "x".repeat(INSTANCE_LIMITS.messageLength);
      await store.tell("contract", longest, HOUR);
      await assert.rejects(async () => store.tell("contract", `${longest}!`, HOUR), isStoreError);
      assert.deepEqual(await heard(bench, cursor), [longest]);
    },
  ],
  [
    "loses nothing of what many say at the same time",
    async (bench) => {
      const { store } = bench;
      const cursor = await fromNow(bench);
      await atOnce(50, async (n) => {
        await store.put("contract", `${n}`, `report ${n}`, HOUR);
        await store.tell("contract", `message ${n}`, HOUR);
      });
      const reports = new Set((await store.all("contract")).map(({ report }) => report));
      assert.equal(reports.size, 50);
      assert.equal(new Set(await heard(bench, cursor)).size, 50);
    },
  ],
  [
    "refuses names and times that are none",
    async ({ store }) => {
      const long = "x".repeat(INSTANCE_LIMITS.nameLength + 1);
      const wrong: readonly (() => unknown)[] = [
        ...["", long, undefined as never].flatMap((name) => [
          () => store.put(name, "a", "", HOUR),
          () => store.put("contract", name, "", HOUR),
          () => store.remove(name, "a"),
          () => store.remove("contract", name),
          () => store.all(name),
          () => store.tell(name, "", HOUR),
          () => store.told(name, undefined),
        ]),
        ...[0, -1, Number.NaN, Infinity, "1s" as never].flatMap((ttlMs) => [
          () => store.put("contract", "a", "", ttlMs),
          () => store.tell("contract", "", ttlMs),
        ]),
        () => store.put("contract", "a", {} as never, HOUR),
        () => store.tell("contract", undefined as never, HOUR),
      ];
      for (const ask of wrong)
        await assert.rejects(
          async () => ask(),
          (error) => ConfigError.isInstance(error),
        );
    },
  ],
];

const isStoreError = (error: unknown): boolean => StoreError.isInstance(error);
