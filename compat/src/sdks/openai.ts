import type OpenAI6 from "openai";

import { type Connection, MODEL, type Question, type Received, type Sdk, WEATHER } from "./sdk.ts";

/** What is used of the SDK; both majors have it. */
export type OpenAIClass = typeof OpenAI6;

/** What DeepSeek adds to a message, and to a piece of one. */
interface Thoughts {
  readonly reasoning_content?: string | null;
}

type ApiFailure = InstanceType<OpenAIClass["APIError"]>;

/** The official SDK. */
export function openaiSdk(name: string, node: number, OpenAI: OpenAIClass): Sdk {
  const clientOf = ({ url, key, fetch, maxRetries, headers, timeoutMs }: Connection): OpenAI6 =>
    new OpenAI({
      apiKey: key,
      baseURL: url,
      fetch,
      defaultHeaders: { ...headers },
      ...(maxRetries !== undefined && { maxRetries }),
      ...(timeoutMs !== undefined && { timeout: timeoutMs }),
    });
  const bodyOf = ({ prompt, thinking = false }: Question) => ({
    model: MODEL,
    messages: [{ role: "user", content: prompt }] as OpenAI6.ChatCompletionMessageParam[],
    thinking: { type: thinking ? "enabled" : "disabled" },
  });

  return {
    name,
    node,
    through: "fetch",
    errorMode: "response",
    leavesQuietly: false,
    obeys: true,
    async ask(connection, question, { signal } = {}) {
      const answer = await clientOf(connection).chat.completions.create(bodyOf(question), { signal });
      // What version 7 makes of an empty body is `undefined`; who reads it finds out here.
      return receivedOf(answer.choices[0]);
    },
    async stream(connection, question, { signal, onPiece } = {}) {
      const body = { ...bodyOf(question), stream: true as const };
      const stream = await clientOf(connection).chat.completions.create(body, { signal });
      const received = { content: "", reasoning: "", finish: undefined as string | undefined };
      for await (const { choices } of stream) {
        const [choice] = choices;
        if (choice === undefined) continue;
        const { content, reasoning_content: reasoning } = choice.delta as typeof choice.delta & Thoughts;
        received.content += content ?? "";
        received.reasoning += reasoning ?? "";
        received.finish = choice.finish_reason ?? received.finish;
        if ((content ?? "") !== "" && onPiece?.() === true) break;
      }
      return received;
    },
    async tools(connection, question) {
      const client = clientOf(connection);
      const body = bodyOf(question);
      const { says, ...described } = WEATHER;
      const tools = [{ type: "function" as const, function: described }];
      const first = await client.chat.completions.create({ ...body, tools });
      const { message } = first.choices[0] as OpenAI6.ChatCompletion.Choice;
      const calls = (message.tool_calls ?? []).filter((call) => call.type === "function");
      const results = calls.map(({ id }) => ({ role: "tool" as const, tool_call_id: id, content: says }));
      const messages = [...body.messages, message, ...results];
      const second = await client.chat.completions.create({ ...body, messages, tools });
      return {
        calls: calls.map(({ function: called }) => ({
          name: called.name,
          input: JSON.parse(called.arguments) as unknown,
        })),
        final: receivedOf(second.choices[0]),
      };
    },
    codeOf(error) {
      if (!(error instanceof OpenAI.APIError)) return undefined;
      const { code, headers } = error as ApiFailure;
      return headers?.get("x-breakwater-code") ?? code ?? undefined;
    },
    statusOf: (error) => (error instanceof OpenAI.APIError ? (error as ApiFailure).status : undefined),
  };
}

function receivedOf(choice: OpenAI6.ChatCompletion.Choice | undefined): Received {
  const { content, reasoning_content: reasoning } = (choice?.message ?? {}) as Thoughts & {
    readonly content?: string | null;
  };
  return { content: content ?? "", reasoning: reasoning ?? "", finish: choice?.finish_reason };
}
