import { readYaml } from "./files.ts";
import { labelsIn } from "./promql.ts";

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

export const ruleFile = readYaml("prometheus/alerts.yml")[0] as RuleFile;

const rules = ruleFile.groups.flatMap((group) => group.rules);

export interface AlertRule extends Rule {
  readonly alert: string;
}

export const alerts: readonly AlertRule[] = rules.flatMap((rule) =>
  rule.alert === undefined ? [] : [{ ...rule, alert: rule.alert }],
);

/** What rules record, with the labels that are left in it. */
export const recorded: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  rules.flatMap(({ record, expr }) =>
    record === undefined
      ? []
      : [[record, new Set(labelsIn(expr).filter((label) => label !== "le"))] as const],
  ),
);
