import { faultTable } from "../faults/catalogue.ts";
import { scenarioNames } from "../scenario/catalogue.ts";

/** The text of `--help`. */
export function helpText(): string {
  const faults = Object.entries(faultTable).map(([name, { summary }]) => `  ${name.padEnd(22)}${summary}`);
  return `A local DeepSeek that can be made busy, slow and broken. It listens on 127.0.0.1 only.

Usage: breakwater-simulator [options]

  --port <number>         port; 0 takes a free one (default 4141)
  --scenario <name|file>  ${scenarioNames.join(", ")}, or a JSON file
  --seed <number>         what looks like chance follows from it (default 1)
  --time-scale <number>   multiplies every duration; 0.1 is ten times as fast (default 1)
  --fault <fault>         a fault for all completions; may be given several times, the first that applies wins.
                          name;param=value;p=probability, for example '503;p=0.3' or 'stall_after;tokens=5..40;p=0.02'
  --slots <number>        answers computed at once (default 64)
  --queue <number>        requests that may wait for a slot (default 256)
  --concurrency <number>  requests in flight per model before the account gets 429 (default 2500)
  --any-key               let every key in, and none
  -h, --help              this text

Request headers: x-sim-fault (a fault for this request), x-sim-tokens (reasoning=120,content=80),
x-sim-id (names the caller's stream of chance).

Faults:
${faults.join("\n")}
`;
}
