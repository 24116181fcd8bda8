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
} as const satisfies Record<string, ColumnKind>;

export type ColumnName = keyof typeof kinds;

/** What the demo compares, in the order of the table. */
export const columns: Readonly<Record<ColumnName, ColumnKind>> = kinds;

/** What is compared unless somebody chooses. */
export const compared: readonly ColumnName[] = ["sdk", "sdk-tuned", "cockatiel"];

/** `recommended()`, and what becomes of it without each of its policies. */
export const ablations: readonly ColumnName[] = [];
