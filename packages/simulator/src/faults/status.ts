import {
  badGateway,
  badRequest,
  concurrencyExceeded,
  contextExceeded,
  gatewayTimeout,
  insufficientBalance,
  internalError,
  keyInvalid,
  modelNotExist,
  notFound,
  rateLimitReached,
  reasoningMissing,
  tokensPerMinuteExceeded,
  tooBusy,
  tooBusyFlat,
  tooLarge,
  wrongShape,
  type ErrorReply,
} from "../wire/errors.ts";
import type { FaultDefinition, FaultTable, Plan } from "./fault.ts";
import type { ParamReader, ParamRules } from "./params.ts";

const delay: ParamRules = { afterMs: { kind: "number", default: 0 } };

/** `retryAfter` is sent as it is written, so that absurd values (`-1`, `garbage`, a date in the past) can be tried. */
const retry: ParamRules = { ...delay, retryAfter: { kind: "text" }, retryAfterMs: { kind: "text" } };

function retryHeaders(params: ParamReader): Record<string, string> {
  const after = params.text("retryAfter");
  const afterMs = params.text("retryAfterMs");
  return {
    ...(after === undefined ? {} : { "Retry-After": after }),
    ...(afterMs === undefined ? {} : { "retry-after-ms": afterMs }),
  };
}

/** Reads `name: value|name: value`; what cannot be a header is left out. */
function headersIn(text = ""): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of text.split("|")) {
    const [, name, value] = /^\s*([\w-]+)\s*:\s*([\x20-\x7e]*?)\s*$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) headers[name] = value;
  }
  return headers;
}

function answerWith(params: ParamReader, error: ErrorReply, headers: Record<string, string> = {}): Plan {
  return {
    takeOver: (hands) => {
      const afterMs = params.number("afterMs");
      if (afterMs === 0) hands.reply(error, headers);
      else hands.after(afterMs, () => hands.reply(error, headers));
    },
  };
}

function preset(
  summary: string,
  error: (params: ParamReader) => ErrorReply,
  params: ParamRules = {},
): FaultDefinition {
  return {
    phase: "admission",
    summary,
    params: { ...retry, ...params },
    plan: (given) => answerWith(given, error(given), retryHeaders(given)),
  };
}

/** Statuses with the bodies that the real API, its edge or a third-party host sends. */
export const statusFaults: FaultTable = {
  "400": preset("400, a request that is wrong for ever", () => badRequest("Invalid Format")),
  "400_context": preset("400, prompt and max_tokens exceed the context window", () =>
    contextExceeded(1_048_576, 729_093, 384_000),
  ),
  "400_model": preset("400 Model Not Exist", modelNotExist),
  "400_reasoning": preset("400, the reasoning of a tool turn was not passed back", reasoningMissing),
  "401": preset("401, the key is invalid", () => keyInvalid("0000")),
  "402": preset("402 Insufficient Balance", insufficientBalance),
  "404": preset("404, HTML of the edge", notFound),
  "413": preset("413, HTML of the edge", tooLarge),
  "422": preset("422, the body does not deserialise", () =>
    wrongShape(
      "messages[1].role: unknown variant `robot`, expected one of `system`, `user`, `assistant`, `tool`",
      422,
    ),
  ),
  "429_balance": preset(
    "429, the concurrency limit has shrunk with the balance; `limit` and `current` are in the text",
    (params) =>
      concurrencyExceeded(
        params.optional("current") ?? params.number("limit") + 1,
        params.number("limit"),
        true,
      ),
    { limit: { kind: "number", default: 25 }, current: { kind: "number" } },
  ),
  "429_tpm": preset("429, tokens per minute", tokensPerMinuteExceeded),
  "429_plain": preset("429 without details", rateLimitReached),
  "500": preset("500 Internal Server Error", internalError),
  "502_html": preset("502, HTML of the edge", badGateway),
  "503": preset("503 Service is too busy", tooBusy),
  "503_flat": preset("503 in the flat shape of SiliconFlow", tooBusyFlat),
  "504_html": preset("504, HTML of the edge", gatewayTimeout),
  status: {
    phase: "admission",
    summary: "any status: `code`, `body`, `type` (content type), `headers` as `name: value|name: value`",
    params: {
      ...retry,
      code: { kind: "number", default: 500, min: 200 },
      body: { kind: "text", default: "" },
      type: { kind: "text", default: "application/json" },
      headers: { kind: "text", default: "" },
    },
    plan(params) {
      const type = params.text("type") as ErrorReply["type"];
      const error = { status: params.number("code"), type, body: params.text("body") ?? "" };
      return answerWith(params, error, { ...headersIn(params.text("headers")), ...retryHeaders(params) });
    },
  },
  retry_after: {
    phase: "admission",
    summary:
      "429 (or `status=503`) with `Retry-After` from `seconds` or `date`, or `retry-after-ms` from `ms`; sent as written",
    params: {
      ...delay,
      status: { kind: "number", default: 429, min: 400 },
      seconds: { kind: "text" },
      date: { kind: "text" },
      ms: { kind: "text" },
    },
    plan(params) {
      const after = params.text("date") ?? params.text("seconds");
      const ms = params.text("ms");
      return answerWith(params, params.number("status") === 503 ? tooBusy() : rateLimitReached(), {
        // Neither given: the fault would be no fault.
        ...(after === undefined && ms !== undefined ? {} : { "Retry-After": after ?? "1" }),
        ...(ms === undefined ? {} : { "retry-after-ms": ms }),
      });
    },
  },
};
