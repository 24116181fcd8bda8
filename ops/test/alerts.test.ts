import { promtool, type Yaml } from "@breakwater-internal/prometheus-server";
import { usePrometheus } from "@breakwater-internal/prometheus-server/vitest";
import { describe, expect, test } from "vitest";

import { folderOf, read, readYaml } from "./support/files.ts";
import { complaintsAbout, complaintsAboutName, metricsIn } from "./support/promql.ts";
import { type AlertRule, alerts, recorded, ruleFile } from "./support/rules.ts";

const folder = folderOf("prometheus");

interface Case {
  readonly name: string;
  readonly promql_expr_test: readonly {
    readonly expr: string;
    readonly exp_samples: readonly { readonly labels: string }[];
  }[];
}
interface Cases extends Readonly<Record<string, unknown>> {
  readonly tests: readonly Case[];
}
const cases = readYaml("prometheus/alerts.test.yml")[0] as Cases;

/** Two thousand minutes of twenty rules take promtool some seconds, on a machine that does nothing else. */
const LONG_MS = 120_000;

describe("the rules", () => {
  usePrometheus();

  test("are what Prometheus takes, and so is its configuration", async () => {
    expect(await promtool(["check", "config", "prometheus.yml"], { folder })).toMatchObject({ ok: true });
    const count = recorded.size + alerts.length;
    expect(
      await promtool(["check", "rules", "--lint=all", "--lint-fatal", "alerts.yml"], { folder }),
    ).toMatchObject({
      ok: true,
      said: expect.stringContaining(`${count} rules found`),
    });
  });

  test(
    "fire when they should, and not in a near miss",
    async () => {
      expect(await promtool(["test", "rules", "alerts.test.yml"], { folder })).toMatchObject({ ok: true });
    },
    LONG_MS,
  );

  // A threshold that is half or one and a half of what it is: a case of the one kind or of the other has to notice.
  test.each([
    ["higher", 1.5, "fires"],
    ["lower", 0.5, "is silent"],
  ])(
    "whose thresholds were %s would each fail a case",
    async (_, factor, kind) => {
      const mutants = alerts.filter(({ expr }) => thresholdsIn(expr).length > 0);
      const files = Object.fromEntries(mutants.flatMap((rule) => filesOf(rule, factor, kind)));
      const tests = mutants.map(({ alert }) => `${alert}.test.yml`);
      const { said } = await promtool(["test", "rules", ...tests], { files });
      const verdicts = said.split(/^Unit Testing: +/m).slice(1);
      const survivors = verdicts.filter((verdict) => !verdict.includes("FAILED"));
      expect(verdicts).toHaveLength(mutants.length);
      expect(survivors).toEqual([]);
    },
    LONG_MS,
  );
});

/** With what is recorded, one alert whose thresholds are others, and its cases of one kind. */
function filesOf({ alert, expr, ...rule }: AlertRule, factor: number, kind: string): [string, Yaml][] {
  const change = (_: string, sign: string, figure: string): string => sign + Number(figure) * factor;
  const changed = { ...rule, alert, expr: expr.replaceAll(THRESHOLD, change) };
  const groups = [...ruleFile.groups.slice(0, 1), { name: "changed", rules: [changed] }];
  const tests = cases.tests.filter(({ name }) => name.startsWith(`${alert} ${kind}`));
  return [
    [`${alert}.yml`, { groups }],
    [`${alert}.test.yml`, { ...cases, rule_files: [`${alert}.yml`], tests }],
  ];
}

const THRESHOLD = /(> bool |>=? )(\d*\.?\d+)/g;

/** The figures that an expression is compared with, but for 0. */
function thresholdsIn(expr: string): readonly number[] {
  return [...expr.matchAll(THRESHOLD)].map(([, , figure]) => Number(figure)).filter((figure) => figure > 0);
}

describe.each(alerts)("$alert", ({ alert, expr, labels, annotations = {}, ...rule }) => {
  const own = cases.tests.filter(({ name }) => name.includes(alert));

  test("has a case in which it fires, and one in which it stays silent", () => {
    const fires = own.filter(({ promql_expr_test }) =>
      promql_expr_test.some(({ exp_samples }) =>
        exp_samples.some((sample) => sample.labels.includes(`alertname="${alert}",alertstate="firing"`)),
      ),
    );
    expect(fires.length).toBeGreaterThan(0);
    const silent = own.filter(
      ({ name, promql_expr_test }) =>
        new RegExp(`${alert} is silent`).test(name) &&
        promql_expr_test.some(
          ({ expr: asked, exp_samples }) => asked.includes(`"${alert}"`) && exp_samples.length === 0,
        ),
    );
    expect(silent.length).toBeGreaterThan(0);
  });

  test("asks for what is there", () => {
    expect(complaintsAbout(expr, recorded)).toEqual([]);
  });

  test("says what to do, in words that its labels can fill", () => {
    expect(["page", "ticket"]).toContain(labels?.["severity"]);
    // Nobody is woken for a moment's trouble.
    if (labels?.["severity"] === "page") expect(rule.for).toMatch(/^\d+m$/);
    const { summary = "", description = "", runbook_url = "" } = annotations;
    expect(summary.length).toBeLessThan(120);
    expect(description).toMatch(/\.$/);
    expect(runbook_url).toMatch(
      /^https:\/\/github\.com\/breakwater-js\/breakwater\/blob\/main\/docs\/runbook\.md#[a-z-]+$/,
    );
    const fired = own
      .flatMap(({ promql_expr_test }) => promql_expr_test)
      .flatMap(({ exp_samples }) => exp_samples);
    const sample = fired.find(({ labels: its }) => its.includes(`"${alert}",alertstate="firing"`));
    const named = [...(summary + description).matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label);
    expect(named.filter((label) => !sample?.labels.includes(`,${label}="`))).toEqual([]);
    expect(metricsIn(description).flatMap((name) => complaintsAboutName(name))).toEqual([]);
  });
});

test("the README tells of each alert, with its severity, and of no other one", () => {
  const told = [...read("prometheus/README.md").matchAll(/^\| `(Breakwater\w+)` .*\| (\w+) +\|$/gm)];
  const known = alerts.map(({ alert, labels }) => [alert, labels?.["severity"]]);
  expect(told.map(([, alert, severity]) => [alert, severity])).toEqual(known);
});

test("what is recorded is asked for by somebody, and asks for what is there", () => {
  const asked = alerts.map(({ expr }) => expr).join("\n");
  for (const name of recorded.keys()) expect(asked).toContain(name);
  const exprs = ruleFile.groups.flatMap(({ rules }) => rules).filter(({ record }) => record !== undefined);
  expect(exprs.flatMap(({ expr }) => complaintsAbout(expr))).toEqual([]);
});
