import { describe, expect, test } from "vitest";

import { readYaml } from "./support/files.ts";
import { alerts } from "./support/rules.ts";

interface Route {
  readonly receiver: string;
  readonly matchers?: readonly string[];
  readonly group_by?: readonly string[];
  readonly routes?: readonly Route[];
}
interface Inhibition {
  readonly source_matchers: readonly string[];
  readonly target_matchers: readonly string[];
  readonly equal?: readonly string[];
}
interface Alertmanager {
  readonly route: Route;
  readonly receivers: readonly { readonly name: string }[];
  readonly inhibit_rules: readonly Inhibition[];
}

const manager = readYaml("prometheus/alertmanager.yml")[0] as Alertmanager;
const pages = alerts.filter(({ labels }) => labels?.["severity"] === "page").map(({ alert }) => alert);

/** The alerts that a matcher is about. */
function matched([matcher = ""]: readonly string[]): readonly string[] {
  const [, sign, pattern = ""] = /^alertname (=~?) (\S+)$/.exec(matcher) ?? [];
  const whole = new RegExp(sign === "=~" ? `^(?:${pattern})$` : `^${pattern}$`);
  return alerts.map(({ alert }) => alert).filter((alert) => whole.test(alert));
}

describe("the routes", () => {
  test("lead pages and tickets to somebody", () => {
    const { routes = [], receiver } = manager.route;
    expect(routes.map(({ matchers }) => matchers)).toEqual([['severity = "page"']]);
    const used = [receiver, ...routes.map((route) => route.receiver)];
    expect(new Set(used)).toEqual(new Set(manager.receivers.map(({ name }) => name)));
  });

  test("put together what alerts say who it is about by", () => {
    for (const label of manager.route.group_by ?? [])
      expect(alerts.some(({ expr }) => expr.includes(`by (job, ${label}`) || label === "job")).toBe(true);
  });
});

describe.each(manager.inhibit_rules)("what is kept quiet by $source_matchers", (rule) => {
  const sources = matched(rule.source_matchers);
  const targets = matched(rule.target_matchers);

  test("is alerts that there are, each of them", () => {
    const names = rule.target_matchers[0]?.match(/[A-Z]\w+/g)?.filter((name) => name !== "Breakwater") ?? [];
    expect(targets).toHaveLength(names.length);
    expect(targets).not.toHaveLength(0);
  });

  test("is so only while somebody is woken for something else", () => {
    expect(sources).toHaveLength(1);
    expect(pages).toEqual(expect.arrayContaining([...sources]));
    expect(targets).not.toEqual(expect.arrayContaining([...sources]));
  });
});
