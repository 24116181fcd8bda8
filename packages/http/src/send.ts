import type { ServerResponse } from "node:http";

import { discard, type MaybePromise, type Meta, type Outcome } from "@breakwater/core";

import { isGone } from "./client-gone.ts";
import { type EventChannel, type EventOptions, openEvents, streamTo } from "./events.ts";
import { problem, problemOfFailure, problemOfRefusal } from "./problem.ts";
import { sendProblem } from "./send-problem.ts";

/** What is rendered: the answer, or each item of it where the answer is a stream. */
type Item<Res> = Res extends AsyncIterable<infer T> ? T : Res;

/** How an answer is sent; for a stream as server-sent events, for anything else as JSON. */
export type SendOptions<Res = unknown> = EventOptions<Item<Res>>;

/**
 * Answers a request with an outcome: a stream as server-sent events, anything else as JSON, errors of ours as
 * problem+json. Nothing is written when the client is gone.
 *
 * Throws an error that is not ours as it is, as long as nothing was sent: the framework knows what to do with it.
 */
export async function sendOutcome<Res>(
  res: ServerResponse,
  pending: MaybePromise<Outcome<Res>>,
  options: SendOptions<Res> = {},
): Promise<void> {
  const channel = openEvents(res, options);
  try {
    await conclude(channel, res, await pending, options);
  } finally {
    channel.close();
  }
}

async function conclude<Res>(
  channel: EventChannel,
  res: ServerResponse,
  outcome: Outcome<Res>,
  options: SendOptions<Res>,
): Promise<void> {
  if (isGone(res)) {
    discard(outcome);
    return;
  }
  if (!res.headersSent) setMetaHeaders(res, outcome.meta);
  switch (outcome.status) {
    case "refused":
      sendProblem(res, problemOfRefusal(outcome.refusal));
      return;
    case "cancelled":
      // Cancelled, and the client is still there: somebody on our side gave it up.
      sendProblem(res, problem(503, "CANCELLED", 1_000));
      return;
    case "failed": {
      const found = problemOfFailure(outcome);
      if (found === undefined && !res.headersSent) throw outcome.error;
      sendProblem(res, found ?? problem(500, "STREAM_FAILED"));
      return;
    }
    case "answered":
      if (isAsyncIterable<Item<Res>>(outcome.value)) await streamTo(channel, res, outcome.value, options);
      else sendJson(channel, res, outcome.value as Item<Res>, options);
  }
}

function sendJson<T>(
  channel: EventChannel,
  res: ServerResponse,
  value: T,
  { render }: EventOptions<T>,
): void {
  const body: unknown = render === undefined ? value : render(value);
  if (res.headersSent) {
    // A keep-alive has made a stream of it.
    channel.send(body ?? null);
    channel.end();
    return;
  }
  const json = JSON.stringify(body ?? null);
  res.setHeader("content-type", "application/json; charset=utf-8");
  res.end(json);
}

/** What is known of how an answer came about, for people who look at it with `curl -i`. */
export function setMetaHeaders(res: ServerResponse, meta: Meta): void {
  const { callId, attempts, cache, degraded, target } = meta;
  const known = { "call-id": callId, attempts, cache, degraded, target };
  for (const [name, value] of Object.entries(known)) {
    if (value !== undefined) res.setHeader(`x-breakwater-${name}`, String(value).replaceAll(/[^ -~]/g, "?"));
  }
}

function isAsyncIterable<T>(value: unknown): value is AsyncIterable<T> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}
