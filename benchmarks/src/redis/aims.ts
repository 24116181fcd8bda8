import type { Spread } from "../statistics.ts";
import type { RedisMeasured } from "./measure.ts";

/** What was set out for, in times of one bare GCRA, with 64 calls under way; stated whether it was reached or not. */
interface Aim {
  readonly what: string;
  readonly side: string;
  readonly figure: "times" | "timesServer";
  readonly atMost: number;
}

const IN_FLIGHT = 64;

const AIMS: readonly Aim[] = [
  {
    what: "breaker, limit and bulkhead admitted in one round trip: at most 1.6 times Redis' CPU",
    side: "admission",
    figure: "timesServer",
    atMost: 1.6,
  },
  {
    what: "the same: at most 1.6 times as long",
    side: "admission",
    figure: "times",
    atMost: 1.6,
  },
  {
    what: "a whole call through a pipeline of the three: at most 1.6 times as long",
    side: "three",
    figure: "times",
    atMost: 1.6,
  },
];

export interface JudgedOverRedis {
  readonly what: string;
  readonly measured: Spread;
  readonly reached: boolean;
}

export function judgeRedis(measured: readonly RedisMeasured[]): readonly JudgedOverRedis[] {
  return AIMS.flatMap(({ what, side, figure, atMost }) => {
    const row = measured.find((one) => one.side === side && one.inFlight === IN_FLIGHT);
    const of = row?.[figure];
    return of === undefined ? [] : [{ what, measured: of, reached: of.median <= atMost }];
  });
}
