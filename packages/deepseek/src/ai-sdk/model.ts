/**
 * What is known here of the AI SDK's language models: just enough to fit the specifications v3 (ai 6) and v4 (ai 7),
 * without a dependency on either.
 */

/** Why an answer ended: in the SDK's words, and in the provider's. */
export interface FinishReason {
  readonly unified: string;
  readonly raw?: string | undefined;
}

export interface ModelUsage {
  readonly inputTokens: { readonly total?: number | undefined };
  readonly outputTokens: { readonly total?: number | undefined };
}

/** What a model is asked. Everything but the signal is passed on unseen. */
export interface ModelParams {
  readonly abortSignal?: AbortSignal | undefined;
}

/** A whole answer. */
export interface ModelResult {
  readonly content: readonly { readonly type: string }[];
  readonly finishReason: FinishReason;
  readonly usage?: ModelUsage;
}

/** A part of a streamed answer. */
export interface ModelPart {
  readonly type: string;
}

export interface ModelStream {
  readonly stream: ReadableStream<ModelPart>;
}

export interface LanguageModel {
  readonly provider: string;
  readonly modelId: string;
  doGenerate(params: ModelParams): PromiseLike<ModelResult>;
  doStream(params: ModelParams): PromiseLike<ModelStream>;
}

/** What policies see as the request. */
export interface ModelCall {
  readonly model: LanguageModel;
  readonly params: ModelParams;
  /** Whether a stream was asked for. */
  readonly stream: boolean;
}

/** A whole answer, or the parts of a streamed one as they come. */
export type ModelAnswer = ModelResult | AsyncIterableIterator<ModelPart>;
