import type { IncomingMessage } from "node:http";

import { problem, type ProblemResponse } from "./problem.ts";

/** A body that is larger than what is read here. */
export class BodyTooLargeError extends Error {
  override readonly name = "BodyTooLargeError";
}

/**
 * The whole body of a request, or what a body parser has left of it.
 *
 * @throws BodyTooLargeError; the rest of the body is let through unread, so that the answer arrives.
 */
export async function readBody(
  req: IncomingMessage,
  limit: number,
  parsed?: unknown,
): Promise<Uint8Array | undefined> {
  if (req.readableDidRead && parsed !== undefined) {
    if (parsed instanceof Uint8Array) return parsed;
    return Buffer.from(typeof parsed === "string" ? parsed : JSON.stringify(parsed));
  }
  const chunks: Uint8Array[] = [];
  let size = Number(req.headers["content-length"] ?? 0);
  if (size <= limit) {
    size = 0;
    // Leaving the loop must not destroy the request: the answer goes out over its socket.
    for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) break;
      chunks.push(chunk);
    }
  }
  if (size > limit) {
    req.resume();
    throw new BodyTooLargeError(`the body is larger than ${limit} bytes`);
  }
  return chunks.length === 0 ? undefined : Buffer.concat(chunks);
}

/** What a route that was to make something of the body stumbled over: a body that is missing, or of another type. */
export function problemOfBody(req: IncomingMessage): ProblemResponse | undefined {
  const {
    "content-length": length = "0",
    "transfer-encoding": encoding,
    "content-type": type = "",
  } = req.headers;
  if (req.method === "GET" || req.method === "HEAD" || req.readableDidRead) return undefined;
  if (length === "0" && encoding === undefined) return problem(400, "BODY_MISSING");
  // JSON that nobody has read: a body parser was forgotten, which is no mistake of the client's.
  return /^application\/([\w.+-]+\+)?json\b/i.test(type) ? undefined : problem(415, "UNSUPPORTED_MEDIA_TYPE");
}

/** What body parsers (`body-parser`, `raw-body`, `co-body`) call the client's mistakes, as a problem. */
export function problemOfParser(error: unknown): ProblemResponse | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { type, status, name, body } = error as Partial<Record<"type" | "status" | "name" | "body", unknown>>;
  // co-body, which parses for Koa, gives no type to JSON that is none.
  if (name === "SyntaxError" && status === 400 && typeof body === "string")
    return problem(400, "MALFORMED_BODY");
  if (typeof type !== "string" || typeof status !== "number" || status < 400 || status > 499)
    return undefined;
  if (!/^(entity|encoding|charset|parameters|request|stream)\./.test(type)) return undefined;
  const code = type === "entity.parse.failed" ? "MALFORMED_BODY" : type.replaceAll(".", "_").toUpperCase();
  return problem(status, code);
}
