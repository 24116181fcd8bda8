import type { Ending, EventOf, Listener } from "@breakwater/core";
import type { Attributes, Histogram, Meter } from "@opentelemetry/api";

import type { LabelName } from "../instruments.ts";
import type { LabelSet } from "../label-set.ts";
import { errorTypeOf } from "./span-attributes.ts";

export interface GenAiNames {
  /** `gen_ai.operation.name` */
  readonly operation: string;
  /** `gen_ai.provider.name`; undefined: the name of the host that was asked. */
  readonly provider: string | undefined;
}

/** Calls at models that are not over, at most; of further ones the oldest is told without the model that was asked for. */
const MAX_OPEN = 10_000;

// Names, units and bounds: OpenTelemetry's semantic conventions 1.42, status "development", which stand in the repository
// semantic-conventions-genai since. Its next version means to replace token.usage by counters.
const SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864];

/** What was asked, of a call that is not over. */
interface Asked {
  readonly model: string;
  readonly target: string | undefined;
}

/**
 * The metrics of the GenAI conventions. An operation is a call, all of its attempts together, as its span is; told by the
 * client that sends them, so that clients around it count it no second time. Tokens are those of each request that left,
 * for each is paid for.
 */
export function measureGenAi(
  meter: Meter,
  { operation, provider }: GenAiNames,
  sets: Readonly<Record<LabelName, LabelSet>>,
): Listener {
  const make = (name: string, unit: string, description: string, bounds: number[]): Histogram =>
    meter.createHistogram(`gen_ai.client.${name}`, {
      unit,
      description,
      advice: { explicitBucketBoundaries: bounds },
    });
  const duration = make("operation.duration", "s", "GenAI operation duration.", SECONDS);
  const firstChunk = make("operation.time_to_first_chunk", "s", "Time to receive the first chunk.", SECONDS);
  const usage = make("token.usage", "{token}", "Number of input and output tokens used.", TOKENS);
  const open = new Map<number, Asked>();

  // What a caller did wrong may be that there is no such model: of those there are more than of models.
  const shown = ({ model }: Asked, { fault }: Ending): string =>
    fault === "caller" ? sets.model.ifKnown(model) : sets.model.of(model);

  const named = (
    asked: Asked | undefined,
    target: string | undefined,
    answering: string | undefined,
    ending: Ending,
  ): Attributes => ({
    "gen_ai.operation.name": operation,
    "gen_ai.provider.name": provider ?? sets.target.of(asked?.target ?? target ?? "unknown"),
    ...(asked !== undefined && { "gen_ai.request.model": shown(asked, ending) }),
    ...(answering !== undefined && { "gen_ai.response.model": sets.model.of(answering) }),
  });

  function begin({ model, serial, target }: EventOf<"attempt-start">): void {
    if (model === undefined || serial === undefined || open.has(serial)) return;
    if (open.size >= MAX_OPEN) open.delete(open.keys().next().value as number);
    open.set(serial, { model, target });
  }

  function countTokens({ ending, model, serial, target }: EventOf<"attempt-end">): void {
    if (model === undefined || ending.usage === undefined) return;
    const { promptTokens, completionTokens } = ending.usage;
    const asked = serial === undefined ? undefined : open.get(serial);
    const attributes = named(asked, target, ending.status === "answered" ? model : undefined, ending);
    if (isCount(promptTokens)) usage.record(promptTokens, { ...attributes, "gen_ai.token.type": "input" });
    if (isCount(completionTokens))
      usage.record(completionTokens, { ...attributes, "gen_ai.token.type": "output" });
  }

  function end({ ending, meta, serial, startedAt }: EventOf<"call-end">): void {
    const asked = serial === undefined ? undefined : open.get(serial);
    if (asked === undefined) return;
    open.delete(serial as number);
    const { endedAt, firstTokenAt, status } = ending;
    const error = errorTypeOf(ending);
    const attributes = named(asked, undefined, status === "answered" ? meta.model : undefined, ending);
    duration.record((endedAt - startedAt) / 1_000, {
      ...attributes,
      ...(error !== undefined && { "error.type": sets.code.of(error) }),
    });
    // What comes whole comes with its first token, and has no chunks.
    if (firstTokenAt !== undefined && firstTokenAt < endedAt)
      firstChunk.record((firstTokenAt - startedAt) / 1_000, attributes);
  }

  return (event) => {
    if (event.type === "attempt-start") begin(event);
    else if (event.type === "attempt-end") countTokens(event);
    else if (event.type === "call-end") end(event);
  };
}

function isCount(tokens: number | undefined): tokens is number {
  return typeof tokens === "number" && Number.isFinite(tokens) && tokens >= 0;
}
