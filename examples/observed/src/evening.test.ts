import { until } from "@breakwater-internal/visitor";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { type Evening, startEvening } from "./evening.ts";

const operators = { ada: "lovelace" };
const authorization = `Basic ${btoa("ada:lovelace")}`;

let evening: Evening;
const story: string[] = [];
const log: string[] = [];

beforeAll(async () => {
  evening = await startEvening({
    // Five minutes in 36 seconds.
    scale: 0.12,
    operators,
    log: pino({}, { write: (line: string) => void log.push(line) }),
    say: (line) => void story.push(line),
  });
}, 180_000);
afterAll(() => evening.stop());

test(
  "an alert fires while the account's limit is cut, and is resolved when it is back",
  {
    timeout: 120_000,
  },
  async ({ skip }) => {
    const { over, prometheus } = evening;
    if (prometheus === undefined) {
      console.warn(story[0]);
      skip(story[0]);
      return;
    }
    await prometheus.untilAlert("BreakwaterFull", "firing", 60_000);
    await prometheus.untilAlert("BreakwaterFull", "inactive", 60_000);
    await over;
    const told = story.filter((line) => /BreakwaterFull|limit shrinks/.test(line));
    expect(told[0]).toMatch(/DeepSeek: the account's limit shrinks$/);
    expect(told[1]).toMatch(
      /FIRING {3}BreakwaterFull \(ticket\): deepseek: .*permits of deepseek are in use$/,
    );
    expect(told.at(-1)).toMatch(/resolved BreakwaterFull$/);
    expect(story.join("\n")).toContain("docs/runbook.md#full");
  },
);

describe("meanwhile", () => {
  beforeAll(() => until(() => log.some((line) => line.includes('"answered"'))));

  test("Prometheus is told of what happens", async () => {
    const exposition = await (await fetch(`${evening.url}/metrics`)).text();
    expect(exposition).toMatch(/^breakwater_calls_total\{client="deepseek",outcome="answered".*\} \d+$/m);
    expect(exposition).toMatch(/^breakwater_permit_limit\{client="deepseek",policy="deepseek"\} \d+$/m);
  });

  test("an operator sees it, and nobody else does", async () => {
    const page = `${evening.url}/breakwater/state`;
    expect((await fetch(page)).status).toBe(401);
    const state = (await (await fetch(page, { headers: { authorization } })).json()) as {
      by: string;
      instances: { clients: { name: string }[] }[];
    };
    expect(state.by).toBe("ada");
    expect(state.instances[0]?.clients.map(({ name }) => name)).toContain("deepseek");
  });

  test("the log has a line for each call, and never a key or a question", async () => {
    const { simulator, url } = evening;
    const response = await fetch(`${url}/chat`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ question: "Where does nobody look for a canary?", stream: false }),
    });
    await response.text();
    expect(log.length).toBeGreaterThan(0);
    const lines = log.map((line) => JSON.parse(line) as { breakwater?: { type?: string } });
    expect(lines.map(({ breakwater }) => breakwater?.type)).toContain("call-end");
    expect(log.filter((line) => line.includes("canary") || line.includes(simulator.key))).toEqual([]);
  });
});
