import { fields, numberOf, textOf } from "./unknown.ts";

export interface Circuit {
  readonly key: string;
  readonly status: string;
  /** Until it is tried again. */
  readonly openForMs: number;
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
  /** Instances on which it is so, where several were put together. */
  readonly on?: number;
}

/** The worst first. */
const ORDER = ["forced-open", "open", "half-open", "forced-closed", "closed"];

export const rank = (status: string): number => {
  const at = ORDER.indexOf(status);
  return at === -1 ? ORDER.length : at;
};

export const isOpen = ({ status }: Circuit): boolean => status === "open" || status === "forced-open";

/** The circuits that a breaker holds, the worst first. */
export function circuitsOf(state: unknown): readonly Circuit[] {
  const found: Circuit[] = [];
  for (const [key, value] of Object.entries(fields(state))) {
    const { status, openForMs, calls, failures, slow, on } = fields(value);
    const known = textOf(status);
    if (known === undefined) continue;
    const instances = numberOf(on);
    found.push({
      key,
      status: known,
      openForMs: numberOf(openForMs) ?? 0,
      calls: numberOf(calls) ?? 0,
      failures: numberOf(failures) ?? 0,
      slow: numberOf(slow) ?? 0,
      ...(instances !== undefined && { on: instances }),
    });
  }
  return found.toSorted((one, other) => rank(one.status) - rank(other.status));
}
