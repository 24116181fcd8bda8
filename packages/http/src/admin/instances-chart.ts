import type { ClientState, InstanceState } from "./state.ts";
import type { ClientStats, Series, SeriesPoint } from "./stats.ts";

/** A point of a chart: with all of their names, charts would be most of what an instance says. */
type Row = readonly [
  answered: number,
  failed: number,
  refused: number,
  cancelled: number,
  retries: number,
  inFlight: number,
  queued: number,
  firstTokenP50: number | null,
  firstTokenP99: number | null,
];

function rowOf(point: SeriesPoint): Row {
  const { answered, cancelled, failed, firstTokenP50, firstTokenP99, inFlight, queued, refused, retries } =
    point;
  return [answered, failed, refused, cancelled, retries, inFlight, queued, firstTokenP50, firstTokenP99];
}

function pointOf(row: Row): SeriesPoint {
  const [answered, failed, refused, cancelled, retries, inFlight, queued, firstTokenP50, firstTokenP99] = row;
  return { answered, failed, refused, cancelled, retries, inFlight, queued, firstTokenP50, firstTokenP99 };
}

type InRows = Omit<ClientState, "stats"> & {
  readonly stats: Omit<ClientStats, "series"> & {
    readonly series: Omit<Series, "points"> & { readonly rows: readonly Row[] };
  };
};

/** An instance whose charts are rows. */
export type Tabled = Omit<InstanceState, "clients"> & { readonly clients: readonly InRows[] };

export function tabled(state: InstanceState): Tabled {
  const clients = state.clients.map(({ stats, ...client }) => {
    const { points, ...series } = stats.series;
    return { ...client, stats: { ...stats, series: { ...series, rows: points.map(rowOf) } } };
  });
  return { ...state, clients };
}

export function untabled(state: Tabled): InstanceState {
  const clients = state.clients.map(({ stats, ...client }) => {
    const { rows, ...series } = stats.series;
    return { ...client, stats: { ...stats, series: { ...series, points: rows.map(pointOf) } } };
  });
  return { ...state, clients };
}
