/** What a caller of `fetch` wants, whichever way he said it. */
export interface FetchRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly signal: AbortSignal | undefined;
  /** The call as it was made, for what is passed through. */
  readonly args: Parameters<typeof fetch>;
}

export function readFetchArgs(...args: Parameters<typeof fetch>): FetchRequest {
  const [input, init = {}] = args;
  const request = typeof input === "object" && "url" in input ? input : undefined;
  return {
    url: new URL(typeof input === "string" ? input : "url" in input ? input.url : input.href),
    method: (init.method ?? request?.method ?? "GET").toUpperCase(),
    headers: new Headers(init.headers ?? request?.headers),
    signal: init.signal ?? request?.signal ?? undefined,
    args,
  };
}

/** What the policies for completions are for: chats, and texts to be filled in, which are asked for below `/beta`. */
const COMPLETIONS = /\/chat\/completions\/?$|(?<=\/beta)\/completions\/?$/;

export function isCompletion({ method, url }: FetchRequest): boolean {
  return method === "POST" && COMPLETIONS.test(url.pathname);
}

export function isFimPath({ url }: FetchRequest): boolean {
  return !/\/chat\/completions\/?$/.test(url.pathname);
}

/** The base URL that a request for a completion was made from. */
export function baseOf({ url }: FetchRequest): string {
  return url.origin + url.pathname.replace(COMPLETIONS, "");
}

/** The body as text. Of the kinds of body that fetch takes, SDKs use the first one. */
export async function bodyText({ args: [input, init] }: FetchRequest): Promise<string> {
  const body = init?.body;
  if (typeof body === "string") return body;
  if (body !== undefined && body !== null) return new Response(body).text();
  return typeof input === "object" && "text" in input ? input.text() : "";
}

/** Whether the same call can be made again: a stream is read once. */
export function isReplayable({ args: [input, init] }: FetchRequest): boolean {
  const body = init?.body;
  if (typeof body === "string" || body instanceof Uint8Array || body instanceof ArrayBuffer) return true;
  return (
    (body === undefined || body === null) &&
    !(typeof input === "object" && "body" in input && input.body !== null)
  );
}

/** Headers that belong to the connection, or that whoever sends writes himself. */
const OWN = ["connection", "content-length", "host", "keep-alive", "transfer-encoding", "upgrade"];

export function withoutHopHeaders(headers: Headers): Headers {
  const kept = new Headers(headers);
  for (const name of OWN) kept.delete(name);
  return kept;
}

const CREDENTIALS = ["authorization", "cookie", "proxy-authorization", "x-api-key", "api-key"];

export function withoutCredentials(headers: Headers): Headers {
  const kept = withoutHopHeaders(headers);
  for (const name of CREDENTIALS) kept.delete(name);
  return kept;
}
