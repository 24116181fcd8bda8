import type { ServerResponse } from "node:http";

import { type ProblemResponse, sendProblem } from "@breakwater/http";
import { type ArgumentsHost, HttpException } from "@nestjs/common";

import { rawOf } from "./route.ts";

/**
 * An error of ours, or one that an SDK has wrapped, as Nest's own: `{ statusCode, message, error, code }`, with the
 * original in `cause`. Your exception filters see it like any other HttpException. Its headers are on the response.
 */
export class BreakwaterException extends HttpException {
  /** Stable, for programs: `RATE_LIMITED`, `CIRCUIT_OPEN`, … */
  readonly code: string;

  constructor({ problem: { status, detail, title, code } }: ProblemResponse, cause?: unknown) {
    super({ statusCode: status, message: detail, error: title, code }, status, { cause });
    this.code = code;
  }
}

/** The exception, once its headers are on the response: Nest's own filters know only status and body. */
export function toException(
  res: ServerResponse,
  found: ProblemResponse,
  cause?: unknown,
): BreakwaterException {
  if (!res.headersSent) for (const [name, value] of Object.entries(found.headers)) res.setHeader(name, value);
  return new BreakwaterException(found, cause);
}

/** Ends an answer that a handler has begun to write: events with an `error` event, anything else by cutting it. */
export function breakOff(host: Pick<ArgumentsHost, "switchToHttp">, found: ProblemResponse): void {
  // Fastify would answer once more, in vain, and that would end the process.
  host.switchToHttp().getResponse<{ hijack?(): void }>().hijack?.();
  sendProblem(rawOf(host).res, found);
}
