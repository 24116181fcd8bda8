// Looks into what came as JSON without believing it.

export type Fields = Readonly<Record<string, unknown>>;

/** The fields of an object; none of anything else. */
export function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export const numberOf = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;

export const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

/** Those of the fields that are numbers. */
export function numbers(value: unknown): readonly (readonly [key: string, value: number])[] {
  return Object.entries(fields(value)).flatMap(([key, one]) => {
    const number = numberOf(one);
    return number === undefined ? [] : [[key, number] as const];
  });
}

export const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0);
