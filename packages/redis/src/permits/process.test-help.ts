import type { PermitAsk, PermitStore } from "@breakwater/core";

import {
  connected as linked,
  newScope,
  type PartInProcess,
  type PartInProcessOptions,
  startPart,
} from "../decide/process.test-help.ts";
import { createPermitPart, type PermitPart, type PermitPartOptions } from "./part.ts";

export { newScope };

/** A store of permits alone, as a process has it. */
export interface Process
  extends Required<PermitStore>, Omit<PartInProcess<PermitPart>, "decide" | "decideAll"> {}

export interface ProcessOptions extends PermitPartOptions, PartInProcessOptions {}

/** Never, in a test. */
export const HOUR = 3_600_000;

/** @param where a url, or those of the nodes of a cluster */
export function startProcess(where: string | readonly string[], options: ProcessOptions = {}): Process {
  const { decide, decideAll, ...rest } = startPart(where, options, (context) =>
    createPermitPart(context, options),
  );
  const { release, active, watch } = rest.part;
  return {
    ...rest,
    shared: true,
    decide: decide as PermitStore["decide"],
    decideAll: decideAll as Required<PermitStore>["decideAll"],
    release,
    active,
    watch,
  };
}

export async function connected(process: Process): Promise<Process> {
  await linked(process);
  return process;
}

export { until } from "@breakwater-internal/redis-server/vitest";

export const permitAsk = (given: Partial<PermitAsk> = {}): PermitAsk => ({
  kind: "permit",
  name: "account",
  key: "",
  limit: 1,
  ...given,
});
