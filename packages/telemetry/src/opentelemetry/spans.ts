import {
  type BreakwaterEvent,
  type EventOf,
  readOptions,
  type Runtime,
  systemRuntime,
  type Watched,
} from "@breakwater/core";
import {
  type Attributes,
  type Context,
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";

import { watch } from "../watch.ts";
import {
  attributesOfAnswer,
  attributesOfAttempt,
  attributesOfCall,
  errorTypeOf,
  timeOf,
} from "./span-attributes.ts";
import { attributesOfEvent, isSpanEvent } from "./span-events.ts";

export interface SpanOptions {
  /** What makes the spans. @default that of the global provider, for "@breakwater/telemetry" */
  readonly tracer?: Tracer;
  /** Whether tenants, and the keys that policies count by, are written. @default false */
  readonly identities?: boolean;
  /** What the GenAI conventions call the work: `gen_ai.operation.name`. @default "chat" */
  readonly operation?: string;
  /** Who does it, as those conventions know it: `gen_ai.provider.name`. @default the name of the host that was asked */
  readonly provider?: string;
  /** The wall clock. @default the real one */
  readonly runtime?: Runtime;
}

/** A call that is not over, or whose attempts are not. */
interface Open {
  /** Undefined for a call that was over, or begun, before anybody listened to it. */
  readonly span: Span | undefined;
  /** Where the span stands. */
  readonly context: Context;
  /** What was active around the call. */
  readonly around: Span | undefined;
  /** Wall clock less the client's clock, in ms. */
  readonly offset: number;
  readonly attempts: OpenAttempt[];
  ended: boolean;
  /** Of the first attempt at a model that this call has sent. */
  asked: { readonly model: string; readonly target: string | undefined } | undefined;
  /** What its attempts cost; null once that of one is not known, undefined where nobody counts it. */
  usd: number | null | undefined;
  wasteUsd: number;
}

interface OpenAttempt {
  readonly number: number;
  readonly span: Span;
}

/** Calls at once that have spans, at most; further ones have none. */
const MAX_OPEN = 10_000;

/**
 * A span for each call, from when it came in until its last token, and within it one for each request that left for the
 * upstream. A call is a child of the span that is active where it is made; one that is made in the work of another
 * call, of that call's. What policies did is told as events of the call's span.
 *
 * A listener cannot make a span active for others: spans that a `fetch` makes of its own stand beside these.
 *
 * @returns a function that ends it: no further spans, and those that are open end now.
 * @throws ConfigError for what cannot be watched, and options that make no sense.
 *
 * @example
 * ```ts
 * import { createPipeline, retry } from "@breakwater/core";
 * import { spans } from "@breakwater/telemetry/opentelemetry";
 * import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
 *
 * const exporter = new InMemorySpanExporter();
 * const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
 * const search = createPipeline({ name: "search" }, retry());
 * const stop = spans(search, { tracer: provider.getTracer("mine") });
 * await search.execute(() => "found");
 * exporter.getFinishedSpans().map((span) => span.name); // => ["attempt search", "call search"]
 * stop();
 * ```
 */
export function spans(given: Watched, options: SpanOptions = {}): () => void {
  const { identities, operation, provider } = read(options);
  const tracer = options.tracer ?? trace.getTracer("@breakwater/telemetry");
  const runtime = options.runtime ?? systemRuntime();
  const open = new Map<number, Open>();

  function startCall(event: EventOf<"call-start">, serial: number): void {
    if (open.size >= MAX_OPEN) return;
    const active = context.active();
    const around = trace.getSpan(active);
    const outer = event.parent === undefined ? undefined : open.get(event.parent);
    // Where the work around has a span of its own for this, that is nearer than the call it is done in.
    const inOuter = outer?.span !== undefined && outer.around === around;
    const parent = inOuter ? insideOf(outer) : active;
    const offset = runtime.wallNow() - event.at;
    const attributes: Attributes = {
      "breakwater.client": event.client,
      "breakwater.priority": event.priority,
      ...(event.callId !== undefined && { "breakwater.call_id": event.callId }),
      ...(identities && event.tenant !== undefined && { "breakwater.tenant": event.tenant }),
    };
    const startTime = timeOf(event.at + offset);
    const span = tracer.startSpan(`call ${event.client}`, { attributes, startTime }, parent);
    open.set(serial, opened(trace.setSpan(parent, span), offset, span, around));
  }

  /** The call, or a stand-in for one that is over: shared work, such as a refresh behind an answer, outlives it. */
  function openOf(event: BreakwaterEvent, serial: number): Open | undefined {
    const known = open.get(serial);
    if (known !== undefined || open.size >= MAX_OPEN) return known;
    const late = opened(context.active(), runtime.wallNow() - event.at);
    open.set(serial, late);
    return late;
  }

  function startAttempt(event: EventOf<"attempt-start">, serial: number): void {
    const call = openOf(event, serial);
    if (call === undefined) return;
    const { attempt: number, client, model, target } = event;
    if (model !== undefined) call.asked ??= { model, target };
    const attributes: Attributes = {
      "breakwater.client": client,
      "breakwater.attempt": number,
      ...(target !== undefined && { "breakwater.target": target }),
      ...(model !== undefined && { "breakwater.model": model }),
    };
    const startTime = timeOf(event.at + call.offset);
    const kind = SpanKind.CLIENT;
    const span = tracer.startSpan(
      `attempt ${target ?? client}`,
      { attributes, kind, startTime },
      call.context,
    );
    call.attempts.push({ number, span });
  }

  function endAttempt(event: EventOf<"attempt-end">, serial: number): void {
    const call = open.get(serial);
    // Shared work counts its attempts anew; of two with one number, the elder is over first.
    const position = call?.attempts.findIndex(({ number }) => number === event.attempt) ?? -1;
    if (call === undefined || position < 0) return;
    const [{ span }] = call.attempts.splice(position, 1) as [OpenAttempt];
    const { firstTokenAt } = event.ending;
    if (span.isRecording()) {
      span.setAttributes(attributesOfAttempt(event));
      if (firstTokenAt !== undefined)
        span.addEvent("breakwater.first-token", timeOf(firstTokenAt + call.offset));
    }
    end(span, event, call.offset);
    forget(call, serial);
  }

  function endCall(event: EventOf<"call-end">, serial: number): void {
    const call = open.get(serial);
    if (call?.span === undefined) return;
    const { asked, offset, span } = call;
    if (span.isRecording()) {
      span.setAttributes(attributesOfCall(event));
      if (asked !== undefined) {
        const named = { operation, model: asked.model, provider: provider ?? asked.target ?? "_OTHER" };
        span.setAttributes(attributesOfAnswer(event, named));
        span.updateName(`${operation} ${asked.model}`);
      }
      if (asked !== undefined && typeof call.usd === "number")
        span.setAttributes({ "breakwater.cost_usd": call.usd, "breakwater.waste_usd": call.wasteUsd });
    }
    end(span, event, offset);
    call.ended = true;
    forget(call, serial);
  }

  function addCost(event: EventOf<"attempt-cost">, serial: number): void {
    const call = open.get(serial);
    if (call === undefined) return;
    call.usd = call.usd === null || event.usd === null ? null : (call.usd ?? 0) + event.usd;
    if (event.category !== "useful") call.wasteUsd += event.usd ?? 0;
  }

  function forget(call: Open, serial: number): void {
    if (call.ended && call.attempts.length === 0) open.delete(serial);
  }

  const stop = watch(given, "spans", (event) => {
    const { serial } = event;
    if (serial === undefined) return;
    switch (event.type) {
      case "call-start":
        return startCall(event, serial);
      case "call-end":
        return endCall(event, serial);
      case "attempt-start":
        return startAttempt(event, serial);
      case "attempt-end":
        return endAttempt(event, serial);
      case "attempt-cost":
        return addCost(event, serial);
      default:
    }
    const call = open.get(serial);
    if (call?.span?.isRecording() !== true || !isSpanEvent(event)) return;
    const attributes = attributesOfEvent(event, identities);
    call.span.addEvent(`breakwater.${event.type}`, attributes, timeOf(event.at + call.offset));
  });
  return () => {
    stop();
    const now = timeOf(runtime.wallNow());
    for (const { attempts, ended, span } of open.values()) {
      for (const attempt of attempts) attempt.span.end(now);
      if (!ended) span?.end(now);
    }
    open.clear();
  };
}

function opened(at: Context, offset: number, span?: Span, around?: Span): Open {
  const ended = span === undefined;
  return {
    span,
    context: at,
    around,
    offset,
    attempts: [],
    ended,
    asked: undefined,
    usd: undefined,
    wasteUsd: 0,
  };
}

/** Within the request that is being made, where it is clear which one that is. */
function insideOf({ attempts, context: around }: Open): Context {
  const [attempt] = attempts;
  return attempt !== undefined && attempts.length === 1 ? trace.setSpan(around, attempt.span) : around;
}

function end(span: Span, event: EventOf<"call-end" | "attempt-end">, offset: number): void {
  const type = errorTypeOf(event.ending);
  // Never the error's message, nor an exception event, which holds it: a part of the prompt may be in it.
  if (type !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: type });
  span.end(timeOf(event.at + offset));
}

function read(options: SpanOptions) {
  const reader = readOptions("spans", options);
  const identities = reader.flag("identities", false);
  const operation = reader.text("operation", "chat");
  const provider = reader.raw<string>("provider");
  if (provider !== undefined) reader.text("provider", "");
  const tracer = reader.raw<Partial<Tracer>>("tracer");
  if (tracer !== undefined && typeof tracer?.startSpan !== "function")
    reader.fail('tracer must be a tracer, such as trace.getTracer("mine") makes it.');
  reader.raw("runtime");
  reader.done();
  return { identities, operation, provider };
}
