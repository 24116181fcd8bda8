import type { ServerResponse } from "node:http";

import { isGone } from "./client-gone.ts";
import type { ProblemResponse } from "./problem.ts";

/** What described the answer that there will not be. */
const OF_THE_ANSWER = ["content-encoding", "content-length", "etag", "last-modified"];

/**
 * Answers with a problem, wherever the response stands: as problem+json while nothing was sent, as an `error` event in
 * a stream of events, by cutting the connection in anything else, so that half an answer is never taken for a whole
 * one. Writes nothing when the client is gone or has its answer.
 */
export function sendProblem(res: ServerResponse, found: ProblemResponse): void {
  const { problem } = found;
  if (isGone(res) || res.writableEnded) return;
  if (!res.headersSent) {
    setProblemHead(res, found);
    res.end(JSON.stringify(problem));
  } else if (isEventStream(res)) {
    // SDKs look for `error` with a `message`; there is no `[DONE]` after it.
    res.end(`event: error\ndata: ${JSON.stringify({ error: { message: problem.detail, ...problem } })}\n\n`);
  } else {
    res.destroy();
  }
}

/** Status and headers of a problem, for frameworks that send its body themselves. Nothing may have been sent yet. */
export function setProblemHead(res: ServerResponse, { problem, headers }: ProblemResponse): void {
  takeBack(res);
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  res.setHeader("content-type", "application/problem+json");
  res.setHeader("cache-control", "no-store");
  res.statusCode = problem.status;
  // A framework may have set that of the answer. HTTP/2 has none.
  if (res.req.httpVersionMajor < 2) res.statusMessage = problem.title;
}

/** @internal What was said of an answer, since there will be another one. */
export function takeBack(res: ServerResponse): void {
  for (const name of OF_THE_ANSWER) res.removeHeader(name);
}

function isEventStream(res: ServerResponse): boolean {
  return String(res.getHeader("content-type")).startsWith("text/event-stream");
}
