/** Stands for all values that there was no more room for. */
export const OTHER = "other";

/** Longer values are cut: a name is short, and what is long was put together by somebody. */
const MAX_LENGTH = 100;

/** The values of a label. Each costs whoever stores the metrics memory for ever, so there is a bound for each label. */
export interface LabelSet {
  /** The value as it is told: itself, cut if it is long, or `other` if there are too many already. */
  of(value: string): string;
  /** The same, for what is perhaps none: it takes no place of others. */
  ifKnown(value: string): string;
}

/** The first `max` values are told apart. Which those are does not change, so that no series ever loses what it counted. */
export function createLabelSet(max: number): LabelSet {
  const known = new Set<string>();
  const cut = (value: string): string => (value.length > MAX_LENGTH ? value.slice(0, MAX_LENGTH) : value);
  return {
    ifKnown: (value) => (known.has(cut(value)) ? cut(value) : OTHER),
    of(value) {
      // Nothing said takes up no room: it is no value, but the label left out.
      if (value === "") return value;
      const shown = cut(value);
      if (known.has(shown)) return shown;
      if (known.size >= max) return OTHER;
      known.add(shown);
      return shown;
    },
  };
}
