import type { Answer } from "../text/answer.ts";
import type { Edit, FaultTable } from "./fault.ts";

type Json = Readonly<Record<string, unknown>>;

const prefix = "data: ";

/** Changes the object inside an event, or a JSON body; what is not JSON (`[DONE]`) stays as it is. */
function editObject(change: (object: Json, isEvent: boolean) => Json | undefined): Edit {
  return (bytes) => {
    const isEvent = bytes.startsWith(prefix);
    const text = isEvent ? bytes.slice(prefix.length) : bytes;
    if (!text.startsWith("{")) return bytes;
    const object = JSON.parse(text) as Json;
    const changed = change(object, isEvent);
    if (changed === undefined) return "";
    if (changed === object) return bytes;
    return isEvent ? `${prefix}${JSON.stringify(changed)}\n\n` : JSON.stringify(changed);
  };
}

const choicesOf = (object: Json): readonly Json[] => (object["choices"] ?? []) as readonly Json[];

/** The answer with another text in the place of the token at `index`, or of its last one. */
function withToken(answer: Answer, index: number, text: string): Answer {
  const { reasoningTokens, contentTokens } = answer;
  const at = Math.min(index, reasoningTokens + contentTokens - 1);
  const put =
    (place: number, usual: Answer["content"]) =>
    (token: number): string =>
      token === place ? text : usual(token);
  return at < reasoningTokens
    ? { ...answer, reasoning: put(at, answer.reasoning) }
    : { ...answer, content: put(at - reasoningTokens, answer.content) };
}

/** A chunk that is there for its usage only goes as a whole. */
function withoutUsage(object: Json): Json | undefined {
  const { usage, ...rest } = object;
  if (usage == null) return object;
  return choicesOf(object).length === 0 ? undefined : rest;
}

/** Which event a fault that strikes after `tokens` tokens concerns: event 0 is the role. It must not be lost. */
const eventAfter = (tokens: number, total: number): number => Math.max(1, Math.min(tokens + 1, total));

/** Answers whose bytes are not what they should be. A JSON answer has one place that they can concern: its body. */
export const alterationFaults: FaultTable = {
  fragment: {
    phase: "stream",
    summary:
      "everything is written in pieces of `bytes` bytes, each a packet of its own; `crlf=true` ends lines with CRLF",
    params: { bytes: { kind: "number", default: 1, min: 1 }, crlf: { kind: "flag", default: false } },
    plan: (params) => ({ fragment: { bytes: params.number("bytes"), crlf: params.flag("crlf") } }),
  },
  duplicate_chunk: {
    phase: "stream",
    summary: "the event behind `tokens` tokens comes twice; no effect on a JSON request",
    params: { tokens: { kind: "number", default: 5 } },
    plan: (params) => ({
      edit(hands) {
        const twice = eventAfter(params.number("tokens"), hands.tokens);
        return (event, index) => {
          if (index !== twice || !event.startsWith(prefix)) return event;
          hands.damaged();
          return event + event;
        };
      },
    }),
  },
  reorder: {
    phase: "stream",
    summary: "the event behind `tokens` tokens and the next change places; no effect on a JSON request",
    params: { tokens: { kind: "number", default: 5 } },
    plan: (params) => ({
      edit(hands) {
        const late = Math.min(eventAfter(params.number("tokens"), hands.tokens), hands.tokens - 1);
        let held = "";
        return (event, index) => {
          if (index !== late && held === "") return event;
          if (index === late && late > 0 && event.startsWith(prefix)) {
            held = event;
            return "";
          }
          const both = event + held;
          if (held !== "") hands.damaged();
          held = "";
          return both;
        };
      },
    }),
  },
  big_event: {
    phase: "stream",
    summary: "the token behind `tokens` tokens is `bytes` bytes long",
    params: {
      tokens: { kind: "number", default: 5 },
      bytes: { kind: "number", default: 2 * 1024 * 1024, min: 1 },
    },
    plan: (params) => ({
      answer: (answer) =>
        withToken(answer, params.number("tokens"), ` ${"x".repeat(params.number("bytes") - 1)}`),
    }),
  },
  malformed_json: {
    phase: "finish",
    summary:
      "a JSON body that ends after `bytes` bytes; in a stream, the event behind `tokens` tokens breaks off after them",
    params: { tokens: { kind: "number", default: 5 }, bytes: { kind: "number", default: 60 } },
    plan: (params) => ({
      edit(hands) {
        const broken = eventAfter(params.number("tokens"), hands.tokens);
        return (bytes, index) => {
          const isEvent = bytes.startsWith(prefix);
          if (isEvent && index !== broken) return bytes;
          hands.damaged();
          return isEvent
            ? `${bytes.trimEnd().slice(0, prefix.length + params.number("bytes"))}\n\n`
            : bytes.slice(0, params.number("bytes"));
        };
      },
    }),
  },
  wrong_content_type: {
    phase: "headers",
    summary: "a stream that calls itself application/json; a JSON answer that calls itself text/event-stream",
    params: {},
    plan: () => ({ wrongType: true }),
  },
  json_instead_of_sse: {
    phase: "headers",
    summary: "a JSON answer to a request that wants a stream; no effect on a JSON request",
    params: {},
    plan: () => ({ asJson: true }),
  },
  model_swap: {
    phase: "stream",
    summary: "the answer names the model `to`, whatever was asked for",
    params: { to: { kind: "text", default: "deepseek-v4-flash" } },
    plan: (params) => ({ model: params.text("to") ?? "" }),
  },
  usage_missing: {
    phase: "finish",
    summary: "an answer without usage",
    params: {},
    plan: () => ({ edit: () => editObject(withoutUsage) }),
  },
  done_no_finish: {
    phase: "finish",
    summary: "[DONE] without a chunk that says why; a JSON answer with a finish reason of null",
    params: {},
    plan: () => ({
      edit: () =>
        editObject((object, isEvent) => {
          const choices = choicesOf(object);
          if (isEvent) return choices[0]?.["finish_reason"] == null ? object : undefined;
          return { ...object, choices: choices.map((choice) => ({ ...choice, finish_reason: null })) };
        }),
    }),
  },
};
