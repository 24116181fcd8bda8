import { bulkhead, ConfigError, createPipeline } from "@breakwater/core";
import { createDeepSeek } from "@breakwater/deepseek";
import { startSimulator } from "@breakwater/simulator";
import { createTestClock } from "@breakwater/testing";
import { metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { describe, expect, it } from "vitest";

import { EVERY_EVENT, teller } from "../every-event.test-help.ts";
import { INSTRUMENTS } from "../instruments.ts";
import { meters, type MeterOptions } from "./meters.ts";

function setUp(temporality = AggregationTemporality.CUMULATIVE) {
  const exporter = new InMemoryMetricExporter(temporality);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 });
  const provider = new MeterProvider({ readers: [reader] });
  return {
    meter: provider.getMeter("test"),
    provider,
    async collect(): Promise<ReadonlyMap<string, MetricData>> {
      exporter.reset();
      await provider.forceFlush();
      const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics);
      return new Map(all.flatMap((scope) => scope.metrics).map((metric) => [metric.descriptor.name, metric]));
    },
  };
}

type Points = readonly DataPoint<number | Histogram>[];
const histogramOf = (point: Points[number] | undefined): Histogram => {
  expect(point).toBeDefined();
  return point?.value as Histogram;
};
const pointsOf = (all: ReadonlyMap<string, MetricData>, name: string): Points =>
  (all.get(name)?.dataPoints ?? []) as Points;

describe("instruments of OpenTelemetry", () => {
  it("are those of the table, each with its unit, kind and meaning, and nothing else of ours", async () => {
    const { collect, meter } = setUp();
    const everything = teller();
    const clock = createTestClock();
    const shop = createPipeline({ name: "shop", runtime: clock }, bulkhead({ concurrency: 2 }));
    meters([everything, shop], { meter, runtime: clock });
    for (const event of Object.values(EVERY_EVENT)) everything.tell(event);
    everything.tell({ ...EVERY_EVENT["attempt-cost"], usd: null });
    everything.tell({ ...EVERY_EVENT["attempt-cost"], category: "cached" });
    await shop.execute(() => 1);

    const all = await collect();
    const told = [...all.keys()].filter((name) => name.startsWith("breakwater."));
    // What only policies have that are not here; prometheus/metrics.test.ts has them all.
    const absent = [
      "breaker.circuits",
      "cache.entries",
      "cache.size",
      "rate_limit.remaining",
      "store.degraded",
    ];
    expect([...told, ...absent.map((name) => `breakwater.${name}`)].toSorted()).toEqual(
      INSTRUMENTS.map(({ otel }) => otel).toSorted(),
    );
    for (const { help, otel, type, unit } of INSTRUMENTS) {
      const metric = all.get(otel);
      if (metric === undefined) continue;
      expect(metric.descriptor).toMatchObject({ description: help, unit });
      expect(metric.dataPointType).toBe(
        { counter: DataPointType.SUM, gauge: DataPointType.GAUGE, histogram: DataPointType.HISTOGRAM }[type],
      );
      if (metric.dataPointType === DataPointType.SUM) expect(metric.isMonotonic).toBe(true);
    }
  });

  it("have the values of Prometheus's, and attributes for what is said", async () => {
    const { collect, meter } = setUp();
    const clock = createTestClock();
    const shop = createPipeline({ name: "shop", runtime: clock }, bulkhead({ name: "hall", concurrency: 4 }));
    meters(shop, { meter });
    const slow = shop.execute(() => new Promise((resolve) => void clock.setTimer(3_000, () => resolve(1))));
    await clock.settle();
    expect(pointsOf(await collect(), "breakwater.permits")).toMatchObject([
      { value: 1, attributes: { "breakwater.client": "shop", "breakwater.policy": "hall" } },
    ]);
    await clock.advance(3_000);
    await slow;
    const all = await collect();
    expect(pointsOf(all, "breakwater.permits")[0]?.value).toBe(0);
    expect(pointsOf(all, "breakwater.calls")[0]).toMatchObject({
      value: 1,
      attributes: {
        "breakwater.client": "shop",
        "breakwater.outcome": "answered",
        "breakwater.kind": "fresh",
      },
    });
    expect(pointsOf(all, "breakwater.attempts")[0]?.attributes).not.toHaveProperty("breakwater.target");
    const [duration] = pointsOf(all, "breakwater.call.duration");
    const { buckets, sum } = histogramOf(duration);
    expect(sum).toBe(3);
    expect(buckets.boundaries).toContain(3_600);
  });

  it("are added up once for readers who want what is new since the last time", async () => {
    const { collect, meter } = setUp(AggregationTemporality.DELTA);
    const shop = createPipeline({ name: "shop" });
    meters(shop, { meter });
    await shop.execute(() => 1);
    await shop.execute(() => 1);
    expect(pointsOf(await collect(), "breakwater.calls")[0]?.value).toBe(2);
    await shop.execute(() => 1);
    expect(pointsOf(await collect(), "breakwater.calls")[0]?.value).toBe(1);
  });

  it("tell nothing more when they are stopped", async () => {
    const { collect, meter } = setUp(AggregationTemporality.DELTA);
    const shop = createPipeline({ name: "shop" });
    const stop = meters(shop, { meter });
    await shop.execute(() => 1);
    expect((await collect()).has("breakwater.calls")).toBe(true);
    stop();
    await shop.execute(() => 1);
    const all = await collect();
    expect([...all.keys()].flatMap((name) => pointsOf(all, name))).toEqual([]);
  });

  it("are those of the global provider, which must be there before", async () => {
    const { collect, provider } = setUp();
    metrics.setGlobalMeterProvider(provider);
    try {
      const shop = createPipeline({ name: "shop" });
      const stop = meters(shop);
      await shop.execute(() => 1);
      expect((await collect()).has("breakwater.calls")).toBe(true);
      stop();
    } finally {
      metrics.disable();
    }
  });

  it("are bounded as Prometheus's are, however many models and providers come by", async () => {
    const { collect, meter } = setUp();
    const everything = teller();
    meters(everything, { meter, tenants: true });
    for (let serial = 0; serial < 10_000; serial++) {
      const at = { serial, target: `h${serial}`, model: `m${serial}` };
      everything.tell({ ...EVERY_EVENT["attempt-start"], ...at });
      everything.tell({ ...EVERY_EVENT["attempt-end"], ...at });
      const { ending } = EVERY_EVENT["call-end"];
      const error = Object.assign(new Error("x"), { code: `C${serial}` });
      everything.tell({
        ...EVERY_EVENT["call-end"],
        serial,
        tenant: `t${serial}`,
        ending: { ...ending, error },
      });
    }
    const all = await collect();
    for (const name of all.keys()) {
      for (const label of ["gen_ai.request.model", "gen_ai.provider.name", "breakwater.tenant", "error.type"])
        expect(
          new Set(pointsOf(all, name).map(({ attributes }) => attributes[label])).size,
        ).toBeLessThanOrEqual(51);
    }
  });

  it("know the models that there are, though somebody asks for a hundred others first", async () => {
    const { collect, meter } = setUp();
    const sim = await startSimulator({ timeScale: 0.001 });
    const deepseek = createDeepSeek({ apiKey: sim.key, fetch: sim.fetch });
    meters(deepseek, { meter });
    const ask = (model: string) => deepseek.chat({ model, messages: [{ role: "user", content: "why?" }] });
    for (let i = 0; i < 100; i++)
      await expect(ask(`no-such-model-${i}`)).rejects.toMatchObject({ status: 400 });
    await ask("deepseek-flash");
    await sim.close();
    const told = pointsOf(await collect(), "gen_ai.client.operation.duration");
    const models = told.map(({ attributes }) => attributes["gen_ai.request.model"]);
    expect(new Set(models)).toEqual(new Set(["other", "deepseek-flash"]));
  });

  it.each([
    [{ meter: {} }, /meter must be a Meter/],
    [{ provider: "" }, /provider must be a string/],
    [{ operation: 3 }, /operation must be a string/],
    [{ prefix: "x" }, /unknown option "prefix"/],
  ])("cannot be made of %j", (options, message) => {
    expect(() => meters(createPipeline(), options as MeterOptions)).toThrow(ConfigError);
    expect(() => meters(createPipeline(), options as MeterOptions)).toThrow(message);
  });
});

describe("metrics of the GenAI conventions", () => {
  it("tell an operation for each call that was sent, its first chunk if it has chunks, and its tokens", async () => {
    const { collect, meter } = setUp();
    const sim = await startSimulator({ clock: "manual", faults: [{ action: "503", match: { nth: [1] } }] });
    const clock = createTestClock();
    const deepseek = createDeepSeek({ apiKey: sim.key, fetch: sim.fetch, runtime: clock });
    meters(deepseek, { meter });
    const until = async <T>(promise: Promise<T>): Promise<T> => {
      let settled = false;
      const done = (): void => void (settled = true);
      promise.then(done, done);
      for (let ms = 0; !settled && ms < 600_000; ms += 20) {
        await sim.advance(20);
        await clock.advance(20);
      }
      return promise;
    };
    const request = { messages: [{ role: "user", content: "Hi" }], model: "deepseek-flash" } as const;
    const { usage } = await until(deepseek.chat(request));
    await until(
      (async () => {
        for await (const _ of deepseek.stream(request));
      })(),
    );
    // No inference: other paths of the host are asked for as well.
    await until(deepseek.fetch("https://api.deepseek.com/models").then((response) => response.text()));
    await sim.close();

    const all = await collect();
    const names = {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "deepseek",
      "gen_ai.request.model": "deepseek-flash",
      "gen_ai.response.model": "deepseek-flash",
    };
    const [duration, ...others] = pointsOf(all, "gen_ai.client.operation.duration");
    expect(others).toEqual([]);
    expect(duration).toMatchObject({ attributes: names, value: { count: 2 } });
    expect(histogramOf(duration).buckets.boundaries.at(-1)).toBe(81.92);
    expect(pointsOf(all, "gen_ai.client.operation.time_to_first_chunk")).toMatchObject([
      { attributes: names, value: { count: 1 } },
    ]);
    const tokens = pointsOf(all, "gen_ai.client.token.usage");
    expect(tokens.map(({ attributes }) => attributes["gen_ai.token.type"])).toEqual(["input", "output"]);
    expect(tokens[0]).toMatchObject({ attributes: names, value: { count: 2 } });
    expect(histogramOf(tokens[0]).sum).toBeGreaterThanOrEqual(usage?.prompt_tokens ?? Infinity);
    expect(pointsOf(all, "breakwater.attempts").map(({ value }) => value)).toContain(1);
  });

  it("tell what kept it from being answered, by the client that sends it and under the names that are given", async () => {
    const { collect, meter } = setUp();
    const everything = teller();
    meters(everything, { meter, operation: "text_completion", provider: "deepseek.mine" });
    everything.tell(EVERY_EVENT["attempt-start"]);
    everything.tell(EVERY_EVENT["call-end"]);
    everything.tell({ ...EVERY_EVENT["call-end"], client: "outer", serial: 6 });
    expect(pointsOf(await collect(), "gen_ai.client.operation.duration")).toMatchObject([
      {
        attributes: {
          "gen_ai.operation.name": "text_completion",
          "gen_ai.provider.name": "deepseek.mine",
          "error.type": "OVERLOADED",
        },
        value: { count: 1, sum: 1 },
      },
    ]);
  });
});
