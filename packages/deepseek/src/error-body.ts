import type { ErrorFacts } from "./classify.ts";

interface Said {
  readonly type: string;
  readonly message: string;
  /** A status that stands in the body itself. */
  readonly status?: number;
}

/** What an error body says, whatever its shape: OpenAI's, SiliconFlow's flat one, an HTML page, nothing. */
export function readErrorBody(body: unknown): Said {
  if (typeof body === "string") return { type: "", message: titleOf(body) };
  if (!isRecord(body)) return { type: "", message: "" };
  const inner = isRecord(body["error"]) ? body["error"] : body;
  const { error } = body;
  const status = [inner["status"], inner["code"], inner["status_code"]].find(isStatus);
  return {
    type: textOf(inner["type"]),
    message: textOf(inner["message"]) || (typeof error === "string" ? error : ""),
    ...(status !== undefined && { status }),
  };
}

/** An error under a status that says it is none: in the middle of a stream, or as a body of 200. */
export function embeddedFacts(body: unknown): ErrorFacts {
  const { type, message, status } = readErrorBody(body);
  return { type, message, status: status ?? byText(type) ?? byText(message) ?? 500 };
}

/** Whether a body with status 200 is an error all the same. */
export function isErrorBody(body: unknown): boolean {
  if (!isRecord(body)) return false;
  if (body["error"] !== undefined && body["error"] !== null) return true;
  return body["choices"] === undefined && body["code"] !== undefined && typeof body["message"] === "string";
}

const TEXTS: readonly (readonly [RegExp, number])[] = [
  [/insufficient[ _](balance|quota|credit|funds)/i, 402],
  [/rate[ _]?limit|too many requests/i, 429],
  [/service_unavailable|overloaded|too busy/i, 503],
  [/authentication|invalid_api_key|invalid api key/i, 401],
  [/permission/i, 403],
  [/not_found/i, 404],
  [/invalid_request/i, 400],
  [/server_error|api_error|internal/i, 500],
];

function byText(text: string): number | undefined {
  return text === "" ? undefined : TEXTS.find(([pattern]) => pattern.test(text))?.[1];
}

/** JSON if it is some, else the text. */
export function parseLeniently(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isStatus(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 400 && value <= 599;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function titleOf(page: string): string {
  const title = /<title>([^<]{1,200})<\/title>/i.exec(page)?.[1];
  return (title ?? (page.includes("<") ? "" : page)).trim().slice(0, 1_000);
}
