import { isLeave, type ProblemResponse, type Reply, sendProblem, setProblemHead } from "@breakwater/http";
import type { Context } from "koa";

/**
 * What goes out in one piece is left to Koa, so that middleware around it sees status and body and may still set
 * headers. A stream is written to the response itself: as a `body` it would be sent when all middleware is through, by
 * a pipe that knows neither keep-alives nor what to say of an error in its middle.
 */
export function replyOf(ctx: Context): Reply {
  return {
    json(body) {
      // A string would be sent as text, a buffer as what is in it.
      ctx.body = PLAIN.has(Object.getPrototypeOf(body ?? "")) ? body : JSON.stringify(body);
      ctx.type = "json";
    },
    problem: (found, error) => setProblem(ctx, found, error),
    // As Koa does once there is a body.
    stream: () => void (ctx.status = ctx.status === 404 ? 200 : ctx.status),
  };
}

/** Answers with a problem, wherever the response stands. */
export function setProblem(ctx: Context, found: ProblemResponse, error?: unknown): void {
  // Koa's listeners, the one that prints included, are told of what went wrong in the application. Who is refused at
  // a limit, and whom DeepSeek kept waiting, has his answer, and there may be thousands of them; clients have events.
  if (found.problem.status === 500 && error !== undefined && !isLeave(error, ctx.res))
    ctx.app.emit("error", error, ctx);
  if (ctx.headerSent || ctx.respond === false) return sendProblem(ctx.res, found);
  ctx.status = found.problem.status;
  ctx.body = found.problem;
  setProblemHead(ctx.res, found);
}

const PLAIN: ReadonlySet<unknown> = new Set([Object.prototype, Array.prototype, null]);
