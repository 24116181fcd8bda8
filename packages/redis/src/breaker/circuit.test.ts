import { createTestClock } from "@breakwater/testing";
import { describe, expect, it } from "vitest";

import { createScope } from "../keys.ts";
import { type Circuit, createCircuit } from "./circuit.ts";
import { createCircuits } from "./circuits.ts";
import { codeOf, createServerClock, type Shared } from "./shared.ts";
import { usual } from "./talk.test-help.ts";

const SERVER = 1_795_000_000_000_000;
const closed: Shared = { status: "closed", epoch: 5, until: 0, openings: 0, closedAt: SERVER };
const open: Shared = {
  status: "open",
  epoch: 6,
  until: SERVER + 60_000_000,
  openings: 1,
  closedAt: SERVER,
};

/** As Redis says it. */
const say = ({ status, openings, epoch, until, closedAt }: Shared): string =>
  [codeOf(status), openings, epoch, until, closedAt, 60_000_000, 0, "-"].join(" ");

function known() {
  const runtime = createTestClock();
  const clock = createServerClock(runtime);
  clock.hear(SERVER);
  const lost: Circuit[] = [];
  const circuit = createCircuit({
    name: "a",
    key: "",
    keys: ["state", "probes", "votes"],
    config: usual,
    runtime,
    clock,
    lost: (one) => lost.push(one),
  });
  return { runtime, clock, circuit, lost };
}

describe("what a process knows of a circuit", () => {
  it("is believed for a second, and not at all before anything was heard", async () => {
    const { runtime, circuit } = known();
    expect(circuit.fresh).toBe(false);
    circuit.hear(say(closed));
    await runtime.advance(999);
    expect(circuit.fresh).toBe(true);
    await runtime.advance(1);
    expect(circuit.fresh).toBe(false);
    circuit.hear(say(closed));
    circuit.doubt();
    expect(circuit.fresh).toBe(false);
  });

  it("refuses by the server's clock for as long as it is open, and asks from then on", async () => {
    const { runtime, circuit } = known();
    circuit.hear(say(open));
    await runtime.advance(59_999);
    expect(circuit.shut()).toBeCloseTo(1, 6);
    await runtime.advance(1);
    expect(circuit.shut()).toBeUndefined();
  });

  it("refuses without asking for a tenth of a second while all probes are out", async () => {
    const { runtime, circuit } = known();
    circuit.hear(say({ ...open, status: "half-open" }));
    expect(circuit.shut(), "nobody knows").toBeUndefined();
    circuit.probing(60_000);
    await runtime.advance(99);
    expect(circuit.shut()).toBe(59_901);
    await runtime.advance(1);
    expect(circuit.shut()).toBeUndefined();
  });

  it("is what the own count goes on from, by the clock of the calls", async () => {
    const { runtime, circuit } = known();
    circuit.tick(1_000_000); // a client in a test has another clock than the store
    circuit.config = { ...usual, maxOpenForMs: 60_000 };
    circuit.hear(say(open));
    expect(circuit.own.snapshot(1_000_000)).toMatchObject({ status: "open", openForMs: 60_000 });
    await runtime.advance(10);
    circuit.hear(say({ ...closed, epoch: 7, openings: 1, closedAt: SERVER }));
    expect(circuit.own.snapshot(1_000_010)).toMatchObject({ status: "closed", openings: 1 });
  });

  it("is not followed into a future that a clock which was set back would make", () => {
    const { circuit, clock } = known();
    clock.hear(SERVER - 3_600_000_000);
    circuit.hear(say(open));
    expect(circuit.own.snapshot(0).openForMs).toBe(usual.maxOpenForMs);
    circuit.config = { ...usual, rampMs: 1_000 };
    circuit.hear(say({ ...closed, epoch: 7, openings: 1 }));
    expect("ticket" in circuit.own.admit(999, 0.99)).toBe(true);
  });

  it("does not forget what was counted while nothing changes", () => {
    const { circuit } = known();
    circuit.hear(say(closed));
    const admission = circuit.own.admit(0, 0);
    if ("ticket" in admission) circuit.own.record(admission.ticket, "failure", false, 0);
    expect(circuit.hear(say(closed))).toBe(false);
    expect(circuit.own.snapshot(0).failures).toBe(1);
    expect(circuit.hear(say({ ...closed, epoch: 7 }))).toBe(true);
    expect(circuit.own.snapshot(0).failures).toBe(0);
  });

  it("is not replaced by less: Redis is told what it has lost", () => {
    const { circuit, lost } = known();
    circuit.hear(say(open));
    expect(circuit.hear(say({ ...closed, epoch: 0 }))).toBe(false);
    expect(lost).toEqual([circuit]);
    expect(circuit.shut()).toBeGreaterThan(0);
  });

  it("is told once, and what is done by hand is not", () => {
    const { circuit } = known();
    circuit.hear(say(closed));
    expect(circuit.news()).toBeUndefined();
    circuit.hear(say(open));
    expect(circuit.news()).toBe("open");
    expect(circuit.news()).toBeUndefined();
    circuit.hear(say({ ...open, status: "half-open", epoch: 7 }));
    expect(circuit.news(), "still not closed").toBeUndefined();
    circuit.hear(say({ ...closed, epoch: 8 }));
    expect(circuit.news()).toBe("close");
    circuit.hear(say({ ...closed, status: "forced-open", epoch: 9 }));
    expect(circuit.news()).toBeUndefined();
    circuit.hear(say({ ...open, epoch: 10 }));
    circuit.told("open"); // it was this process that opened it
    expect(circuit.news()).toBeUndefined();
  });
});

describe("the circuits that a process knows", () => {
  function some(most: number) {
    const runtime = createTestClock();
    const clock = createServerClock(runtime);
    return createCircuits({ scope: createScope("test"), runtime, clock, lost: () => {}, most });
  }

  it("are bounded, and those that are well are forgotten first", () => {
    const circuits = some(3);
    circuits.get("a", "sick", usual).hear(say(open));
    for (let i = 0; i < 100; i++) circuits.get("a", `well ${i}`, usual);
    expect([...circuits.of("a")]).toHaveLength(3);
    expect(circuits.peek("a", "sick")?.shared?.status).toBe("open");
    const forgotten = createScope("test").key("breaker", "a", "well 0");
    expect(circuits.find(forgotten)).toBeUndefined();
  });

  it("take the numbers that were given last, each when it is asked for", () => {
    const circuits = some(3);
    const one = circuits.get("a", "", usual);
    const given = { ...usual, openForMs: 7 };
    circuits.get("a", "other", given);
    expect(one.config, "two policies of one name do not go through thousands of circuits in turn").toBe(
      usual,
    );
    expect(circuits.get("a", "", given).config).toBe(given);
  });

  it("are asked for in turn, those that are not well each time", () => {
    const circuits = some(100);
    circuits.get("a", "sick", usual).hear(say(open));
    for (let i = 0; i < 9; i++) circuits.get("a", `well ${i}`, usual);
    const times = Array.from({ length: 3 }, () => circuits.some(4).map(({ key }) => key));
    for (const keys of times) expect(keys).toContain("sick");
    expect(new Set(times.flat()).size, "all of them within three times").toBe(10);
  });
});
