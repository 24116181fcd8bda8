import type { AnswerShape, Cut, FaultDefinition, FaultTable } from "./fault.ts";
import type { ParamReader, ParamRules } from "./params.ts";

const tokens: ParamRules = { tokens: { kind: "number", default: 5 } };

/** A fault that strikes after a number of tokens. */
function cut(
  summary: string,
  strike: (hands: Cut, params: ParamReader) => void,
  params: ParamRules = {},
): FaultDefinition {
  return {
    phase: "stream",
    summary,
    params: { ...tokens, ...params },
    plan: (given) => ({ cut: { tokens: given.number("tokens"), strike: (hands) => strike(hands, given) } }),
  };
}

/** In the middle of the arguments of a tool call; of an answer without one, in the middle of its content. */
function middleOfTools({ reasoning, tools, total }: AnswerShape): number {
  const from = tools < total ? tools : reasoning;
  return from + Math.ceil((total - from) / 2);
}

/** What goes wrong while the answer is written. `tokens` counts reasoning and answer together. */
export const cutFaults: FaultTable = {
  stall_after: cut(
    "silent after `tokens` tokens with the connection open, for `ms` or for ever",
    (hands, params) => hands.stall({ ms: params.optional("ms") }),
    { ms: { kind: "number" } },
  ),
  stall_with_keepalive: cut(
    "keep-alives and nothing else after `tokens` tokens, for `ms` or for ever",
    (hands, params) => hands.stall({ ms: params.optional("ms"), keepAlive: true }),
    { ms: { kind: "number" } },
  ),
  slow_drip: {
    phase: "stream",
    summary: "one token every `gapMs`",
    params: { gapMs: { kind: "number", default: 10_000 } },
    plan: (params) => ({ gapMs: params.number("gapMs") }),
  },
  truncate_clean: cut("clean end after `tokens` tokens, without a finish reason or [DONE]", (hands) => {
    hands.write("");
    hands.end();
  }),
  truncate_chunked: cut(
    "the connection is closed (FIN) after `tokens` tokens, without the end of the chunked body",
    (hands) => {
      hands.write("");
      hands.hangUp();
    },
  ),
  truncate_in_tool_call: {
    phase: "stream",
    summary:
      "clean end in the middle of the arguments of a tool call (or of the content, when there is none)",
    params: {},
    plan: () => ({
      cut: {
        tokens: middleOfTools,
        strike(hands) {
          hands.write("");
          hands.end();
        },
      },
    }),
  },
  reset_mid_stream: cut("connection reset after `tokens` tokens", (hands) => {
    hands.write("");
    hands.reset();
  }),
  reset_mid_chunk: cut("connection reset in the middle of the bytes of an event", (hands) => {
    const due = hands.next();
    // What stands in front of the text is nearly all of an event: half of it is no JSON.
    hands.write(due.slice(0, Math.floor(due.length / 2)), true);
    hands.reset();
  }),
  garbage_then_eof: cut("a line of plain text after `tokens` tokens, then a clean end", (hands) => {
    hands.write("upstream error: read ECONNRESET\n", true);
    hands.end();
  }),
  malformed_event: cut(
    "an event that is not JSON in the place of one token, then the stream goes on; a JSON request gets it as its body",
    (hands) => {
      hands.write(hands.streaming ? "data: {not json\n\n" : "{not json", true);
      if (hands.streaming) hands.proceed(true);
      else hands.end();
    },
  ),
  error_event: cut(
    "an error object with `type`, `code`, `message` after `tokens` tokens under status 200, then a clean end",
    (hands, params) => {
      const error = {
        message: params.text("message") ?? "",
        type: params.text("type") ?? "",
        code: params.text("code") ?? "",
      };
      hands.write(hands.error(error), true);
      hands.end();
    },
    {
      type: { kind: "text", default: "server_error" },
      code: { kind: "text", default: "server_error" },
      message: { kind: "text", default: "Internal Server Error" },
    },
  ),
};
