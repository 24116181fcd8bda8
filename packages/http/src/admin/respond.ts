import { STATUS_CODES } from "node:http";

/** Nothing of it is kept by anybody, framed by anybody, or runs what is not its own. */
const HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

export function respond(
  body: string | null,
  type: string | undefined,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(body, {
    status,
    headers: { ...HEADERS, ...(type !== undefined && { "content-type": type }), ...headers },
  });
}

export function respondJson(value: unknown): Response {
  return respond(JSON.stringify(value), "application/json; charset=utf-8");
}

/** A problem (RFC 9457). Its detail is for whoever has been let in. */
export function refuse(
  status: number,
  code: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const problem = { type: "about:blank", title: STATUS_CODES[status] ?? "Error", status, detail, code };
  return respond(JSON.stringify(problem), "application/problem+json", status, headers);
}

/** With what all answers have, beside its own. */
export function guarded(response: Response): Response {
  for (const [name, value] of Object.entries(HEADERS))
    if (!response.headers.has(name)) response.headers.set(name, value);
  return response;
}
