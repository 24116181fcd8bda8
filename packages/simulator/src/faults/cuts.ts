import { event } from "../wire/completion.ts";
import type { Cut, FaultDefinition, FaultTable } from "./fault.ts";
import type { ParamReader, ParamRules } from "./params.ts";

const tokens: ParamRules = { tokens: { kind: "number", default: 5 } };

/** A fault that strikes after a number of tokens. */
function cut(
  summary: string,
  strike: (hands: Cut, params: ParamReader) => void,
  params: ParamRules = {},
): FaultDefinition {
  return {
    summary,
    params: { ...tokens, ...params },
    plan: (given) => ({ cut: { tokens: given.number("tokens"), strike: (hands) => strike(hands, given) } }),
  };
}

/** What goes wrong while the answer is written. `tokens` counts reasoning and answer together. */
export const cutFaults: FaultTable = {
  stall_after: cut(
    "silent after `tokens` tokens with the connection open, for `ms` or for ever",
    (hands, params) => hands.stall(params.optional("ms")),
    { ms: { kind: "number" } },
  ),
  truncate_clean: cut("clean end after `tokens` tokens, without a finish reason or [DONE]", (hands) => {
    hands.write("");
    hands.end();
  }),
  reset_mid_stream: cut("connection reset after `tokens` tokens", (hands) => {
    hands.write("");
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
        error: {
          message: params.text("message"),
          type: params.text("type"),
          param: null,
          code: params.text("code"),
        },
      };
      hands.write(hands.streaming ? event(error) : JSON.stringify(error), true);
      hands.end();
    },
    {
      type: { kind: "text", default: "server_error" },
      code: { kind: "text", default: "server_error" },
      message: { kind: "text", default: "Internal Server Error" },
    },
  ),
  isr: {
    summary: "finish_reason insufficient_system_resource after `tokens` tokens",
    params: { tokens: { kind: "number", default: 0 } },
    plan: (given) => ({
      cut: {
        tokens: given.number("tokens"),
        strike: (hands) => hands.finish("insufficient_system_resource"),
      },
    }),
  },
};
