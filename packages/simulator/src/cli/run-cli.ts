import { SimulatorConfigError } from "../checks.ts";
import type { SimulatorOptions } from "../options.ts";
import { loadScenario } from "../scenario/catalogue.ts";
import { startSimulator, type Simulator } from "../simulator.ts";
import { readArguments } from "./arguments.ts";
import { helpText, listText, meantFor } from "./help.ts";

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
  let options: SimulatorOptions;
  try {
    const command = readArguments(argv);
    if (command.kind !== "start") {
      host.out(command.kind === "help" ? helpText() : listText());
      host.exit(0);
      return undefined;
    }
    ({ options } = command);
    simulator = await startSimulator(options);
  } catch (error) {
    if (!(error instanceof SimulatorConfigError)) throw error;
    host.error(`breakwater-simulator: ${error.message}\n`);
    host.exit(2);
    return undefined;
  }
  host.onStop(() => void simulator.close().then(() => host.exit(0)));
  host.out(greeting(simulator, options));
  return simulator;
}

function greeting(simulator: Simulator, { scenario }: SimulatorOptions): string {
  const { url, key, replicaUrl, state } = simulator;
  const { seed, timeScale, personality, replicas } = state();
  const played = typeof scenario === "string" ? loadScenario(scenario) : scenario;
  const lines = [
    ["url", `${url} (the base URL of your client)`],
    ["page", `${url}/__sim (slots, queue, faults and attempts as they happen)`],
    ...(replicas.length < 2 ? [] : replicas.map(({ name }) => ["replica", replicaUrl(name)])),
    ["key", key],
    ["plays", `${personality}, seed ${seed}, time scale ${timeScale}`],
    ...(played === undefined
      ? []
      : [
          ["scenario", `${played.name}: ${played.summary ?? played.note ?? ""}`],
          ["meant for", meantFor(played)],
        ]),
  ];
  return `DeepSeek simulator

${lines.map(([name, text]) => `  ${(name ?? "").padEnd(11)}${text}`).join("\n")}

  curl -N ${url}/chat/completions -H 'authorization: Bearer ${key}' -H 'content-type: application/json' \\
    -d '{"model":"deepseek-flash","stream":true,"messages":[{"role":"user","content":"Hello"}]}'

End with Ctrl-C.
`;
}
