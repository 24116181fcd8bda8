import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, test } from "vitest";

import { faultNames } from "../faults/catalogue.ts";
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
  expect(out).toContain(`DeepSeek simulator on ${simulator?.url}`);
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
    "--any-key",
  );
  expect(simulator?.state()).toMatchObject({ scenario: "mine", capacity: { slots: 3, queue: 4 } });
  const answer = await fetch(`${simulator?.url}/user/balance`);
  expect(answer.status).toBe(200);
  stop?.();
  await exited;
});

test("--help names every option and every fault", async () => {
  const { out, code } = await run("--help");
  expect(code).toBe(0);
  for (const name of ["--port", "--scenario", "--seed", "--time-scale", "--fault", ...faultNames])
    expect(out).toContain(name);
});

describe("what is wrong is said, with what to write", () => {
  const noJson = join(folder, "broken.json");
  writeFileSync(noJson, "{");
  const noScenario = join(folder, "wrong.json");
  writeFileSync(noScenario, "{}");

  test.each([
    [["--prot", "4141"], /Unknown option '--prot'.*\. Run with --help/],
    [["4141"], /Unexpected argument '4141'.*Run with --help/],
    [["--seed", "lucky"], /--seed: got "lucky"; write a number, for example --seed 7/],
    [["--port", "99999"], /port: got 99999; allowed is a whole number of 0 or more and at most 65535/],
    [["--time-scale", "0"], /timeScale: got 0/],
    [["--fault", "nope"], /faults\[0\]\.action: got "nope"; allowed is one of/],
    [["--scenario", "nope"], /scenario: got "nope"; allowed is one of calm, busy-evening/],
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
