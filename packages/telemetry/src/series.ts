import type { Instrument, LabelName } from "./instruments.ts";
import { OPEN_LABELS } from "./instruments.ts";
import { type LabelSet, OTHER } from "./label-set.ts";

/** Counts, or measures, for one set of labels. */
export type Add = (amount: number) => void;

/** Makes that for a new one. */
export type MakeSeries = (labels: Readonly<Record<string, string>>) => Add;

/**
 * Series of one instrument, whatever values are told apart in each label: five labels of twenty values each would be
 * three million. What comes later is counted with `other` in all labels whose values somebody else chooses.
 */
export const MAX_SERIES = 2_000;

/** One level for each label; the last one holds the series. */
type Level = Map<string, Level | Add>;

/** Finds what a value belongs to. A walk through maps, since a joined key would have to be made for each event. */
export interface Series {
  /** @param values one for each label, in their order */
  find(values: readonly string[]): Add;
}

export function createSeries(
  { labels: own }: Instrument,
  tenants: boolean,
  sets: Readonly<Record<LabelName, LabelSet>>,
  make: MakeSeries,
): Series {
  const labels: readonly LabelName[] = tenants ? [...own, "tenant"] : own;
  const bounds = labels.map((label) => sets[label]);
  const last = labels.length - 1;
  const root: Level = new Map();
  let size = 0;

  function add(values: readonly string[]): Add {
    const full = size >= MAX_SERIES;
    const shown = values.map((value, i) =>
      full && value !== "" && OPEN_LABELS.includes(labels[i] as LabelName) ? OTHER : value,
    );
    let level = root;
    for (let i = 0; i < last; i++) {
      const value = shown[i] as string;
      let next = level.get(value) as Level | undefined;
      if (next === undefined) level.set(value, (next = new Map()));
      level = next;
    }
    const value = shown[last] as string;
    let series = level.get(value) as Add | undefined;
    if (series === undefined) {
      series = make(Object.fromEntries(labels.map((label, i) => [label, shown[i] as string])));
      level.set(value, series);
      size++;
    }
    return series;
  }

  return {
    find(values) {
      let level: Level | Add | undefined = root;
      for (let i = 0; i <= last; i++) {
        level = (level as Level).get((bounds[i] as LabelSet).of(values[i] as string));
        if (level === undefined) return add(bounds.map((set, at) => set.of(values[at] as string)));
      }
      return level as Add;
    },
  };
}
