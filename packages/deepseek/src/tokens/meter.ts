import { type Call, ConfigError, type Usage } from "@breakwater/core";

import { type FimRequest, isFim } from "../fim.ts";
import type { PartUsage } from "../resume/usage.ts";
import type { ChatRequest } from "../types.ts";
import { createCorrection } from "./correction.ts";
import { estimatePrompt } from "./estimate.ts";
import type { Generated } from "./generated.ts";
import { createRecent } from "./recent.ts";

/** What is reserved for an answer: what `recent` ones came to, or what it may come to at `max`. */
export type ReserveOutput = "recent" | "max";

export interface TokenMeterOptions {
  /** The model that the host is asked for. */
  readonly modelOf: (request: ChatRequest | FimRequest) => string;
  readonly reserveOutput: ReserveOutput;
  readonly countTokens?: ((request: ChatRequest | FimRequest) => number) | undefined;
}

/** Knows what requests to one host come to in tokens, and learns it from what the host counts. */
export interface TokenMeter {
  /** To be reserved before a request is sent. */
  reserve(request: ChatRequest | FimRequest): Usage;
  /** What a call has cost whose host did not tell; undefined where `countTokens` throws, which is no reason to fail it. */
  estimate(call: Call<ChatRequest>, generated: Generated): PartUsage | undefined;
  /** What an answer has cost whose host did. */
  learn(request: ChatRequest | FimRequest, usage: Usage): void;
}

/** Ids come and go; nobody uses more of them at a time. */
const MODELS = 100;
/** Answers that are looked back at: the tenth part of them is enough to be no accident. */
const ANSWERS = 64;
/** What an answer is taken for at first: models that think write one to four thousand tokens. */
const START = 4_096;

/** Each upstream has a meter of its own: hosts count differently. */
export function createTokenMeter({
  countTokens = estimatePrompt,
  modelOf,
  reserveOutput,
}: TokenMeterOptions): TokenMeter {
  const correction = createCorrection(MODELS);
  const recent = createRecent(ANSWERS, MODELS);
  /** Of what was reserved for: a long prompt is not counted again when its answer ends. */
  const counts = new WeakMap<object, number>();

  function count(request: ChatRequest | FimRequest): number {
    const tokens = countTokens(request);
    if (Number.isFinite(tokens) && tokens >= 0) return tokens;
    throw new ConfigError(`countTokens must give a number of tokens of at least 0, got ${String(tokens)}.`);
  }

  function promptTokens(request: ChatRequest | FimRequest, tokens: number): number {
    return Math.ceil(tokens * correction.factor(modelOf(request)));
  }

  return {
    reserve(request) {
      const tokens = count(request);
      counts.set(request, tokens);
      const most = mostOutput(request);
      const likely = reserveOutput === "max" ? most : (recent.p90(kindOf(request, modelOf)) ?? START);
      return usageOf(promptTokens(request, tokens), Math.min(most, likely));
    },
    estimate(call, { reasoningTokens, tokens }) {
      const { request } = call;
      try {
        const prompt = promptTokens(request, counts.get(request) ?? count(request));
        const usage = usageOf(prompt, Math.ceil(tokens));
        return reasoningTokens > 0 ? { ...usage, reasoningTokens: Math.ceil(reasoningTokens) } : usage;
      } catch (error) {
        call.host.events.emit({ type: "callback-throw", where: "countTokens", error }, call);
        return undefined;
      }
    },
    learn(request, usage) {
      const { completionTokens, promptTokens: actual } = usage;
      if (actual !== undefined)
        correction.learn(modelOf(request), counts.get(request) ?? count(request), actual);
      if (completionTokens !== undefined) recent.add(kindOf(request, modelOf), completionTokens);
    },
  };
}

/** What a request costs of which the host has computed nothing. */
export const NOTHING: Usage = { promptTokens: 0, completionTokens: 0, totalTokens: 0, estimated: true };

function usageOf(promptTokens: number, completionTokens: number): Usage {
  return { promptTokens, completionTokens, totalTokens: promptTokens + completionTokens, estimated: true };
}

/** A model that thinks writes ten times as much: answers are alike that have the same limit when nothing is said. */
function kindOf(request: ChatRequest | FimRequest, modelOf: TokenMeterOptions["modelOf"]): string {
  return `${modelOf(request)} ${defaultOutput(request)}`;
}

/** Nobody can say less than nothing; what the host will not take costs nothing in the end. */
function mostOutput(request: ChatRequest | FimRequest): number {
  const { max_tokens: limit } = request;
  return typeof limit === "number" && limit >= 0 ? limit : defaultOutput(request);
}

/** What DeepSeek lets an answer come to, its reasoning included, whose request names no limit. */
function defaultOutput(request: ChatRequest | FimRequest): number {
  if (isFim(request)) return 4_096;
  if (request.thinking?.type === "disabled") return 8_192;
  return request.reasoning_effort === "max" ? 131_072 : 65_536;
}
