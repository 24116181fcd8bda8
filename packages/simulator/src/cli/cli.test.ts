import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, test } from "vitest";

import { faultNames } from "../faults/catalogue.ts";
import { scenarioNames, scenarios } from "../scenario/catalogue.ts";
import type { Simulator } from "../simulator.ts";
import { runCli } from "./run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "breakwater-simulator-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Run {
  simulator: Simulator | undefined;
  out: string;
  error: string;
  code: number | undefined;
  stop: (() => void) | undefined;
  exited: Promise<number>;
}

async function run(...argv: string[]): Promise<Run> {
  let exit: (code: number) => void = () => {};
  const result: Run = {
    simulator: undefined,
    out: "",
    error: "",
    code: undefined,
    stop: undefined,
    exited: new Promise((resolve) => (exit = resolve)),
  };
  result.simulator = await runCli(argv, {
    out: (text) => (result.out += text),
    error: (text) => (result.error += text),
    exit(code) {
      result.code = code;
      exit(code);
    },
    onStop: (stop) => (result.stop = stop),
  });
  return result;
}

test("starts, greets with all that is needed for a first request, and stops gracefully", async () => {
  const started = await run(
    "--port",
    "0",
    "--scenario",
    "busy-evening",
    "--seed",
    "7",
    "--time-scale",
    "0.1",
    "--fault",
    "503;p=0.3",
    "--fault",
    "isr",
  );
  const { simulator, out, stop, exited } = started;
  expect(simulator?.state()).toMatchObject({
    seed: 7,
    timeScale: 0.1,
    scenario: "busy-evening",
    faults: [{ action: "503;p=0.3" }, { action: "isr" }],
  });
  expect(out).toContain(`url        ${simulator?.url}`);
  expect(out).toContain(`page       ${simulator?.url}/__sim`);
  expect(out).toContain("scenario   busy-evening: Five minutes of queue");
  expect(out).toContain("meant for  5 min · 8 calls a second, 70 % of them streams");
  expect(out).toContain(`curl -N ${simulator?.url}/chat/completions -H 'authorization: Bearer sk-sim-1'`);
  stop?.();
  expect(await exited).toBe(0);
  await expect(fetch(simulator?.url ?? "")).rejects.toThrow("fetch failed");
});

test("a scenario may be a file; limits and keys may be given", async () => {
  const file = join(folder, "mine.json");
  writeFileSync(file, JSON.stringify({ name: "mine", phases: [] }));
  const { simulator, stop, exited } = await run(
    "--port=0",
    "--scenario",
    file,
    "--slots",
    "3",
    "--queue",
    "4",
    "--concurrency",
    "5",
    "--balance=2.5",
    "--personality=openrouter",
    "--unicode",
    "--any-key",
  );
  expect(simulator?.state()).toMatchObject({
    scenario: "mine",
    capacity: { slots: 3, queue: 4 },
    personality: "openrouter",
    accounts: [{ balanceUsd: 2.5 }],
  });
  expect(simulator?.expectedText({ model: "deepseek-flash", messages: [] }).content).toMatch(
    /[\u4e00-\u9fff]/,
  );
  const answer = await fetch(`${simulator?.url}/user/balance`);
  expect(answer.status).toBe(200);
  stop?.();
  await exited;
});

test("several machines, each with its address", async () => {
  const { simulator, out, stop, exited } = await run("--port=0", "--replicas=2");
  expect(simulator?.state().replicas.map(({ name }) => name)).toEqual(["a", "b"]);
  expect(out).toContain(`replica    ${simulator?.url}/r/b`);
  stop?.();
  await exited;
  const named = await run("--port=0", "--replicas", "left, right:0");
  expect(named.simulator?.state().replicas.map(({ name }) => name)).toEqual(["left", "right"]);
  expect(named.simulator?.portOf("right")).not.toBe(named.simulator?.port);
  named.stop?.();
  await named.exited;
});

test("--help names every option and every fault", async () => {
  const { out, code } = await run("--help");
  expect(code).toBe(0);
  for (const name of [
    "--list",
    "--personality",
    "--unicode",
    "--balance",
    "--port",
    "--scenario",
    "--seed",
    "--time-scale",
    "--fault",
    ...faultNames,
  ])
    expect(out).toContain(name);
});

test("--list names every scenario, with what it does and what it is meant for", async () => {
  const { out, code, simulator } = await run("--list");
  expect([code, simulator]).toEqual([0, undefined]);
  expect(out.split("\n").filter((line) => /^\S/.test(line))).toEqual(scenarioNames);
  expect(out).toContain(`503-burst\n  ${scenarios["503-burst"].summary}\n  1 min · 20 calls a second`);
});

describe("what is wrong is said, with what to write", () => {
  const noJson = join(folder, "broken.json");
  writeFileSync(noJson, "{");
  const noScenario = join(folder, "wrong.json");
  writeFileSync(noScenario, "{}");

  test.each([
    [["--prot", "4141"], /--prot is no option; did you mean --port\? --help tells all/],
    [["-x"], /: -x is no option; did you mean --/],
    [["4141"], /"4141" stands alone; did you mean --port 4141\?/],
    [["calm"], /"calm" stands alone; did you mean --scenario calm\?/],
    [["--seed"], /'--seed <value>' argument missing\. --help tells/],
    [["--seed", "lucky"], /--seed: got "lucky"; write a number, for example --seed 7/],
    [["--port", "99999"], /port: got 99999; allowed is a whole number of 0 or more and at most 65535/],
    [["--time-scale", "0"], /timeScale: got 0/],
    [["--fault", "504"], /faults\[0\]\.action: got "504"; allowed is one of .*Write for example "504_html"/],
    [["--scenario", "bsy-evening"], /scenario: got "bsy-evening"; .*Write for example "busy-evening"/],
    [["--personality", "opnai"], /--personality: got "opnai"; .*Write for example "openai"/],
    [["--replicas", "99"], /--replicas: got 99; write a number from 1 to 26/],
    [["--replicas", "a,b c"], /--replicas: got "b c"; .* for example --replicas a,b:4142/],
    [["--replicas", "2", "--scenario", "flap"], /flap needs the replicas a, b, c, and there are a, b\./],
    [["--scenario", "./nope.json"], /cannot read \.\/nope\.json/],
    [["--scenario", noJson], /broken\.json is not JSON/],
    [["--scenario", noScenario], /wrong\.json\.name: got undefined/],
  ])("%j", async (argv, message) => {
    const { code, error, simulator } = await run(...argv);
    expect(code).toBe(2);
    expect(error).toMatch(message);
    expect(simulator).toBeUndefined();
  });
});
