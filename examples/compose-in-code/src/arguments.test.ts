import { expect, test } from "vitest";

import { HELP, readArguments } from "./arguments.ts";
import { UsageError } from "./usage-error.ts";

test("nothing given is enough", () => {
  expect(readArguments([], "/home/ada")).toEqual({
    texts: undefined,
    out: `${process.cwd()}/labels.jsonl`,
    limits: { concurrency: 16, requestsPerSecond: 40, tokensPerMinute: 600_000 },
    model: undefined,
    help: false,
  });
});

test("files are looked for from where the script was started", () => {
  const args = [
    "--texts",
    "mails.txt",
    "--out=/tmp/out.jsonl",
    "--concurrency",
    "4",
    "--model",
    "deepseek-v4-pro",
  ];
  expect(readArguments(args, "/home/ada")).toMatchObject({
    texts: "/home/ada/mails.txt",
    out: "/tmp/out.jsonl",
    limits: { concurrency: 4 },
    model: "deepseek-v4-pro",
  });
});

test.each([
  [["--concurrency", "many"], '--concurrency: got "many"; write a whole number from 1 to 1000.'],
  [["--concurrency", "0"], '--concurrency: got "0"; write a whole number from 1 to 1000.'],
  [["--requests", "1.5"], '--requests: got "1.5"; write a whole number from 1 to 10000.'],
  [["--tokens="], '--tokens: got ""; write a whole number from 1 to 1000000000.'],
  [["--text", "a.txt"], "Unknown option '--text'; --help tells what there is."],
  [["--out"], "Option '--out <value>' argument missing; --help tells what there is."],
  [["--help=yes"], "Option '-h, --help' does not take an argument; --help tells what there is."],
  [["mails.txt"], '"mails.txt" is no option; for a file of texts write --texts mails.txt.'],
])("%j is told in one sentence", (args, message) => {
  expect(() => readArguments(args, ".")).toThrow(new UsageError(message));
});

test("the help tells every option, and what it is by default", () => {
  const { limits } = readArguments([], ".");
  expect([...HELP.matchAll(/--(\w+)/g)].map(([, name]) => name)).toEqual([
    "texts",
    "out",
    "concurrency",
    "requests",
    "tokens",
    "model",
  ]);
  for (const number of Object.values(limits)) expect(HELP).toContain(`(${number})`);
});
