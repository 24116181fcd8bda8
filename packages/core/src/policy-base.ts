import type { Policy } from "./handler.ts";

/** What every policy has. */
export interface PolicyBase {
  readonly name: string;
  describe?(): Readonly<Record<string, unknown>>;
  snapshot?(): unknown;
}

/** @internal What `guard` and `around` make of it alike. */
export function base(kind: string, spec: PolicyBase): Omit<Policy, "apply"> {
  return {
    kind,
    name: spec.name,
    ...(spec.describe && { describe: () => spec.describe?.() ?? {} }),
    ...(spec.snapshot && { snapshot: () => spec.snapshot?.() }),
  };
}
