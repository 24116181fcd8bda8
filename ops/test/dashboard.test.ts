import { usePrometheus } from "@breakwater-internal/prometheus-server/vitest";
import { INSTRUMENTS } from "@breakwater/telemetry";
import { describe, expect, test } from "vitest";

import { dashboard, filledIn, panels } from "./support/dashboard.ts";
import { complaintsAbout, metricsIn } from "./support/promql.ts";
import { alerts } from "./support/rules.ts";

const exprs = [
  ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ expr }) => expr),
];

describe("the dashboard", () => {
  const prometheus = usePrometheus();

  test("asks in PromQL that Prometheus takes", async () => {
    const asked = exprs.map((expr) => prometheus.format(filledIn(expr)));
    for (const expr of await Promise.all(asked)) expect(expr).not.toContain("$");
  });

  test("asks for what is there", () => {
    expect(exprs.flatMap((expr) => complaintsAbout(expr))).toEqual([]);
  });

  test("shows every metric somewhere", () => {
    const shown = new Set(exprs.flatMap((expr) => metricsIn(expr)));
    const names = INSTRUMENTS.map(({ prometheus: name, type }) =>
      type === "histogram" ? `breakwater_${name}_bucket` : `breakwater_${name}`,
    );
    expect(names.filter((name) => !shown.has(name))).toEqual([]);
  });

  test("lets one choose the data source, the job and the client, and every panel heeds that", () => {
    const { list } = dashboard.templating;
    expect(list.map(({ name }) => name)).toEqual(["datasource", "job", "client"]);
    expect(list.flatMap(({ definition = "" }) => metricsIn(definition))).toHaveLength(2);
    expect(list.flatMap(({ definition = "" }) => complaintsAbout(definition))).toEqual([]);
    for (const { datasource } of panels)
      expect(datasource).toEqual({ type: "prometheus", uid: "${datasource}" });
    for (const expr of exprs) expect(expr).toContain('job=~"$job",client=~"$client"');
  });

  test("names alerts that there are", () => {
    const named = panels.flatMap(({ description = "" }) => description.match(/Breakwater[A-Z]\w+/g) ?? []);
    const known = new Set(alerts.map(({ alert }) => alert));
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test("has a place of its own for each panel, and no id twice", () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const taken = new Set<string>();
    for (const { gridPos } of dashboard.panels)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(x).toBeLessThan(24);
          expect(taken).not.toContain(`${x} ${y}`);
          taken.add(`${x} ${y}`);
        }
    const rows = dashboard.panels.filter(({ type }) => type === "row").map(({ title }) => title);
    expect(rows).toEqual(expect.arrayContaining(["Calls", "Refusals", "First token", "Breakers", "Stores"]));
  });
});

describe.each(panels)("the panel $title", ({ description, fieldConfig, targets = [], type }) => {
  test("says what it shows, and in what", () => {
    expect(["timeseries", "stat", "heatmap"]).toContain(type);
    expect(description).toMatch(/^[A-Za-z].*\.$/);
    expect(fieldConfig?.defaults.unit).toMatch(UNIT);
    expect(targets.length).toBeGreaterThan(0);
    expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
  });

  test("tells its lines apart by labels that they have", () => {
    for (const { expr, legendFormat } of targets) {
      const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
      const [, grouped = ""] = /\bby \(([^)]*)\)/.exec(expr) ?? [];
      const groups = grouped
        .split(", ")
        .filter((label) => label !== "" && (label !== "le" || type === "heatmap"));
      expect(new Set(named)).toEqual(new Set(groups));
    }
  });
});

/** Of Grafana's: seconds, requests a second, a share of 1, bytes, dollars, a number, yes or no, or text of ours behind it. */
const UNIT = /^(s|reqps|percentunit|bytes|currencyUSD|short|bool_yes_no|suffix:.+)$/;
