import { faultTable } from "../faults/catalogue.ts";
import { scenarios } from "../scenario/catalogue.ts";
import type { Scenario } from "../scenario/scenario.ts";
import { personalities } from "../wire/dialects.ts";

/** The text of `--help`. */
export function helpText(): string {
  const faults = Object.entries(faultTable).map(([name, { summary }]) => `  ${name.padEnd(22)}${summary}`);
  return `A local DeepSeek that can be made busy, slow and broken. It listens on 127.0.0.1 only.

Usage: npx @breakwater/simulator [options]

  --port <number>         port; 0 takes a free one (default 4141)
  --scenario <name|file>  what goes wrong and when: a name that --list tells, or a JSON file
  --list                  the scenarios, and the load that each is meant for
  --seed <number>         what looks like chance follows from it (default 1)
  --time-scale <number>   multiplies every duration; 0.1 is ten times as fast (default 1)
  --fault <fault>         a fault for all completions; may be given several times, the first that applies wins.
                          name;param=value;p=probability, for example '503;p=0.3' or 'stall_after;tokens=5..40;p=0.02'
  --slots <number>        answers computed at once (default 64)
  --queue <number>        requests that may wait for a slot (default 256)
  --replicas <n|names>    several machines: 3, or a,b:4142 where b has a port of its own; each is at /r/<name> too
  --concurrency <number>  requests in flight per model before the account gets 429 (default 2500)
  --balance <dollars>     what the account has; at 0 it gets 402 (default 1000)
  --personality <host>    ${personalities.join(", ")}: whose bytes to send (default deepseek)
  --unicode               Chinese and emoji in the answers, characters of several bytes
  --any-key               let every key in, and none
  -h, --help              this text

The page at /__sim shows slots, queue, faults and attempts as they happen, and breaks things at the press of a button.

Request headers: x-sim-fault (a fault for this request), x-sim-tokens (reasoning=120,content=80),
x-sim-id (names the caller's stream of chance).

Faults:
${faults.join("\n")}
`;
}

/** The text of `--list`. */
export function listText(): string {
  return Object.values(scenarios)
    .map((scenario) => `${scenario.name}\n  ${scenario.summary ?? ""}\n  ${meantFor(scenario)}\n`)
    .join("\n");
}

/** How long to watch a scenario, and what to bring. */
export function meantFor({ durationMs = 0, load, seeds = [] }: Scenario): string {
  const minutes = Math.floor(durationMs / 60_000);
  const seconds = Math.round((durationMs % 60_000) / 1000);
  const parts = [`${minutes > 0 ? `${minutes} min` : ""}${seconds > 0 ? ` ${seconds} s` : ""}`.trim()];
  if (load !== undefined) {
    parts.push(`${load.perSecond} calls a second, ${Math.round(load.streamed * 100)} % of them streams`);
    if (load.prompts !== undefined) parts.push(`${load.prompts.distinct} different prompts`);
    if (load.turns !== undefined) parts.push(`conversations of ${load.turns} turns`);
    if (load.tokens !== undefined) parts.push(`x-sim-tokens: ${load.tokens}`);
    if (load.idPerCall === true) parts.push("one x-sim-id per call");
  }
  if (seeds.length > 0) parts.push(`seeds ${seeds.join(", ")}`);
  return parts.filter((part) => part !== "").join(" · ");
}
