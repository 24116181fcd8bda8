import { breakwater, breakwaterSecondHost, without } from "./breakwater.ts";
import { cockatiel } from "./cockatiel.ts";
import type { Column, HostAddress } from "./column.ts";
import { sdk, sdkTuned } from "./sdk.ts";

export interface ColumnKind {
  readonly title: string;
  /** Gets the second host's address as well. */
  readonly secondHost?: true;
  create(deepseek: HostAddress, second: HostAddress | undefined): Column;
}

const kinds = {
  sdk: { title: "openai SDK", create: sdk },
  "sdk-tuned": { title: "SDK, tuned", create: sdkTuned },
  cockatiel: { title: "cockatiel", create: cockatiel },
  breakwater: { title: "Breakwater", create: breakwater },
  "breakwater-second-host": {
    title: "Breakwater, 2 hosts",
    secondHost: true,
    create: breakwaterSecondHost,
  },
  "without-retry": { title: "no retry", create: without({ retry: false }) },
  "without-breaker": { title: "no breaker", create: without({ circuitBreaker: false }) },
  "without-bulkhead": { title: "no bulkhead", create: without({ bulkhead: false }) },
  "without-timeouts": { title: "no timeouts", create: without({ timeout: false, clocks: false }) },
} as const satisfies Record<string, ColumnKind>;

export type ColumnName = keyof typeof kinds;

/** What the demo compares, in the order of the table. */
export const columns: Readonly<Record<ColumnName, ColumnKind>> = kinds;

/** What is compared unless somebody chooses. */
export const compared: readonly ColumnName[] = [
  "sdk",
  "sdk-tuned",
  "cockatiel",
  "breakwater",
  "breakwater-second-host",
];

/** `recommended()`, and what becomes of it without each of its policies. */
export const ablations: readonly ColumnName[] = [
  "breakwater",
  "without-retry",
  "without-breaker",
  "without-bulkhead",
  "without-timeouts",
];
