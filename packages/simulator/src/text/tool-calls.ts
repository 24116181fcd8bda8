import type { ChatRequest, ChatTool } from "../request/types.ts";
import { createRng, mix } from "../rng.ts";
import { argumentsOf, piecesOf } from "./arguments.ts";
import { joinTokens, type Tokens } from "./tokens.ts";

/** A function that an answer asks to be called, and the text of its arguments: a JSON object. */
export interface ExpectedToolCall {
  readonly name: string;
  readonly arguments: string;
}

/** One token of tool calls: the first of a call names it, the others are pieces of its arguments. */
export interface ToolToken {
  /** Which call, from 0. */
  readonly call: number;
  readonly name?: string;
  readonly piece: string;
}

/** What a request says about whether its answer calls tools. */
export interface ToolWish {
  /** Calls by `tools=<calls>`. */
  readonly calls: number | undefined;
  /** The header `x-sim-answer`. */
  readonly answer: "tools" | "text" | undefined;
  /** The part of the requests with tools that are answered with a call when nothing else says so. */
  readonly rate: number;
}

const named = (choice: unknown): string | undefined =>
  (choice as { function?: { name?: string } } | null | undefined)?.function?.name;

/** How many calls the answer makes. */
export function callsWanted(request: ChatRequest, nonce: number, wish: ToolWish): number {
  const { tools, tool_choice: choice, messages } = request;
  const last = messages.at(-1);
  // A continuation goes on with text: DeepSeek documents no continuation of calls.
  if (!tools?.length || choice === "none" || last?.prefix === true) return 0;
  const calls = Math.max(1, wish.calls ?? 1);
  if (choice === "required" || named(choice) !== undefined) return calls;
  // A model that has its results speaks: a loop that runs tools until there are no more calls ends.
  if (last?.role === "tool" || wish.answer === "text") return 0;
  if (wish.answer === "tools") return calls;
  if (wish.calls !== undefined) return wish.calls;
  return createRng(nonce, "tools").next() < wish.rate ? 1 : 0;
}

/** The calls of an answer. They follow from the messages and the tools, like the text. */
export function toolCallsOf(
  request: ChatRequest,
  nonce: number,
  count: number,
  words: (nonce: number, total: number) => Tokens,
): readonly ExpectedToolCall[] {
  const only = named(request.tool_choice);
  const tools = (request.tools ?? []).filter((tool) => only === undefined || tool.function.name === only);
  if (tools.length === 0) return [];
  return Array.from({ length: count }, (_, index) => {
    const rng = createRng(nonce, "call", index);
    const { function: called } = tools[rng.below(tools.length)] as ChatTool;
    let spoken = 0;
    const say = (length: number): string => joinTokens(length, words(mix(nonce + ++spoken), length));
    return { name: called.name, arguments: argumentsOf(called.parameters, rng, say) };
  });
}

export function toolTokensOf(calls: readonly ExpectedToolCall[]): readonly ToolToken[] {
  return calls.flatMap(({ name, arguments: text }, call) => [
    { call, name, piece: "" },
    ...piecesOf(text).map((piece) => ({ call, piece })),
  ]);
}

/** The calls that a number of tokens make: the last one may be incomplete. */
export function callsOf(tokens: readonly ToolToken[]): readonly ExpectedToolCall[] {
  const calls: { name: string; arguments: string }[] = [];
  for (const { name, piece } of tokens) {
    if (name !== undefined) calls.push({ name, arguments: "" });
    const call = calls.at(-1);
    if (call !== undefined) call.arguments += piece;
  }
  return calls;
}
