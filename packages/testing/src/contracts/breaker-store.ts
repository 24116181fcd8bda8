import assert from "node:assert/strict";

import type {
  Admission,
  BreakerAsk,
  BreakerConfig,
  BreakerReport,
  BreakerSnapshot,
  BreakerStore,
  Result,
  Ticket,
  Transition,
} from "@breakwater/core";

import { atOnce, type Bench, contract, type ContractCase, type ContractOptions } from "./contract.ts";

const usual: BreakerConfig = {
  window: { calls: 10 },
  failureRate: 0.5,
  slowRate: 1,
  minimumCalls: 4,
  openForMs: 1_000,
  maxOpenForMs: 3_000,
  probes: 1,
  probeLeaseMs: 2_000,
  rampMs: 0,
};

function speak(bench: Bench<BreakerStore>, config: BreakerConfig = usual, name = "contract", key = "") {
  const { store } = bench;
  const ask = (random = 0): BreakerAsk => ({ kind: "breaker", name, key, config, now: bench.now, random });
  const record = async (
    ticket: Ticket,
    given: Partial<BreakerReport> = {},
  ): Promise<Transition | undefined> =>
    store.record(ask(), ticket, { result: "success", slow: false, trip: false, now: bench.now, ...given });
  const admit = async (random?: number): Promise<Admission> => store.decide(ask(random));
  const ticket = async (): Promise<Ticket> => {
    const admission = await admit();
    assert.ok("ticket" in admission, "admitted");
    return admission.ticket;
  };
  /** Calls that end at once, one after the other. @returns what the last one changed */
  const calls = async (...results: readonly Result[]): Promise<Transition | undefined> => {
    let last: Transition | undefined;
    for (const result of results) last = await record(await ticket(), { result });
    return last;
  };
  return {
    bench,
    store,
    slackMs: bench.slackMs,
    advance: (ms: number) => bench.advance(ms),
    admit,
    ticket,
    record,
    calls,
    first: (given: Ticket, slow = false) => store.provisional(ask(), given, bench.now, slow),
    force: (to: "open" | "closed" | undefined) => store.force(name, key, config, to, bench.now),
    async refusedFor(): Promise<number> {
      const admission = await admit();
      assert.ok(!("ticket" in admission), "refused");
      return admission.retryAfterMs;
    },
    /** The circuit as it opens: four failures. */
    async open(): Promise<void> {
      assert.equal(await calls("failure", "failure", "failure", "failure"), "open");
    },
    /** Waits until it lets probes through. */
    async untilProbe(): Promise<void> {
      const admission = await admit();
      assert.ok(!("ticket" in admission), "refused");
      await bench.advance(admission.retryAfterMs + bench.slackMs);
    },
    status: async (): Promise<BreakerSnapshot["status"] | undefined> =>
      store.snapshot(name, bench.now)[key]?.status,
    with: (changes: Partial<BreakerConfig>) => speak(bench, { ...config, ...changes }, name, key),
    of: (otherName: string, otherKey: string) => speak(bench, config, otherName, otherKey),
  };
}

type Talk = ReturnType<typeof speak>;
type Said = readonly [string, (talk: Talk) => Promise<void>];

/**
 * What a `BreakerStore` must do. Works with any test runner: a suite is a list of cases that throw. The longest span
 * that a case waits for is five seconds.
 *
 * @example
 * ```ts
 * import { createMemoryBreakerStore } from "@breakwater/core";
 * import { breakerStoreContract } from "@breakwater/testing";
 *
 * const cases = breakerStoreContract({ create: () => createMemoryBreakerStore() });
 * // in a test file: for (const { name, run } of cases) test(name, run);
 * for (const { run } of cases) await run();
 * ```
 */
export function breakerStoreContract(options: ContractOptions<BreakerStore>): readonly ContractCase[] {
  return contract(
    options,
    cases.map(([name, run]) => [name, (bench) => run(speak(bench))]),
  );
}

const cases: readonly Said[] = [
  [
    "does not open below the minimum of calls, were it all failures",
    async ({ calls }) => {
      assert.equal(await calls("failure", "failure", "failure"), undefined);
      assert.equal(await calls("failure"), "open");
    },
  ],
  [
    "opens at exactly one half",
    async ({ calls, status }) => {
      assert.equal(await calls("success", "success", "success", "failure", "failure"), undefined);
      assert.equal(await calls("failure"), "open");
      assert.equal(await status(), "open");
    },
  ],
  [
    "opens for slow calls as well",
    async (talk) => {
      const { ticket, record } = talk.with({ slowRate: 0.5 });
      for (const slow of [false, false, true]) await record(await ticket(), { slow });
      assert.equal(await record(await ticket(), { slow: true }), "open");
    },
  ],
  [
    "opens at once for what trips it",
    async ({ ticket, record }) => {
      assert.equal(await record(await ticket(), { result: "failure", trip: true }), "open");
    },
  ],
  [
    "what is ignored is not counted",
    async ({ calls }) => {
      await calls("failure", "failure", "failure");
      assert.equal(await calls(...Array.from({ length: 20 }, (): Result => "ignored")), undefined);
      assert.equal(await calls("failure"), "open");
    },
  ],
  [
    "counts the last calls only",
    async ({ calls }) => {
      await calls("failure", ...Array.from({ length: 10 }, (): Result => "success"));
      await calls("failure", "failure", "failure", "failure");
      assert.equal(await calls("failure"), "open", "5 of the last 10");
    },
  ],
  [
    "of a time window it forgets what is older",
    async (talk) => {
      const { calls, advance, slackMs } = talk.with({ window: { ms: 500 }, minimumCalls: 2 });
      await calls("failure");
      await advance(600 + slackMs);
      assert.equal(await calls("failure"), undefined);
    },
  ],
  [
    "refuses while it is open, until exactly its time",
    async ({ open, refusedFor, advance, admit, slackMs }) => {
      await open();
      const ms = await refusedFor();
      assert.ok(ms <= 1_000 && ms >= 1_000 - slackMs, `${ms} ms`);
      await advance(Math.max(0, ms - slackMs - 1));
      await refusedFor();
      await advance(1 + slackMs);
      const probe = await admit();
      assert.ok("ticket" in probe && probe.ticket.probe, "a probe");
      assert.equal(probe.transition, "half-open");
    },
  ],
  [
    "of a burst of 1000 exactly so many go as probes",
    async (talk) => {
      for (const probes of [1, 3]) {
        const each = talk.of("burst", String(probes)).with({ probes });
        await each.open();
        await each.untilProbe();
        const admissions = await atOnce(1_000, () => each.admit());
        assert.equal(admissions.filter((one) => "ticket" in one && one.ticket.probe).length, probes);
        assert.equal(admissions.filter((one) => "ticket" in one).length, probes);
        assert.equal(admissions.filter((one) => "transition" in one).length, 1, "told once");
      }
    },
  ],
  [
    "closes when all probes have gone well, and starts afresh",
    async (talk) => {
      const { open, untilProbe, ticket, record, refusedFor, status, calls } = talk.with({ probes: 2 });
      await open();
      await untilProbe();
      const [first, second] = [await ticket(), await ticket()];
      assert.equal(await record(first), undefined);
      await refusedFor();
      assert.equal(await record(second), "close");
      assert.equal(await status(), "closed");
      assert.equal(await calls("failure", "failure", "failure"), undefined, "what was before is forgotten");
    },
  ],
  [
    "a probe that fails opens it again, for longer each time, with an end to it",
    async ({ open, untilProbe, ticket, record, refusedFor, slackMs }) => {
      await open();
      for (const openFor of [2_000, 3_000, 3_000]) {
        await untilProbe();
        assert.equal(await record(await ticket(), { result: "failure" }), "open");
        const ms = await refusedFor();
        assert.ok(ms <= openFor && ms >= openFor - slackMs, `${ms} of ${openFor} ms`);
      }
    },
  ],
  [
    "being well for a minimum of calls makes the next opening short again",
    async ({ open, untilProbe, calls, refusedFor }) => {
      await open();
      await untilProbe();
      await calls("success", "success", "success", "success", "success");
      assert.equal(await calls("failure", "failure", "failure", "failure"), "open");
      assert.ok((await refusedFor()) <= 1_000);
    },
  ],
  [
    "a probe that never ends loses its permit, and its late result changes nothing",
    async ({ open, untilProbe, ticket, record, refusedFor, advance, status, slackMs }) => {
      await open();
      await untilProbe();
      const hung = await ticket();
      const ms = await refusedFor();
      assert.ok(ms > 0 && ms <= 2_000, `waits for the lease: ${ms} ms`);
      await advance(ms + slackMs);
      const next = await ticket();
      assert.equal(await record(hung, { result: "failure" }), undefined);
      assert.equal(await record(hung), undefined);
      assert.equal(await status(), "half-open");
      assert.equal(await record(next), "close");
    },
  ],
  [
    "a probe that says nothing of the upstream gives its permit back and changes nothing",
    async ({ open, untilProbe, ticket, record, refusedFor, status }) => {
      await open();
      await untilProbe();
      const left = await ticket();
      await refusedFor();
      assert.equal(await record(left, { result: "ignored" }), undefined);
      assert.equal(await status(), "half-open");
      assert.equal((await ticket()).probe, true);
    },
  ],
  [
    "late results of before the last change change nothing",
    async ({ ticket, record, untilProbe, status }) => {
      const before = [await ticket(), await ticket(), await ticket(), await ticket(), await ticket()];
      // With so many that may still go well no rate opens it.
      assert.equal(await record(await ticket(), { result: "failure", trip: true }), "open");
      for (const late of before.slice(0, 2)) assert.equal(await record(late), undefined);
      await untilProbe();
      const probe = await ticket();
      assert.equal(await record(before[2] as Ticket), undefined, "does not close it");
      assert.equal(await record(before[3] as Ticket, { result: "failure" }), undefined, "does not open it");
      assert.equal(await status(), "half-open");
      assert.equal(await record(probe), "close");
      assert.equal(await record(before[4] as Ticket, { result: "failure", trip: true }), undefined);
      assert.equal(await status(), "closed");
    },
  ],
  [
    "a first token is good enough for a probe, until it fails after all",
    async ({ open, untilProbe, ticket, first, record, status }) => {
      await open();
      await untilProbe();
      const probe = await ticket();
      assert.equal(await first(probe), "close");
      assert.equal(await status(), "closed");
      assert.equal(await record(probe, { result: "failure" }), "open");
    },
  ],
  [
    "a probe that fails after its first token opens it also while others are still out",
    async (talk) => {
      const { open, untilProbe, ticket, first, record } = talk.with({ probes: 2 });
      await open();
      await untilProbe();
      const [early, other] = [await ticket(), await ticket()];
      assert.equal(await first(early), undefined);
      assert.equal(await record(early, { result: "failure" }), "open");
      assert.equal(await record(other), undefined);
    },
  ],
  [
    "the end of a call that was counted at its first token does not count it again",
    async ({ ticket, first, record, bench, store }) => {
      const call = await ticket();
      await first(call);
      await record(call);
      assert.equal(store.snapshot("contract", bench.now)[""]?.calls, 1);
    },
  ],
  [
    "held open it stays open, whatever comes",
    async ({ ticket, force, record, advance, refusedFor, first, status }) => {
      const running = await ticket();
      await force("open");
      await advance(4_000);
      await refusedFor();
      assert.equal(await record(running), undefined);
      await first(running);
      await refusedFor();
      assert.equal(await status(), "forced-open");
      await force(undefined);
      await ticket();
      assert.equal(await status(), "closed");
    },
  ],
  [
    "held closed it stays closed, whatever comes",
    async ({ force, calls, status, open }) => {
      await force("closed");
      await calls(...Array.from({ length: 20 }, (): Result => "failure"));
      assert.equal(await status(), "forced-closed");
      await force(undefined);
      await open();
    },
  ],
  [
    "held by hand beats an open circuit, both ways",
    async ({ open, force, ticket, refusedFor }) => {
      await open();
      await force("closed");
      assert.equal((await ticket()).probe, false);
      await force("open");
      await refusedFor();
    },
  ],
  [
    "names and keys are circuits of their own",
    async ({ open, of, ticket, refusedFor }) => {
      await open();
      await refusedFor();
      await of("contract", "other").ticket();
      await of("other", "").ticket();
      await of("other", "").open();
      await of("contract", "other").ticket();
      await refusedFor();
      void ticket;
    },
  ],
  [
    "who joins later does not reset it, and does not begin its open time anew",
    async (talk) => {
      await talk.open();
      await talk.advance(600);
      const joined = talk.with({ openForMs: 1_500 });
      const ms = await joined.refusedFor();
      assert.ok(ms <= 400, `the rest of the time that it was opened for: ${ms} ms`);
      assert.equal(await talk.status(), "open");
    },
  ],
  [
    "other numbers keep what was counted",
    async (talk) => {
      await talk.calls("failure", "failure", "failure");
      assert.equal(await talk.with({ failureRate: 0.9 }).calls("failure"), "open");
    },
  ],
  [
    "fewer probes than have gone well already do not keep it half-open for ever",
    async (talk) => {
      const three = talk.with({ probes: 3 });
      await three.open();
      await three.untilProbe();
      await three.record(await three.ticket());
      await three.record(await three.ticket());
      const one = talk.with({ probes: 1 });
      assert.equal(await one.record(await one.ticket()), "close");
    },
  ],
  [
    "a window of another size counts rightly what began before",
    async (talk) => {
      const call = await talk.ticket();
      await talk.calls(...Array.from({ length: 9 }, (): Result => "success"));
      await talk.first(call);
      const small = talk.with({ window: { calls: 5 } });
      await small.ticket();
      await small.record(call, { result: "failure" });
      const { calls = 0, failures = 0 } = talk.store.snapshot("contract", talk.bench.now)[""] ?? {};
      assert.ok(failures <= calls, `${failures} failures of ${calls} calls`);
    },
  ],
  [
    "a snapshot is a copy",
    async ({ calls, store, bench, open }) => {
      await calls("failure");
      const before = store.snapshot("contract", bench.now)[""];
      const copy = structuredClone(before);
      await open().catch(() => undefined);
      assert.deepEqual(before, copy);
    },
  ],
  [
    "after closing the share that is let through grows",
    async (talk) => {
      const { open, untilProbe, calls, admit, advance, slackMs } = talk.with({
        rampMs: 1_000 + 10 * talk.slackMs,
      });
      await open();
      await untilProbe();
      assert.equal(await calls("success"), "close");
      const share = async (): Promise<number> => {
        const admissions = await atOnce(100, (n) => admit(n / 100));
        return admissions.filter((admission) => "ticket" in admission).length;
      };
      assert.ok((await share()) <= 60, "few at first");
      await advance(1_000 + 11 * slackMs);
      assert.equal(await share(), 100);
    },
  ],
];
