import { AIMessage, type AIMessageChunk, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { ChatDeepSeek } from "@langchain/deepseek";

import { type Connection, MODEL, type Question, type Received, type Sdk, WEATHER } from "./sdk.ts";

/** LangChain, whose DeepSeek model is made of its OpenAI model, and that of the official SDK. */
export const langchain: Sdk = {
  name: "langchain",
  node: 22,
  through: "fetch",
  errorMode: "response",
  leavesQuietly: false,
  obeys: false,
  async ask(connection, question, { signal } = {}) {
    return receivedOf(
      await modelOf(connection, question).invoke(question.prompt, { ...(signal && { signal }) }),
    );
  },
  async stream(connection, question, { signal, onPiece } = {}) {
    const stream = await modelOf(connection, question).stream(question.prompt, {
      ...(signal && { signal }),
    });
    let whole: AIMessageChunk | undefined;
    for await (const chunk of stream) {
      whole = whole === undefined ? chunk : whole.concat(chunk);
      if (chunk.text !== "" && onPiece?.() === true) break;
    }
    return receivedOf(whole);
  },
  async tools(connection, question) {
    const { says, ...described } = WEATHER;
    const model = modelOf(connection, question).bindTools([{ type: "function", function: described }]);
    const asked = new HumanMessage(question.prompt);
    const first = await model.invoke([asked]);
    const calls = first.tool_calls ?? [];
    const results = calls.map(({ id = "" }) => new ToolMessage({ content: says, tool_call_id: id }));
    const second = await model.invoke([asked, new AIMessage({ content: "", tool_calls: calls }), ...results]);
    return {
      calls: calls.map(({ name, args }) => ({ name, input: args })),
      final: receivedOf(second),
    };
  },
  codeOf(error) {
    const { code, headers } = error as { readonly code?: string; readonly headers?: Headers };
    return headers?.get("x-breakwater-code") ?? code ?? undefined;
  },
  statusOf: (error) => (error as { readonly status?: number } | undefined)?.status,
};

function modelOf({ url, key, fetch, headers, maxRetries }: Connection, { thinking = false }: Question) {
  return new ChatDeepSeek({
    model: MODEL,
    apiKey: key,
    configuration: { baseURL: url, fetch, defaultHeaders: { ...headers } },
    modelKwargs: { thinking: { type: thinking ? "enabled" : "disabled" } },
    ...(maxRetries !== undefined && { maxRetries }),
  });
}

function receivedOf(message: AIMessage | AIMessageChunk | undefined): Received {
  const kept = message?.additional_kwargs["reasoning_content"];
  const finish = message?.response_metadata["finish_reason"] as string | undefined;
  return { content: message?.text ?? "", reasoning: typeof kept === "string" ? kept : "", finish };
}
