import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { SimulatorConfigError } from "../checks.ts";
import type { FaultRule } from "../faults/rules.ts";
import { nearest } from "../nearest.ts";
import type { SimulatorOptions } from "../options.ts";
import type { ReplicaOptions } from "../replica.ts";
import { scenarioNames } from "../scenario/catalogue.ts";
import { checkScenario, type Scenario } from "../scenario/scenario.ts";
import { checkPersonality } from "../wire/dialects.ts";

/** What the command line asks for. */
export type Command = { kind: "help" } | { kind: "list" } | { kind: "start"; options: SimulatorOptions };

const flags = {
  port: { type: "string" },
  scenario: { type: "string" },
  seed: { type: "string" },
  "time-scale": { type: "string" },
  fault: { type: "string", multiple: true },
  slots: { type: "string" },
  queue: { type: "string" },
  concurrency: { type: "string" },
  balance: { type: "string" },
  replicas: { type: "string" },
  personality: { type: "string" },
  unicode: { type: "boolean" },
  "any-key": { type: "boolean" },
  list: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** Reads the arguments. Throws `SimulatorConfigError` with what was given and what to write. */
export function readArguments(argv: readonly string[]): Command {
  const { values } = parse(argv);
  if (values.help === true) return { kind: "help" };
  if (values.list === true) return { kind: "list" };

  type NumberFlag = "port" | "seed" | "time-scale" | "slots" | "queue" | "concurrency" | "balance";
  /** `{ name: value }`, or nothing when the flag is not there. */
  function number<Name extends string>(flag: NumberFlag, name: Name): { [key in Name]?: number } {
    const text = values[flag];
    if (text === undefined) return {};
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value)) {
      throw new SimulatorConfigError(`--${flag}: got "${text}"; write a number, for example --${flag} 7`);
    }
    return { [name]: value } as { [key in Name]?: number };
  }
  const account = { ...number("concurrency", "concurrency"), ...number("balance", "balanceUsd") };

  return {
    kind: "start",
    options: {
      port: 4141,
      ...number("port", "port"),
      ...number("seed", "seed"),
      ...number("time-scale", "timeScale"),
      ...(values["any-key"] === true ? { requireKey: false } : {}),
      ...(Object.keys(account).length === 0 ? {} : { accounts: [account] }),
      ...(values.replicas === undefined ? {} : { replicas: readReplicas(values.replicas) }),
      ...(values.scenario === undefined ? {} : { scenario: readScenario(values.scenario) }),
      ...(values.personality === undefined
        ? {}
        : { personality: checkPersonality(values.personality, "--personality") }),
      ...(values.unicode === true ? { text: { unicode: true } } : {}),
      capacity: { ...number("slots", "slots"), ...number("queue", "queue") },
      faults: (values.fault ?? []).map((action): FaultRule => ({ action })),
    },
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: flags, allowPositionals: false });
  } catch (error) {
    throw new SimulatorConfigError(`${mistakeIn((error as Error).message)} --help tells all options.`, {
      cause: error,
    });
  }
}

/** Says in a sentence what was wrong on the command line, and what was probably meant. */
function mistakeIn(message: string): string {
  const option = /^Unknown option '(-[^']*)'/.exec(message)?.[1];
  if (option !== undefined) {
    const meant = nearest(option.replace(/^-+/, ""), Object.keys(flags));
    return `${option} is no option; did you mean --${meant}?`;
  }
  const argument = /^Unexpected argument '([^']*)'/.exec(message)?.[1];
  if (argument === undefined) return message.replace(/\.?$/, ".");
  const known = scenarioNames.find((name) => name === argument);
  return `"${argument}" stands alone; did you mean --${known === undefined ? "port" : "scenario"} ${argument}?`;
}

/** A number of replicas, or their names, each perhaps with a port of its own: `a,b:4142`. */
function readReplicas(value: string): ReplicaOptions[] {
  if (/^\d+$/.test(value)) {
    const count = Number(value);
    if (count < 1 || count > 26)
      throw new SimulatorConfigError(`--replicas: got ${value}; write a number from 1 to 26, or names`);
    return Array.from({ length: count }, (_, index) => ({ name: String.fromCodePoint(97 + index) }));
  }
  return value.split(",").map((entry) => {
    const [, name, port] = /^([\w-]+)(?::(\d+))?$/.exec(entry.trim()) ?? [];
    if (name === undefined)
      throw new SimulatorConfigError(
        `--replicas: got "${entry}"; write a number, or names with commas between, for example --replicas a,b:4142`,
      );
    return { name, ...(port === undefined ? {} : { port: Number(port) }) };
  });
}

/** A name, or a path to a JSON file. */
function readScenario(value: string): Scenario | string {
  if (!/[./\\]/.test(value)) return value;
  let text: string;
  try {
    text = readFileSync(value, "utf8");
  } catch (error) {
    const names = scenarioNames.join(", ");
    throw new SimulatorConfigError(
      `--scenario: cannot read ${value} (${(error as Error).message}); write a path to a JSON file, or one of ${names}`,
      { cause: error },
    );
  }
  try {
    return checkScenario(JSON.parse(text), value);
  } catch (error) {
    if (error instanceof SimulatorConfigError) throw error;
    throw new SimulatorConfigError(`--scenario: ${value} is not JSON (${(error as Error).message})`, {
      cause: error,
    });
  }
}
