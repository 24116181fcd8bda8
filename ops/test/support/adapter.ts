import { readYaml } from "./files.ts";

export interface AdapterRule {
  readonly seriesQuery: string;
  readonly resources: { readonly overrides: Readonly<Record<string, { readonly resource: string }>> };
  readonly name?: { readonly matches: string; readonly as: string };
  readonly metricsQuery: string;
}

export const adapterRules: readonly AdapterRule[] = (
  readYaml("kubernetes/prometheus-adapter.yaml")[0] as { readonly externalRules: readonly AdapterRule[] }
).externalRules;

/** The series that a rule is found by. */
export const seriesOf = ({ seriesQuery }: AdapterRule): string => /^\w+/.exec(seriesQuery)?.[0] ?? "";

/** What autoscalers call it. */
export function nameOf(rule: AdapterRule): string {
  const { name } = rule;
  if (name === undefined) return seriesOf(rule);
  return seriesOf(rule).replace(new RegExp(name.matches), name.as.replaceAll(/\$\{(\d)\}/g, "$$$1"));
}

/** What the adapter asks Prometheus for an autoscaler of this namespace that selects by these labels. */
export function askedFor(
  rule: AdapterRule,
  namespace: string,
  matchLabels: Readonly<Record<string, string>>,
): string {
  const [label = ""] =
    Object.entries(rule.resources.overrides).find(([, { resource }]) => resource === "namespace") ?? [];
  const matchers = Object.entries({ ...matchLabels, [label]: namespace }).map(
    ([name, value]) => `${name}="${value}"`,
  );
  return rule.metricsQuery
    .replaceAll("<<.Series>>", seriesOf(rule))
    .replaceAll("<<.LabelMatchers>>", matchers.join(","));
}
