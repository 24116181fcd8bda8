import type { IncomingMessage, ServerResponse } from "node:http";

import { BodyTooLargeError, readBody } from "./body.ts";
import { isGone, isLeave } from "./client-gone.ts";
import { type ContextOptions, openContext } from "./context.ts";
import { readContextOptions } from "./options.ts";
import { problem, toProblem } from "./problem.ts";
import { pump } from "./pump.ts";
import { sendProblem, takeBack } from "./send-problem.ts";

/** A server as the web platform spells it; Hono, edge runtimes and the DeepSeek router are made of it. */
export type WebHandler = (request: Request) => Response | Promise<Response>;

export interface MountOptions extends ContextOptions {
  /** Largest body that is read, in bytes. @default 8 MiB, more than a full context of DeepSeek's */
  readonly bodyLimit?: number;
}

/** What a framework knows better than the request itself. */
export interface Given {
  /** The body, where a body parser has read it already. */
  readonly body?: unknown;
  /** Path and query that the handler is to see. @default `req.url` */
  readonly url?: string;
}

/** Serves one request with the handler that it was made from. */
export type NodeHandler = (req: IncomingMessage, res: ServerResponse, given?: Given) => Promise<void>;

/**
 * Serves a web-standard handler over `node:http`: bodies in both directions with back-pressure, `request.signal` fires
 * when the client leaves, and so do the signals of all clients that the handler calls.
 *
 * What the handler throws is answered if it is ours, and thrown as it is otherwise.
 *
 * @throws ConfigError for options that make no sense, as NaN that an unset variable became.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { mount } from "@breakwater/http";
 *
 * const serve = mount(async (request) => Response.json({ path: new URL(request.url).pathname }));
 * const server = createServer((req, res) => void serve(req, res)).listen(0);
 * const { port } = server.address() as { port: number };
 * const response = await fetch(`http://127.0.0.1:${port}/hello`);
 * await response.json(); // => { path: "/hello" }
 * server.close();
 * ```
 */
export function mount(handler: WebHandler, options: MountOptions = {}): NodeHandler {
  const read = readContextOptions("mount", options);
  const bodyLimit = read.count("bodyLimit", 8 * 1024 * 1024, { min: 0 });
  read.done();
  return async (req, res, given = {}) =>
    openContext(req, res, options, async ({ signal }) => {
      try {
        const body = await readBody(req, bodyLimit, given.body);
        const request = toRequest(req, given.url ?? req.url ?? "/", body, signal);
        if (request === undefined) sendProblem(res, problem(400, "BAD_REQUEST"));
        else await sendResponse(res, await handler(request));
      } catch (error) {
        const found =
          error instanceof BodyTooLargeError ? problem(413, "ENTITY_TOO_LARGE") : toProblem(error);
        if (found !== undefined) sendProblem(res, found);
        else if (!isLeave(error, res)) throw error;
      }
    });
}

/** Headers that speak of one connection and not of the message; `Connection` may name more. */
const HOP_BY_HOP = [
  "connection",
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

function hopByHop(connection: string | null | undefined): ReadonlySet<string> {
  const named = connection?.toLowerCase().split(",") ?? [];
  return new Set([...HOP_BY_HOP, ...named.map((name) => name.trim())]);
}

/** `undefined` when it is no request that the web platform can express. */
function toRequest(
  req: IncomingMessage,
  url: string,
  body: Uint8Array | undefined,
  signal: AbortSignal,
): Request | undefined {
  const { method = "GET", headers, socket } = req;
  const hop = hopByHop(headers.connection);
  const scheme = "encrypted" in socket ? "https" : "http";
  try {
    const given: [string, string][] = [];
    for (const [name, value] of Object.entries(headers)) {
      if (value === undefined || hop.has(name) || name.startsWith(":") || name === "content-length") continue;
      for (const one of [value].flat()) given.push([name, one]);
    }
    return new Request(new URL(url, `${scheme}://${headers.host ?? "localhost"}`), {
      method,
      headers: given,
      signal,
      ...(body !== undefined && method !== "GET" && method !== "HEAD" && { body }),
    });
  } catch {
    return undefined;
  }
}

/** Writes a web response to a node one, as fast as the client takes it. A body that breaks off cuts the connection. */
export async function sendResponse(res: ServerResponse, response: Response): Promise<void> {
  const body = response.body?.getReader();
  if (isGone(res)) {
    await body?.cancel().catch(() => undefined);
    return;
  }
  takeBack(res);
  res.statusCode = response.status;
  // Also where it is empty: a framework may have set that of another status. HTTP/2 has none.
  if (res.req.httpVersionMajor < 2) res.statusMessage = response.statusText;
  const hop = hopByHop(response.headers.get("connection"));
  for (const [name, value] of response.headers) {
    if (name === "set-cookie" || hop.has(name)) continue;
    res.setHeader(name, value);
  }
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) res.setHeader("set-cookie", cookies);
  if (body === undefined || res.req.method === "HEAD") {
    await body?.cancel().catch(() => undefined);
    res.end();
    return;
  }
  // A stream may be silent for long, and its reader wants to know that there is one.
  res.flushHeaders();
  const source: AsyncIterator<Uint8Array> = {
    next: () => body.read() as Promise<IteratorResult<Uint8Array>>,
    return: () => body.cancel().then(() => ({ done: true, value: undefined })),
  };
  try {
    if (await pump(res, source, (chunk) => res.write(chunk))) res.end();
  } catch {
    // The head is out, so half an answer can only be told from a whole one by its end.
    res.destroy();
  }
}
