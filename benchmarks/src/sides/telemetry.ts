import { devNull } from "node:os";

import {
  bulkhead,
  circuitBreaker,
  type Client,
  createClient,
  type Policy,
  retry,
  upstream,
} from "@breakwater/core";
import { admin } from "@breakwater/http";
import { logs } from "@breakwater/telemetry";
import { meters, spans } from "@breakwater/telemetry/opentelemetry";
import { metrics } from "@breakwater/telemetry/prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import pino from "pino";
import { Registry } from "prom-client";

import { noop, type Subject, type Subjects } from "../subject.ts";

type Asking = Client<number, number>;

const stack = (): Policy[] => [retry({ attempts: 3 }), circuitBreaker(), bulkhead({ concurrency: 100 })];

function told(listen: (ask: Asking) => unknown) {
  return (): Subject => {
    const ask = createClient(upstream(noop), ...stack());
    listen(ask);
    return { call: () => ask(1), comes: "answer" };
  };
}

/** As a service has it: every span is made and ended, and an exporter takes it. */
function tracer() {
  const exporter = {
    export: (_: unknown, done: (result: { code: number }) => void) => done({ code: 0 }),
    shutdown: () => Promise.resolve(),
  };
  return new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).getTracer("bench");
}

export const subjects: Subjects = {
  told: told(() => undefined),
  "told/listener": told((ask) => ask.on(() => undefined)),
  "told/logs": told((ask) => logs(ask, pino(pino.destination({ dest: devNull, sync: false })))),
  "told/metrics": told((ask) => metrics(ask, { register: new Registry() })),
  "told/meters": told((ask) => meters(ask, { meter: new MeterProvider().getMeter("bench") })),
  "told/spans": told((ask) => spans(ask, { tracer: tracer() })),
  "told/admin": told((ask) => admin(ask, { authorize: () => true })),
};
