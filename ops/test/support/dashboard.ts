import { readJson } from "./files.ts";

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly legendFormat: string;
  }[];
}

export interface Dashboard {
  readonly uid: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
}

export const dashboard: Dashboard = readJson("grafana/dashboard.json");
export const panels: readonly Panel[] = dashboard.panels.filter(({ type }) => type !== "row");
/** What a panel asks for, with variables filled in as Grafana does. */
export const expressionsOf = ({ targets = [] }: Panel): readonly string[] =>
  targets.map(({ expr }) => filledIn(expr));

/** What Grafana puts in the place of its variables. */
export const filledIn = (expr: string): string =>
  expr
    .replaceAll("$__rate_interval", "1m")
    .replaceAll("$__range", "3h")
    .replaceAll(/\$(job|client)/g, ".+");
