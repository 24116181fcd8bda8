import type { MeasuredCase } from "./measure.ts";
import type { Spread } from "./statistics.ts";

/** What the library set out for, as times of a peer's duration; stated beside what came of it, reached or not. */
interface Aim {
  readonly what: string;
  readonly name: string;
  readonly label: string;
  readonly atLeast: number;
}

const AIMS: readonly Aim[] = [
  {
    what: "the stack with a timeout, 6 times as fast as cockatiel's",
    name: "stack-timeout",
    label: "cockatiel",
    atLeast: 6,
  },
  {
    what: "the same over an upstream that reads the signal",
    name: "stack-timeout-signal",
    label: "cockatiel",
    atLeast: 6,
  },
  {
    what: "the stack without a timeout, 1.5 times",
    name: "stack",
    label: "cockatiel",
    atLeast: 1.5,
  },
  {
    what: "a full bulkhead's refusal as an outcome, 20 times",
    name: "refused-full",
    label: "cockatiel",
    atLeast: 20,
  },
  {
    what: "an open circuit's refusal as an outcome, 20 times",
    name: "refused-open",
    label: "cockatiel",
    atLeast: 20,
  },
];

export interface Judged {
  readonly what: string;
  readonly measured: Spread;
  readonly reached: boolean;
}

/** Only the aims whose cases were measured. */
export function judge(cases: readonly MeasuredCase[]): readonly Judged[] {
  return AIMS.flatMap(({ what, name, label, atLeast }) => {
    const side = cases.find((one) => one.name === name)?.sides.find((one) => one.label === label);
    return side === undefined ? [] : [{ what, measured: side.times, reached: side.times.median >= atLeast }];
  });
}
