// The compiler runs these.
import { createClient, type Policy, retry } from "@breakwater/core";
import type OpenAI from "openai";

import {
  type ChatAnswer,
  type ChatChunk,
  type ChatCompletion,
  type ChatRequest,
  createDeepSeek,
  deepseekUpstream,
} from "./index.ts";

type Assert<T extends true> = T;
type Fits<A, B> = A extends B ? true : false;

export type Answers = [
  Assert<Fits<ChatCompletion, OpenAI.ChatCompletion>>,
  Assert<Fits<ChatChunk, OpenAI.ChatCompletionChunk>>,
];

const deepseek = createDeepSeek({ apiKey: "k" });
export const asked: Promise<OpenAI.ChatCompletion> = deepseek.chat({
  messages: [{ role: "user", content: "Hi" }],
  model: "any-model",
});
export const streamed: AsyncIterable<OpenAI.ChatCompletionChunk> = deepseek.stream({ messages: [] });

// @ts-expect-error -- a request has messages
void deepseek.chat({ model: "deepseek-flash" });
// @ts-expect-error -- there is no such role
void deepseek.chat({ messages: [{ role: "robot", content: "" }] });

// Callbacks are typed from the upstream, and a policy on its own line fits.
const again: Policy<ChatRequest, ChatAnswer> = retry({ attempts: 2 });
export const client = createClient(
  deepseekUpstream({ apiKey: "k" }),
  again,
  retry({ when: (_, call) => call.request.messages.length > 0 }),
);
