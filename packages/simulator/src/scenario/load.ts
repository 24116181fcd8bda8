import { checkFields, checkNumber, checkText, refuse } from "../checks.ts";

/**
 * The requests that a scenario is meant for. The simulator does not send them: whoever plays the scenario does, and with
 * other numbers it shows something else.
 */
export interface ScenarioLoad {
  /** Calls that arrive in a simulated second, independently of one another. */
  perSecond: number;
  /** Part of them that asks for a stream, from 0 to 1. */
  streamed: number;
  /** Part of the calls that asks for each model. @default all for `deepseek-flash` */
  models?: Readonly<Record<string, number>>;
  /** What to send as `x-sim-tokens`, where the length of an answer matters. */
  tokens?: string;
  /** So many different prompts; the k-th most frequent is asked in proportion to k ** -zipf. @default each prompt once */
  prompts?: { distinct: number; zipf: number };
  /** Every call is the next turn of a conversation of so many, and repeats what was said before. @default 1 */
  turns?: number;
  /** All attempts of one call send the same `x-sim-id`, so that what befalls the first need not befall the second. */
  idPerCall?: boolean;
}

export function checkLoad(path: string, value: unknown): void {
  const load = checkFields(path, value, [
    "perSecond",
    "streamed",
    "models",
    "tokens",
    "prompts",
    "turns",
    "idPerCall",
  ]);
  checkNumber(`${path}.perSecond`, load["perSecond"], { min: 0, above: true, example: "8" });
  checkNumber(`${path}.streamed`, load["streamed"], { min: 0, max: 1, example: "0.7" });
  if (load["tokens"] !== undefined) checkText(`${path}.tokens`, load["tokens"], '"reasoning=120,content=80"');
  if (load["models"] !== undefined) {
    const models = checkFields(`${path}.models`, load["models"], Object.keys(load["models"] ?? {}));
    for (const [model, part] of Object.entries(models))
      checkNumber(`${path}.models.${model}`, part, { min: 0, max: 1, example: "0.5" });
  }
  if (load["prompts"] !== undefined) {
    const prompts = checkFields(`${path}.prompts`, load["prompts"], ["distinct", "zipf"]);
    checkNumber(`${path}.prompts.distinct`, prompts["distinct"], { min: 1, integer: true, example: "200" });
    checkNumber(`${path}.prompts.zipf`, prompts["zipf"], { min: 0, example: "1.1" });
  }
  if (load["turns"] !== undefined)
    checkNumber(`${path}.turns`, load["turns"], { min: 1, integer: true, example: "8" });
  if (load["idPerCall"] !== undefined && typeof load["idPerCall"] !== "boolean")
    refuse(`${path}.idPerCall`, load["idPerCall"], "true or false", "true");
}
