import { usePrometheus } from "@breakwater-internal/prometheus-server/vitest";
import { describe, expect, test } from "vitest";

import { adapterRules, askedFor, nameOf, seriesOf } from "./support/adapter.ts";
import { readYaml } from "./support/files.ts";
import { complaintsAbout } from "./support/promql.ts";

interface ExternalMetric {
  readonly type: string;
  readonly external: {
    readonly metric: {
      readonly name: string;
      readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    };
    readonly target: Readonly<Record<string, string>>;
  };
}

interface ScalingRules {
  readonly stabilizationWindowSeconds: number;
  readonly policies: readonly {
    readonly type: string;
    readonly value: number;
    readonly periodSeconds: number;
  }[];
}

interface Autoscaler {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly minReplicas: number;
    readonly maxReplicas: number;
    readonly metrics: readonly ExternalMetric[];
    readonly behavior: { readonly scaleUp: ScalingRules; readonly scaleDown: ScalingRules };
  };
}

const autoscalers = ["hpa-in-flight.yaml", "hpa-latency.yaml"].map((file) => ({
  file,
  hpa: readYaml(`kubernetes/${file}`)[0] as Autoscaler,
}));
const metrics = autoscalers.flatMap(({ hpa }) =>
  hpa.spec.metrics.map(({ external }) => ({
    name: external.metric.name,
    namespace: hpa.metadata.namespace,
    labels: external.metric.selector.matchLabels,
  })),
);

describe("the adapter's rules", () => {
  const prometheus = usePrometheus();

  test("expand to PromQL that Prometheus takes, of what is there", async () => {
    for (const rule of adapterRules) {
      const asked = askedFor(rule, "chat", { client: "deepseek" });
      expect(asked).not.toContain("<<");
      expect(await prometheus.format(asked)).toContain('{client="deepseek",namespace="chat"}');
      expect(complaintsAbout(asked)).toEqual([]);
      expect(complaintsAbout(rule.seriesQuery)).toEqual([]);
      expect(await prometheus.format(rule.seriesQuery)).toContain(seriesOf(rule));
    }
  });

  test("serve each of the metrics that an autoscaler asks for, and no other", () => {
    expect(new Set(metrics.map(({ name }) => name))).toEqual(
      new Set(adapterRules.map((rule) => nameOf(rule))),
    );
  });
});

describe.each(autoscalers)("$file", ({ hpa }) => {
  const { metrics: own, minReplicas, maxReplicas, behavior } = hpa.spec;

  test("has the fields of autoscaling/v2, and no others", () => {
    expect(hpa).toEqual({
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: expect.any(String), namespace: expect.any(String) },
      spec: {
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: expect.any(String) },
        minReplicas: expect.any(Number),
        maxReplicas: expect.any(Number),
        metrics: own.map(() => ({
          type: "External",
          external: {
            metric: { name: expect.any(String), selector: { matchLabels: { client: expect.any(String) } } },
            target: expect.anything(),
          },
        })),
        behavior: { scaleUp: scalingRules(behavior.scaleUp), scaleDown: scalingRules(behavior.scaleDown) },
      },
    });
    expect(minReplicas).toBeLessThan(maxReplicas);
    for (const { external } of own) {
      const { type, ...value } = external.target;
      expect(Object.keys(value)).toEqual([type === "Value" ? "value" : "averageValue"]);
      // In quotes: a quantity is a text, and 0.5 would be a number.
      expect(Object.values(value)).toEqual([expect.stringMatching(/^\d+(\.\d+)?m?$/)]);
    }
  });

  test("grows faster than it shrinks", () => {
    const { scaleUp, scaleDown } = behavior;
    expect(scaleUp.stabilizationWindowSeconds).toBeLessThan(scaleDown.stabilizationWindowSeconds);
    for (const { stabilizationWindowSeconds, policies } of [scaleUp, scaleDown]) {
      expect(stabilizationWindowSeconds).toBeLessThanOrEqual(3_600);
      for (const { type, periodSeconds } of policies) {
        expect(["Pods", "Percent"]).toContain(type);
        expect(periodSeconds).toBeLessThanOrEqual(1_800);
      }
    }
  });
});

function scalingRules({ policies }: ScalingRules): unknown {
  const number: unknown = expect.any(Number);
  return {
    stabilizationWindowSeconds: number,
    policies: policies.map(() => ({ type: expect.any(String), value: number, periodSeconds: number })),
  };
}

test("the pods are scraped where the autoscaler looks", () => {
  const [monitor] = readYaml("kubernetes/pod-monitor.yaml");
  expect(monitor).toEqual({
    apiVersion: "monitoring.coreos.com/v1",
    kind: "PodMonitor",
    metadata: { name: "chat", namespace: autoscalers[0]?.hpa.metadata.namespace },
    spec: {
      selector: { matchLabels: { app: "chat" } },
      podMetricsEndpoints: [{ port: "http", path: "/metrics", interval: "15s" }],
    },
  });
});
