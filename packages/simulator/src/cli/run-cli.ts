import { SimulatorConfigError } from "../checks.ts";
import { startSimulator, type Simulator } from "../simulator.ts";
import { readArguments } from "./arguments.ts";
import { helpText } from "./help.ts";

/** The outside world of the command. */
export interface CliHost {
  out(text: string): void;
  error(text: string): void;
  exit(code: number): void;
  /** Calls `stop` when the user wants the command to end. */
  onStop(stop: () => void): void;
}

/** Runs the command. Resolves with the simulator once it listens, or with nothing when it has already exited. */
export async function runCli(argv: readonly string[], host: CliHost): Promise<Simulator | undefined> {
  let simulator: Simulator;
  try {
    const command = readArguments(argv);
    if (command.kind === "help") {
      host.out(helpText());
      host.exit(0);
      return undefined;
    }
    simulator = await startSimulator(command.options);
  } catch (error) {
    if (!(error instanceof SimulatorConfigError)) throw error;
    host.error(`breakwater-simulator: ${error.message}\n`);
    host.exit(2);
    return undefined;
  }
  host.onStop(() => void simulator.close().then(() => host.exit(0)));
  host.out(greeting(simulator));
  return simulator;
}

function greeting({ url, key, state }: Simulator): string {
  const { scenario, seed, timeScale } = state();
  return `DeepSeek simulator on ${url} (key ${key}, seed ${seed}, time scale ${timeScale}, scenario ${scenario ?? "none"})

  curl -N ${url}/chat/completions -H 'authorization: Bearer ${key}' -H 'content-type: application/json' \\
    -d '{"model":"deepseek-flash","stream":true,"messages":[{"role":"user","content":"Hello"}]}'

State: ${url}/__sim/state   Attempts: ${url}/__sim/requests   End: Ctrl-C
`;
}
