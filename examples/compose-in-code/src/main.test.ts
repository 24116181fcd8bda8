import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { programOf } from "@breakwater-internal/redis-server/fork";
import { until } from "@breakwater-internal/redis-server/vitest";
import { type Simulator, type SimulatorOptions, startSimulator } from "@breakwater/simulator";
import { afterAll, beforeEach, expect, onTestFinished, test } from "vitest";

import { HELP } from "./arguments.ts";
import type { Result } from "./results.ts";
import { simulatedAnswer } from "./simulated.ts";
import { isComplete } from "./virtual.test-help.ts";

const program = await programOf(new URL("./main.ts", import.meta.url));
afterAll(() => program.remove());

let folder: string;
let out: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "compose-in-code-"));
  out = join(folder, "labels.jsonl");
  onTestFinished(() => rmSync(folder, { recursive: true }));
});

/** A DeepSeek that is ten times as fast as the real one, and asked through sockets. */
async function deepseek(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({
    timeScale: 0.1,
    text: { content: simulatedAnswer },
    ...options,
  });
  onTestFinished(() => simulator.close());
  return simulator;
}

interface Started {
  readonly child: ChildProcess;
  /** What it said by then. */
  readonly said: () => string;
  /** Resolves when it is gone, with its exit code or the signal that ended it. */
  readonly gone: Promise<number | string>;
}

// Fast, and not so fast that a list is done before somebody who looks at it every few ms can end it.
const FAST = ["--requests", "200", "--tokens", "100000000"];

/** A file of texts, where the made-up thousand would be more than is needed. */
function fileOf(howMany: number): string {
  const path = join(folder, "texts.txt");
  writeFileSync(path, Array.from({ length: howMany }, (_, n) => `Where is parcel ${n}?\n`).join(""));
  return path;
}

function start(simulator: Simulator | undefined, ...args: readonly string[]): Started {
  const child = spawn(process.execPath, [program.file, "--out", out, ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: simulator === undefined ? {} : { DEEPSEEK_API_KEY: simulator.key, DEEPSEEK_BASE_URL: simulator.url },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (piece: string) => (said += piece));
  const gone = once(child, "close").then(([code, signal]) => (code ?? signal) as number | string);
  return { child, said: () => said, gone };
}

function lines(): Result[] {
  return readFileSync(out, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Result);
}

const exists = (count: number) => (): boolean => {
  try {
    return lines().length >= count;
  } catch {
    return false;
  }
};

test("a thousand texts survive two kills: none is lost or there twice, and hardly one is paid for twice", async () => {
  const simulator = await deepseek({
    faults: [
      { match: { window: { fromMs: 2_000, toMs: 6_000 }, probability: 0.6 }, action: "503" },
      { match: { nth: { every: 100 } }, action: "429_plain" },
    ],
  });
  for (const enough of [200, 500]) {
    const run = start(simulator, ...FAST);
    await until(exists(enough), 50_000);
    run.child.kill("SIGKILL");
    expect(await run.gone).toBe("SIGKILL");
    // What a kill may leave when it comes in the middle of a write.
    appendFileSync(out, '{"n":99999,"label":"del');
  }
  const last = start(simulator, ...FAST);
  expect(await last.gone).toBe(0);
  expect(last.said()).toMatch(/\d+ texts classified in this run, \d+ before/);
  expect(isComplete(lines(), 1_000)).toBe(true);
  const answered = simulator.attempts().filter(({ status }) => status === 200);
  const corrections = 20;
  expect(answered.length).toBeLessThanOrEqual(1_000 + 2 * 16 + corrections);
  expect(simulator.maxInFlight("account-1")).toBeLessThanOrEqual(2 * 16);
});

test("after Ctrl-C those in flight are finished, it says how to go on, and the next run goes on", async () => {
  const simulator = await deepseek();
  const args = ["--texts", fileOf(300), ...FAST];
  const first = start(simulator, ...args);
  await until(exists(50));
  first.child.kill("SIGINT");
  expect(await first.gone).toBe(130);
  expect(first.said()).toContain("No further texts: waiting for those that are being asked.");
  const done = lines().length;
  expect(done).toBeLessThan(300);
  expect(first.said()).toContain(
    `${300 - done} of 300 texts are left. To go on, start it again with the same --out.`,
  );
  // Nobody was hung up on, and all that was paid for is written.
  expect(simulator.state().totals).toMatchObject({ attempts: done, outcomes: { completed: done } });

  const second = start(simulator, ...args);
  expect(await second.gone).toBe(0);
  expect(second.said()).toContain(`${300 - done} texts classified in this run, ${done} before`);
  expect(isComplete(lines(), 300)).toBe(true);
});

test("a second Ctrl-C ends it at once", async () => {
  const simulator = await deepseek({ capacity: { slots: 0 } }); // nobody is ever answered
  const run = start(simulator);
  await until(() => simulator.state().open > 0);
  run.child.kill("SIGINT");
  await until(() => run.said().includes("Once more ends it at once."));
  expect(run.child.exitCode).toBeNull();
  run.child.kill("SIGINT");
  expect(await run.gone).toBe(130);
  expect(lines()).toEqual([]);
});

test("SIGTERM does the same as Ctrl-C, and has its own exit code", async () => {
  const simulator = await deepseek();
  const run = start(simulator, ...FAST);
  await until(exists(10));
  run.child.kill("SIGTERM");
  expect(await run.gone).toBe(143);
  expect(run.said()).toContain("To go on, start it again with the same --out.");
});

test("an empty account ends it with what to do", async () => {
  const simulator = await deepseek();
  const run = start(simulator, ...FAST);
  await until(exists(50));
  simulator.changeAccount("account-1", { balanceUsd: 0 });
  expect(await run.gone).toBe(1);
  expect(run.said()).toContain("The account has no credit left. Top it up.");
  expect(simulator.state().totals.outcomes.rejected).toBeLessThanOrEqual(32);
});

test("texts of your own, without a key, from where it was started", async () => {
  const mine = ["Where is my parcel?", "", "I was charged twice.", "I cannot sign in."];
  writeFileSync(join(folder, "mine.txt"), mine.join("\n"));
  const run = start(undefined, "--texts", "mine.txt");
  expect(await run.gone).toBe(0);
  expect(run.said()).toContain("DEEPSEEK_API_KEY is not set: a simulated DeepSeek answers");
  expect(lines().toSorted((a, b) => a.n - b.n)).toEqual([
    { n: 1, label: "delivery", text: mine[0] },
    { n: 3, label: "payment", text: mine[2] },
    { n: 4, label: "account", text: mine[3] },
  ]);
});

test("help is help", async () => {
  const run = start(undefined, "--help");
  expect(await run.gone).toBe(0);
  expect(run.said()).toBe(`${HELP}\n`);
});

test.each([
  [["--concurrency", "0"], /^--concurrency: got "0"; write a whole number from 1 to 1000\.\n$/],
  [["--nonsense"], /^Unknown option '--nonsense'; --help tells what there is\.\n$/],
  [["--texts", "nowhere.txt"], /^--texts .*nowhere\.txt: there is no such file\.\n$/],
  [["--texts", "."], /^--texts .*: that is a folder; name a file, one text a line\.\n$/],
  [["--texts", "empty.txt"], /^--texts .*empty\.txt: there is no text in it\.\n$/],
  [
    ["--out", "letter.txt"],
    /^--out .*letter\.txt: line 1 is not a result of this script; name another file\.\n$/,
  ],
  [
    ["--out", "others.jsonl"],
    /^--out .*others\.jsonl: it holds another text as number 1; name another file\.\n/,
  ],
])("%j is one sentence and exit code 2", async (args, sentence) => {
  writeFileSync(join(folder, "empty.txt"), "\n\n");
  writeFileSync(join(folder, "letter.txt"), "Dear Ada,\n");
  writeFileSync(join(folder, "others.jsonl"), '{"n":1,"label":"refund","text":"something else"}\n');
  const run = start(undefined, ...args);
  expect(await run.gone).toBe(2);
  expect(run.said()).toMatch(sentence); // and nothing of a simulated DeepSeek, which is not started
});
