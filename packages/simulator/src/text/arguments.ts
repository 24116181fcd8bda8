import type { Rng } from "../rng.ts";

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A caller's schema may be of any size and depth; the arguments are not. */
const deepest = 4;
const mostProperties = 32;

/** A value that fits the usual part of a JSON schema, as the model writes it: with a blank behind colons and commas. */
function valueOf(schema: unknown, rng: Rng, say: (words: number) => string, depth: number): string {
  if (!isObject(schema)) return JSON.stringify(say(2));
  if (schema["const"] !== undefined) return JSON.stringify(schema["const"]);
  const choices = schema["enum"];
  if (Array.isArray(choices) && choices.length > 0) return JSON.stringify(choices[rng.below(choices.length)]);
  const { type } = schema;
  switch (Array.isArray(type) ? (type as unknown[])[0] : type) {
    case "object":
      return depth >= deepest ? "{}" : objectOf(schema, rng, say, depth + 1);
    case "array": {
      if (depth >= deepest) return "[]";
      const items = Array.from({ length: 1 + rng.below(2) }, () =>
        valueOf(schema["items"], rng, say, depth + 1),
      );
      return `[${items.join(", ")}]`;
    }
    case "integer":
      return String(rng.below(100));
    case "number":
      return String(rng.below(1000) / 10);
    case "boolean":
      return String(rng.below(2) === 1);
    case "null":
      return "null";
    default:
      return isObject(schema["properties"]) && depth < deepest
        ? objectOf(schema, rng, say, depth + 1)
        : JSON.stringify(say(1 + rng.below(3)));
  }
}

function objectOf(schema: Json, rng: Rng, say: (words: number) => string, depth: number): string {
  const properties = isObject(schema["properties"]) ? schema["properties"] : {};
  const members = Object.entries(properties)
    .slice(0, mostProperties)
    .map(([name, property]) => `${JSON.stringify(name)}: ${valueOf(property, rng, say, depth)}`);
  return `{${members.join(", ")}}`;
}

/**
 * The arguments of a call: the text of a JSON object with every property that the parameters' schema names. Enums,
 * constants and types are kept to; patterns, formats and references are not read.
 */
export function argumentsOf(parameters: unknown, rng: Rng, say: (words: number) => string): string {
  return objectOf(isObject(parameters) ? parameters : {}, rng, say, 0);
}

/** The pieces in which the arguments are streamed: names, values and the signs between them. */
export function piecesOf(text: string): readonly string[] {
  return text.match(/\{"|": "?|"?, "?|"\}| ?[\p{L}\p{M}\p{N}_-]+|[^]/gu) ?? [];
}
