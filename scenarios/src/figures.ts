import type { Attempt } from "@breakwater/simulator";

import type { CallRecord } from "./call.ts";
import type { Played } from "./play.ts";

/** One acceptance figure, as the report writes it. `limit` and `measured` are in the unit that `figure` names. */
export interface Figure {
  readonly figure: string;
  readonly limit: number;
  readonly measured: number;
  readonly met: boolean;
}

export function atMost(figure: string, limit: number, measured: number): Figure {
  const rounded = round(measured);
  return { figure: `${figure}, at most`, limit, measured: rounded, met: rounded <= limit };
}

export function atLeast(figure: string, limit: number, measured: number): Figure {
  const rounded = round(measured);
  return { figure: `${figure}, at least`, limit, measured: rounded, met: rounded >= limit };
}

/** To a thousandth: a millisecond, where seconds are told. */
function round(value: number): number {
  return Number.isFinite(value) ? Math.round(value * 1_000) / 1_000 : value;
}

export const percent = (part: number, whole: number): number => (whole === 0 ? NaN : (100 * part) / whole);

const isRight = ({ error, text }: CallRecord): boolean => error === undefined && text === "complete";

/** It looked like success, and was not the whole right answer. */
const isSilent = ({ error, text }: CallRecord): boolean => error === undefined && text !== "complete";

const isWrong = ({ text }: CallRecord): boolean => text === "wrong";

/** What every scenario must show, whatever else it is about. */
export function honest({ calls, hung }: Played): readonly Figure[] {
  return [
    atMost("calls that hang", 0, hung),
    atMost("answers cut without an error", 0, calls.filter(isSilent).length),
    atMost("texts with a token lost, repeated or swapped", 0, calls.filter(isWrong).length),
  ];
}

export function completeShare({ calls, hung }: Played): number {
  return percent(calls.filter(isRight).length, calls.length + hung);
}

export function attemptsPerCall({ attempts, calls, hung }: Played): number {
  return attempts.length / (calls.length + hung);
}

export function share(attempts: readonly Attempt[], status: number): number {
  return attempts.length === 0
    ? 0
    : percent(attempts.filter((attempt) => attempt.status === status).length, attempts.length);
}

export const seconds = (ms: number): number => ms / 1_000;

/** The smallest value that this part of them does not exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0;
}

export const largest = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);

export const toFirstToken = (calls: readonly CallRecord[]): readonly number[] =>
  calls.flatMap(({ arrival, firstTokenAt }) =>
    firstTokenAt === undefined ? [] : [firstTokenAt - arrival.at],
  );

export const toEnd = (calls: readonly CallRecord[]): readonly number[] =>
  calls.map(({ arrival, endedAt }) => endedAt - arrival.at);

/** The caller had nothing of the answer yet when it failed. */
export const failedUnseen = ({ calls }: Played): number =>
  calls.filter(({ error, firstTokenAt }) => error !== undefined && firstTokenAt === undefined).length;
