import { BYTES_FLAGS, bytesPerCall } from "./bytes.ts";
import { check } from "./calls.ts";
import { type Case, CASES, type Side } from "./cases.ts";
import { setUp } from "./sides.ts";
import { ticksOf } from "./ticks.ts";
import { nanosecondsPerCall } from "./time.ts";

/** Time is measured as Node is started everywhere, bytes with flags of their own; so they need a process each. */
export type Job = { readonly measure: "time"; readonly ms: number } | { readonly measure: "counts" };

export interface Counts {
  readonly bytes: number;
  readonly ticks: number;
}

export const flagsOf = ({ measure }: Job): readonly string[] => (measure === "counts" ? BYTES_FLAGS : []);

export const argumentsOf = (job: Job, { name }: Case, side: Side): readonly string[] => [
  JSON.stringify({ job, name, side: side.label }),
];

/** Measures one side of one case in this process, which was started for nothing else. */
export async function work(argument: string): Promise<number | Counts> {
  const { job, name, side } = JSON.parse(argument) as { job: Job; name: string; side: string };
  const chosen = CASES.find((one) => one.name === name);
  const sideChosen = chosen?.sides.find(({ label }) => label === side);
  if (chosen === undefined || sideChosen === undefined) throw new Error(`No such case: ${argument}`);

  const subject = await setUp(chosen, sideChosen);
  await check(subject);
  if (job.measure === "time") return nanosecondsPerCall(subject, job.ms);
  return { ticks: await ticksOf(subject.call), bytes: await bytesPerCall(subject) };
}
