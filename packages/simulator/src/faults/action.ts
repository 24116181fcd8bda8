import { checkNumber, checkText, refuse } from "../checks.ts";
import { nearest } from "../nearest.ts";
import type { Rng } from "../rng.ts";
import { faultNames, faultTable } from "./catalogue.ts";
import type { Plan } from "./fault.ts";
import { checkParams, readParams, type ParamValue } from "./params.ts";

/**
 * A fault as it is written: `"503"`, `"stall_after;tokens=5..40"` or `{ name: "stall_after", tokens: [5, 40] }`.
 * A range is drawn anew for every request.
 */
export type FaultAction = string | ({ name: string } & Readonly<Record<string, ParamValue>>);

/** A fault that has been checked. */
export interface CheckedAction {
  readonly name: string;
  readonly params: Readonly<Record<string, ParamValue>>;
}

/** Splits `name;param=value;p=0.3`. `p` is the probability and not a parameter of the fault. */
export function parseAction(path: string, text: string): CheckedAction & { probability?: number } {
  const [name = "", ...pairs] = text.split(";").map((part) => part.trim());
  const params: Record<string, string> = {};
  let probability: number | undefined;
  for (const pair of pairs.filter((part) => part !== "")) {
    const equals = pair.indexOf("=");
    if (equals < 1) refuse(path, pair, "param=value after each semicolon", `${name};tokens=5`);
    const key = pair.slice(0, equals).trim();
    const value = pair.slice(equals + 1).trim();
    if (key === "p")
      probability = checkNumber(`${path};p`, Number(value), { min: 0, max: 1, example: "0.3" });
    else params[key] = value;
  }
  return { ...checkNamed(path, name, params), ...(probability === undefined ? {} : { probability }) };
}

export function checkAction(path: string, action: unknown): CheckedAction & { probability?: number } {
  if (typeof action === "string") return parseAction(path, action);
  if (typeof action !== "object" || action === null || !("name" in action)) {
    refuse(path, action, "a fault name or an object with a name", '{ name: "stall_after", tokens: 5 }');
  }
  const { name, ...params } = action;
  return checkNamed(path, checkText(`${path}.name`, name, '"503"'), params);
}

function checkNamed(path: string, name: string, params: Readonly<Record<string, unknown>>): CheckedAction {
  const definition = Object.hasOwn(faultTable, name) ? faultTable[name] : undefined;
  if (definition === undefined)
    refuse(path, name, `one of ${faultNames.join(", ")}`, `"${nearest(name, faultNames)}"`);
  return { name, params: checkParams(name, params, definition.params) };
}

/** What the fault does to this one request, and how the attempt log names it. */
export function planOf(action: CheckedAction, rng: Rng): { plan: Plan; label: string } {
  const definition = faultTable[action.name];
  if (definition === undefined) throw new Error(`Unknown fault ${action.name}`);
  const { reader, used } = readParams(action.params, definition.params, rng);
  const shown = Object.entries(used).filter(([name]) => name in action.params || name === "tokens");
  const label = [action.name, ...shown.map(([name, value]) => `${name}=${String(value)}`)].join(";");
  return { plan: definition.plan(reader), label };
}
