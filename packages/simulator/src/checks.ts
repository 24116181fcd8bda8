/** Thrown for a bad option, before anything is started: what was given, what is allowed, what to write. */
export class SimulatorConfigError extends Error {
  override readonly name: string = "SimulatorConfigError";
}

/** How a value is shown in a message: short, and with its type visible. */
function shown(value: unknown): string {
  if (typeof value === "number" || value === undefined) return String(value);
  const text = typeof value === "function" ? "a function" : (JSON.stringify(value) ?? typeof value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

export function refuse(path: string, value: unknown, allowed: string, example: string): never {
  throw new SimulatorConfigError(
    `${path}: got ${shown(value)}; allowed is ${allowed}. Write for example ${example}.`,
  );
}

interface NumberRule {
  min?: number;
  /** The minimum itself is not allowed. */
  above?: boolean;
  max?: number;
  integer?: boolean;
  example: string;
}

/** A finite number within bounds. `undefined` is for the caller to handle. */
export function checkNumber(path: string, value: unknown, rule: NumberRule): number {
  const { min = -Infinity, max = Infinity } = rule;
  const fits =
    typeof value === "number" &&
    Number.isFinite(value) &&
    (rule.above ? value > min : value >= min) &&
    value <= max &&
    (!rule.integer || Number.isInteger(value));
  if (!fits) {
    const kind = rule.integer ? "a whole number" : "a number";
    const low = rule.min === undefined ? "" : rule.above ? ` above ${min}` : ` of ${min} or more`;
    const high = rule.max === undefined ? "" : ` and at most ${max}`;
    refuse(path, value, `${kind}${low}${high}`, rule.example);
  }
  return value;
}

export function checkText(path: string, value: unknown, example: string): string {
  if (typeof value !== "string" || value === "") refuse(path, value, "a text that is not empty", example);
  return value;
}

/** A plain object with no other fields than these: a misspelt option is a mistake, not a wish for the default. */
export function checkFields(
  path: string,
  value: unknown,
  allowed: readonly string[],
): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    refuse(path, value, "an object", `{ ${allowed[0]}: … }`);
  }
  for (const field of Object.keys(value)) {
    if (!allowed.includes(field)) {
      throw new SimulatorConfigError(
        `${path}: got the unknown field "${field}"; allowed are ${allowed.join(", ")}. Remove it, or write one of these.`,
      );
    }
  }
  return value as Record<string, unknown>;
}
