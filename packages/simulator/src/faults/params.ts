import { checkNumber, refuse } from "../checks.ts";
import type { Rng } from "../rng.ts";

/** A parameter as it is written: a range is drawn anew for every request. */
export type ParamValue = number | string | boolean | readonly [min: number, max: number];

/** What a parameter may be. A number may also be a range. */
export type ParamRule =
  | { kind: "number"; default?: number; min?: number }
  | { kind: "text"; default?: string }
  | { kind: "flag"; default: boolean };

export type ParamRules = Readonly<Record<string, ParamRule>>;

/** The parameters of one fault on one request: defaults filled in, ranges drawn. */
export interface ParamReader {
  number(name: string): number;
  /** Undefined when it was not given and has no default. */
  optional(name: string): number | undefined;
  text(name: string): string | undefined;
  flag(name: string): boolean;
}

/** `afterTokens` reads better in some faults; it means the same as `tokens`. */
const aliases: Readonly<Record<string, string>> = { afterTokens: "tokens" };

/** Checks parameters against the rules, so that a typing error is found before the first request. */
export function checkParams(
  path: string,
  given: Readonly<Record<string, unknown>>,
  rules: ParamRules,
): Record<string, ParamValue> {
  const checked: Record<string, ParamValue> = {};
  for (const [written, value] of Object.entries(given)) {
    const name = aliases[written] ?? written;
    const rule = rules[name];
    if (rule === undefined) {
      const allowed = Object.keys(rules);
      refuse(
        path,
        written,
        allowed.length === 0 ? "no parameter at all" : `one of ${allowed.join(", ")}`,
        `${path}${allowed[0] === undefined ? "" : `;${allowed[0]}=…`}`,
      );
    }
    checked[name] = checkParam(`${path};${written}`, value, rule);
  }
  return checked;
}

function checkParam(path: string, value: unknown, rule: ParamRule): ParamValue {
  if (rule.kind === "text") {
    if (typeof value !== "string" && typeof value !== "number") refuse(path, value, "a text", '"5"');
    return String(value);
  }
  if (rule.kind === "flag") {
    if (value === true || value === "true") return true;
    if (value === false || value === "false") return false;
    refuse(path, value, "true or false", "true");
  }
  const range = readRange(value);
  const bounds = {
    min: rule.min ?? 0,
    example: "5, or 5..40 (5,40 as a list in JSON) to draw one per request",
  };
  if (range === undefined)
    return checkNumber(path, typeof value === "string" ? Number(value) : value, bounds);
  const [min, max] = range.map((side) => checkNumber(path, side, bounds)) as [number, number];
  if (min > max) refuse(path, value, "a range from the smaller to the larger number", "5..40");
  return [min, max];
}

function readRange(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value.length === 2 ? value : undefined;
  const match = typeof value === "string" ? /^(\d+)\.\.(\d+)$/.exec(value) : null;
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

/** Reads checked parameters for one request. What it drew is left in `used`, for the attempt log. */
export function readParams(
  params: Readonly<Record<string, ParamValue>>,
  rules: ParamRules,
  rng: Rng,
): { reader: ParamReader; used: Readonly<Record<string, ParamValue>> } {
  const used: Record<string, ParamValue> = {};
  // In the order of the rules, so that the order in which somebody wrote them does not matter.
  for (const [name, rule] of Object.entries(rules)) {
    const value = params[name] ?? rule.default;
    if (value === undefined) continue;
    used[name] = Array.isArray(value) ? value[0] + rng.below(value[1] - value[0] + 1) : value;
  }
  const reader: ParamReader = {
    number: (name) => used[name] as number,
    optional: (name) => used[name] as number | undefined,
    text: (name) => used[name] as string | undefined,
    flag: (name) => used[name] === true,
  };
  return { reader, used };
}
