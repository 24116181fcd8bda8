/**
 * What processes write down, a line each, at once: one that is killed loses none of it. Times are µs of CLOCK_MONOTONIC,
 * which all processes of a machine have in common.
 */
export type Event =
  /** A call of a load was let through and has begun; `note` says where that was decided, or how a circuit stood. */
  | {
      readonly type: "begin";
      readonly load: string;
      readonly id: number;
      readonly askedAt: number;
      readonly at: number;
      readonly note: string;
    }
  | { readonly type: "end"; readonly load: string; readonly id: number; readonly at: number }
  /** A call was not let through: the code of its refusal, or what else became of it. */
  | {
      readonly type: "turned-away";
      readonly load: string;
      readonly askedAt: number;
      readonly at: number;
      readonly code: string;
    }
  /** Up to `at` the machine gave the process no processor for so long. */
  | { readonly type: "stall"; readonly load: string; readonly at: number; readonly us: number }
  /** A policy went without Redis, or with it again. */
  | { readonly type: "degrade" | "recover"; readonly load: string; readonly at: number };

export const now = (): number => Number(process.hrtime.bigint() / 1_000n);

export const written = (event: Event): string => `${JSON.stringify(event)}\n`;

/** The last line of a process that was killed may be half of one. */
export function readEvents(text: string): Event[] {
  const lines = text.split("\n");
  lines.pop();
  return lines.map((line) => JSON.parse(line) as Event);
}
