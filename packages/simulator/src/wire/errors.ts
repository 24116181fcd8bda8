/** What an error object says. */
export interface ErrorFields {
  readonly message: string;
  readonly type: string;
  readonly code: string;
}

/** A complete answer that is not a completion: a status, a content type and a body. */
export interface ErrorReply {
  readonly status: number;
  readonly type: "application/json" | "text/html" | "text/plain";
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What `body` says in DeepSeek's words: other hosts say it in theirs. */
  readonly error?: ErrorFields;
}

function json(status: number, message: string, type: string, code: string): ErrorReply {
  const body = JSON.stringify({ error: { message, type, param: null, code } });
  return { status, type: "application/json", body, error: { message, type, code } };
}

// `code` says invalid_request_error even for 401, 402 and 429: that is what the real API sends.
const invalid = "invalid_request_error";

/** The error page of the edge, byte for byte the layout of nginx and openresty. */
function page(status: number, reason: string): ErrorReply {
  const title = `${status} ${reason}`;
  const lines = [
    "<html>",
    `<head><title>${title}</title></head>`,
    "<body>",
    `<center><h1>${title}</h1></center>`,
    "<hr><center>openresty</center>",
    "</body>",
    "</html>",
    "",
  ];
  return { status, type: "text/html", body: lines.join("\r\n") };
}

export const badRequest = (message: string): ErrorReply => json(400, message, invalid, invalid);
/** A body of the wrong shape. Recent reports show 400; older ones, and the error table of the documentation, 422. */
export const wrongShape = (message: string, status: 400 | 422 = 400): ErrorReply =>
  json(status, `Failed to deserialize the JSON body into the target type: ${message}`, invalid, invalid);
export const unparsable = (reason: string): ErrorReply =>
  badRequest(`Failed to parse the request body as JSON: ${reason}`);
export const unsupportedMediaType = (): ErrorReply =>
  json(415, "Expected request with `Content-Type: application/json`", invalid, invalid);

export const modelNotExist = (): ErrorReply => badRequest("Model Not Exist");
export const reasoningMissing = (): ErrorReply =>
  badRequest("The `reasoning_content` in the thinking mode must be passed back to the API.");
export const contextExceeded = (window: number, prompt: number, completion: number): ErrorReply =>
  badRequest(
    `This model's maximum context length is ${window} tokens. However, you requested ${prompt + completion} tokens ` +
      `(${prompt} in the messages, ${completion} in the completion). ` +
      "Please reduce the length of the messages or completion.",
  );

export const keyMissing = (): ErrorReply =>
  json(
    401,
    "Authentication Fails (auth header format should be Bearer sk-...)",
    "authentication_error",
    invalid,
  );
export const keyInvalid = (key: string): ErrorReply =>
  json(
    401,
    `Authentication Fails, Your api key: ****${key.slice(-4)} is invalid`,
    "authentication_error",
    invalid,
  );
/** What the bare host answers: 31 bytes of text. */
export const noSuchPlace = (): ErrorReply => ({
  status: 401,
  type: "text/plain",
  body: "Authentication Fails (governor)",
});
export const insufficientBalance = (): ErrorReply =>
  json(402, "Insufficient Balance", "unknown_error", invalid);
export const notFound = (): ErrorReply => page(404, "Not Found");
export const tooLarge = (): ErrorReply => page(413, "Request Entity Too Large");

/** The 429 of an account. Both numbers are in the text, so a client can learn its limit from it. */
export function concurrencyExceeded(current: number, limit: number, byBalance: boolean): ErrorReply {
  const why = byBalance
    ? " based on your remaining balance. Please top up your balance to restore your concurrency."
    : ".";
  const message = `Too many requests. Your current concurrency is ${current}, which exceeds your concurrency limit of ${limit}${why}`;
  return json(429, message, "rate_limit_error", invalid);
}
/** The 429 of one `user_id`. It names no limit of the account: nobody should take it for one. */
export const userConcurrencyExceeded = (current: number, limit: number): ErrorReply =>
  json(
    429,
    `Too many requests of one user. The current concurrency of this user_id is ${current}, which exceeds the ${limit} that a user_id may have.`,
    "rate_limit_error",
    invalid,
  );
export const tokensPerMinuteExceeded = (): ErrorReply =>
  json(429, "Rate limit reached for TPM", "rate_limit_error", invalid);
export const rateLimitReached = (): ErrorReply =>
  json(429, "Rate Limit Reached", "rate_limit_error", invalid);

export const internalError = (): ErrorReply =>
  json(500, "Internal Server Error", "server_error", "server_error");
export const badGateway = (): ErrorReply => page(502, "Bad Gateway");
export const gatewayTimeout = (): ErrorReply => page(504, "Gateway Time-out");
export const tooBusy = (): ErrorReply =>
  json(
    503,
    "Service is too busy. We advise users to temporarily switch to alternative LLM API service providers.",
    "service_unavailable_error",
    "service_unavailable_error",
  );
/** The flat shape that SiliconFlow sends. */
export const tooBusyFlat = (): ErrorReply => ({
  status: 503,
  type: "application/json",
  body: JSON.stringify({
    code: 50508,
    message: "System is too busy now. Please try again later.",
    data: null,
  }),
});

/**
 * A mistake in one of the simulator's own headers: the real API has no such answer, so it says who speaks, and says it
 * alike in every personality.
 */
export function simulatorMistake(message: string): ErrorReply {
  const { status, type, body } = json(400, message, "simulator_error", "simulator_error");
  return { status, type, body };
}
