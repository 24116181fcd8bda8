import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { SimulatorConfigError } from "../checks.ts";
import type { FaultRule } from "../faults/rules.ts";
import type { SimulatorOptions } from "../options.ts";
import { scenarioNames } from "../scenario/catalogue.ts";
import { checkScenario, type Scenario } from "../scenario/scenario.ts";

/** What the command line asks for. */
export type Command = { kind: "help" } | { kind: "start"; options: SimulatorOptions };

const flags = {
  port: { type: "string" },
  scenario: { type: "string" },
  seed: { type: "string" },
  "time-scale": { type: "string" },
  fault: { type: "string", multiple: true },
  slots: { type: "string" },
  queue: { type: "string" },
  concurrency: { type: "string" },
  "any-key": { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** Reads the arguments. Throws `SimulatorConfigError` with what was given and what to write. */
export function readArguments(argv: readonly string[]): Command {
  const { values } = parse(argv);
  if (values.help === true) return { kind: "help" };

  const number = (
    flag: "port" | "seed" | "time-scale" | "slots" | "queue" | "concurrency",
  ): number | undefined => {
    const text = values[flag];
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value)) {
      throw new SimulatorConfigError(`--${flag}: got "${text}"; write a number, for example --${flag} 7`);
    }
    return value;
  };
  const slots = number("slots");
  const queue = number("queue");
  const seed = number("seed");
  const timeScale = number("time-scale");
  const concurrency = number("concurrency");

  return {
    kind: "start",
    options: {
      port: number("port") ?? 4141,
      ...(seed === undefined ? {} : { seed }),
      ...(timeScale === undefined ? {} : { timeScale }),
      ...(values["any-key"] === true ? { requireKey: false } : {}),
      ...(concurrency === undefined ? {} : { accounts: [{ concurrency }] }),
      ...(values.scenario === undefined ? {} : { scenario: readScenario(values.scenario) }),
      capacity: {
        ...(slots === undefined ? {} : { slots }),
        ...(queue === undefined ? {} : { queue }),
      },
      faults: (values.fault ?? []).map((action): FaultRule => ({ action })),
    },
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: flags, allowPositionals: false });
  } catch (error) {
    throw new SimulatorConfigError(
      `${(error as Error).message.replace(/\.?$/, ".")} Run with --help to see all options.`,
      {
        cause: error,
      },
    );
  }
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
