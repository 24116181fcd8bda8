import type { createDeepSeek } from "@ai-sdk/deepseek";
import { BreakwaterError } from "@breakwater/core";
import type * as AI6 from "ai";

import { type AskOptions, type Connection, MODEL, type Question, type Sdk, WEATHER } from "./sdk.ts";

/** What is used of the SDK; both majors have it. */
export interface AiSdk {
  readonly generateText: typeof AI6.generateText;
  readonly streamText: typeof AI6.streamText;
  readonly tool: typeof AI6.tool;
  readonly jsonSchema: typeof AI6.jsonSchema;
  readonly stepCountIs: typeof AI6.stepCountIs;
  readonly APICallError: typeof AI6.APICallError;
  readonly RetryError: typeof AI6.RetryError;
  readonly wrapLanguageModel: typeof AI6.wrapLanguageModel;
}

/**
 * The AI SDK with DeepSeek's provider.
 *
 * @param through where Breakwater stands: in the provider's `fetch`, or around the model
 */
export function aiSdk(
  name: string,
  node: number,
  ai: AiSdk,
  provider: typeof createDeepSeek,
  through: "fetch" | "middleware" = "fetch",
): Sdk {
  function argsOf(
    { url, key, fetch, headers, maxRetries, middleware }: Connection,
    { prompt, thinking = false }: Question,
    { signal }: AskOptions = {},
  ) {
    const model = provider({ apiKey: key, baseURL: url, fetch, headers: { ...headers } })(MODEL);
    return {
      model: middleware === undefined ? model : ai.wrapLanguageModel({ model, middleware }),
      prompt,
      providerOptions: { deepseek: { thinking: { type: thinking ? "enabled" : "disabled" } } },
      ...(maxRetries !== undefined && { maxRetries }),
      ...(signal !== undefined && { abortSignal: signal }),
    };
  }

  /** The error that was thrown, out of the one that tells of its own retries. */
  const innermost = (error: unknown): unknown => (ai.RetryError.isInstance(error) ? error.lastError : error);

  return {
    name,
    node,
    through,
    errorMode: "throw",
    leavesQuietly: true,
    obeys: true,
    async ask(connection, question, options) {
      const { text, reasoningText, finishReason } = await ai.generateText(
        argsOf(connection, question, options),
      );
      return { content: text, reasoning: reasoningText ?? "", finish: finishReason };
    },
    async stream(connection, question, options = {}) {
      const failures: unknown[] = [];
      const result = ai.streamText({
        ...argsOf(connection, question, options),
        // Without it the SDK writes to the console what it does not throw.
        onError: ({ error }) => void failures.push(error),
      });
      let content = "";
      for await (const piece of result.textStream) {
        content += piece;
        if (options.onPiece?.() === true) return { content, reasoning: "", finish: undefined };
      }
      // A stream of text ends quietly when its source fails: the SDK tells that here, and whoever asks for more.
      if (failures.length > 0) throw failures[0];
      return { content, reasoning: (await result.reasoningText) ?? "", finish: await result.finishReason };
    },
    async tools(connection, question) {
      const { says, name: called, description, parameters } = WEATHER;
      const { text, steps, finishReason } = await ai.generateText({
        ...argsOf(connection, question),
        tools: {
          [called]: ai.tool({
            description,
            inputSchema: ai.jsonSchema({ ...parameters, required: [...parameters.required] }),
            execute: async () => says,
          }),
        },
        stopWhen: ai.stepCountIs(3),
      });
      const calls = steps.flatMap((step) => step.toolCalls);
      return {
        calls: calls.map(({ toolName, input }) => ({ name: toolName, input: input as unknown })),
        final: { content: text, reasoning: "", finish: finishReason },
      };
    },
    codeOf(error) {
      // What breaks off in the middle of a stream, the SDK wraps.
      for (let inner = innermost(error); inner instanceof Error; inner = inner.cause) {
        if (BreakwaterError.isInstance(inner)) return inner.code;
      }
      return undefined;
    },
    statusOf(error) {
      const inner = innermost(error);
      if (ai.APICallError.isInstance(inner)) return inner.statusCode;
      return (inner as { readonly status?: number } | undefined)?.status;
    },
  };
}
