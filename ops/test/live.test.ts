// The files, with a server that really tells its metrics and a Prometheus that really asks for them.
import { promtool } from "@breakwater-internal/prometheus-server";
import { usePrometheus } from "@breakwater-internal/prometheus-server/vitest";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { adapterRules, askedFor } from "./support/adapter.ts";
import { expressionsOf, panels } from "./support/dashboard.ts";
import { read } from "./support/files.ts";
import { complaintsAbout } from "./support/promql.ts";
import { alerts } from "./support/rules.ts";
import { type Service, startService } from "./support/service.ts";

describe("a server that is watched", () => {
  let service: Service;
  beforeAll(async () => void (service = await startService(pino({ enabled: false }))));
  afterAll(() => service.close());

  const prometheus = usePrometheus(() => ({
    config: {
      global: { scrape_interval: "100ms", evaluation_interval: "100ms" },
      rule_files: ["alerts.yml"],
      scrape_configs: [
        {
          job_name: "breakwater",
          static_configs: [{ targets: [service.target], labels: { namespace: "chat", pod: "chat-1" } }],
        },
      ],
    },
    files: { "alerts.yml": read("prometheus/alerts.yml") },
  }));

  test("tells nothing that promtool has a complaint about", async () => {
    const input = await service.exposition();
    expect(input).toContain("breakwater_calls_total{");
    expect(await promtool(["check", "metrics"], { input })).toEqual({ ok: true, said: "" });
  });

  test("tells Prometheus the names that rules and panels ask for, with these labels", async () => {
    await prometheus.until("rate(breakwater_calls_total[1m])");
    for (const { labels } of await prometheus.query('{__name__=~"breakwater_.+"}')) {
      const { __name__: name, ...own } = labels;
      const matchers = Object.keys(own).map((label) => `${label}="$x"`);
      expect(complaintsAbout(`${name}{${matchers.join(",")}}`)).toEqual([]);
    }
  });

  test("has something to show in the panels that are about its calls", async () => {
    const shown = new Map<string, boolean>();
    for (const panel of panels)
      for (const expr of expressionsOf(panel))
        shown.set(panel.title, (await prometheus.query(expr)).length > 0 || shown.get(panel.title) === true);
    const empty = [...shown].filter(([, some]) => !some).map(([title]) => title);
    expect(empty).toEqual(DID_NOT_HAPPEN);
  });

  test("gives an autoscaler one figure for each metric, or none", async () => {
    for (const rule of adapterRules) {
      const client = rule.seriesQuery.includes("queue") ? "geo" : "deepseek";
      const [figure, ...others] = await prometheus.query(askedFor(rule, "chat", { client }));
      expect(others).toEqual([]);
      expect(figure?.value).toBeGreaterThanOrEqual(0);
      // Where nobody tells anything there is none, and not 0: that would scale down.
      expect(await prometheus.query(askedFor(rule, "chat", { client: "nobody" }))).toEqual([]);
    }
  });

  test("wakes nobody for a handful of calls, and has a breaker noticed that is held by hand", async () => {
    for (const { expr } of alerts) await prometheus.query(expr);
    await prometheus.untilAlert("BreakwaterBreakerForced", "pending");
    expect((await prometheus.alerts()).filter(({ state }) => state === "firing")).toEqual([]);
  });
});

/** Panels about what this server has none of: a wasted cent, a store, a fallback, an account in trouble, a resumed stream. */
const DID_NOT_HAPPEN = [
  "Wasted",
  "Without a price",
  "Fallbacks",
  "Broken streams",
  "Changes of limits",
  "Refreshes",
  "Decisions by source",
  "How long decisions take",
  "Policies without their store",
  "Failures",
  "Accounts in trouble",
  "Keys that are not taken",
];
