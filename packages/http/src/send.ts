import type { ServerResponse } from "node:http";

import { discard, type Ending, type MaybePromise, type Meta, type Outcome } from "@breakwater/core";

import { isGone } from "./client-gone.ts";
import { type EventChannel, type EventOptions, openEvents, streamTo } from "./events.ts";
import {
  problem,
  problemOfFailure,
  problemOfRefusal,
  type ProblemResponse,
  toProblem,
  streamFailed,
} from "./problem.ts";
import { sendProblem } from "./send-problem.ts";

/** What is rendered: the answer, or each item of it where the answer is a stream. */
type Item<Res> = Res extends AsyncIterable<infer T> ? T : Res;

/** How an answer is sent; for a stream as server-sent events, for anything else as JSON. */
export type SendOptions<Res = unknown> = EventOptions<Item<Res>>;

/**
 * How a framework sends what goes out in one piece, where it has a way of its own. Streams are always written to the
 * response itself: that is where it can be seen how fast they are read, and when nobody reads them any more.
 */
export interface Reply {
  /** Called while nothing was sent. The body is any value that JSON has. */
  json(body: unknown): void;
  /** Called wherever the response stands, with the error that the problem tells of if there is one. */
  problem(found: ProblemResponse, error?: unknown): void;
  /** The head of a stream is about to go out. */
  stream(): void;
}

/** @internal */
export function plainReply(res: ServerResponse): Reply {
  return {
    json(body) {
      const json = Buffer.from(JSON.stringify(body));
      res.setHeader("content-type", "application/json; charset=utf-8");
      // Node would say it as well, but not to HEAD, whose connection many clients could then not use again.
      res.setHeader("content-length", json.length);
      res.end(json);
    },
    problem: (found) => sendProblem(res, found),
    stream: () => {},
  };
}

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
  reply: Reply = plainReply(res),
): Promise<void> {
  const channel = openEvents(res, options, reply.stream);
  try {
    await conclude(channel, res, await pending, options, reply);
  } finally {
    channel.close();
  }
}

async function conclude<Res>(
  channel: EventChannel,
  res: ServerResponse,
  outcome: Outcome<Res>,
  options: SendOptions<Res>,
  reply: Reply,
): Promise<void> {
  if (isGone(res)) {
    discard(outcome);
    return;
  }
  if (!res.headersSent) setMetaHeaders(res, outcome.meta);
  switch (outcome.status) {
    case "refused":
      reply.problem(problemOfRefusal(outcome.refusal));
      return;
    case "cancelled":
      // Cancelled, and the client is still there: somebody on our side gave it up, as a shutdown does.
      reply.problem(toProblem(outcome.reason) ?? problem(503, "CANCELLED", 1_000));
      return;
    case "failed": {
      const found = problemOfFailure(outcome);
      if (found === undefined && !res.headersSent) throw outcome.error;
      reply.problem(found ?? streamFailed(), outcome.error);
      return;
    }
    case "answered":
      if (!isAsyncIterable<Item<Res>>(outcome.value))
        sendJson(channel, res, outcome.value as Item<Res>, options, reply);
      else if (res.req.method === "HEAD") {
        // Nobody would read it, and its permit is of use to others.
        discard(outcome);
        channel.end();
      } else await stream(channel, res, outcome.value, options, reply, outcome.end);
  }
}

async function stream<T>(
  channel: EventChannel,
  res: ServerResponse,
  items: AsyncIterable<T>,
  options: EventOptions<T>,
  reply: Reply,
  end: Promise<Ending> | undefined,
): Promise<void> {
  let ending: Ending | undefined;
  void end?.then((known) => (ending = known));
  await streamTo(channel, res, items, options, (found, error) => {
    // By somebody on our side, or because the browser did not read on: nothing has gone wrong.
    const givenUp = ending?.status === "cancelled" && ending.error === error;
    if (givenUp) reply.problem(toProblem(error) ?? problem(503, "CANCELLED", 1_000));
    else reply.problem(found, error);
  });
}

function sendJson<T>(
  channel: EventChannel,
  res: ServerResponse,
  value: T,
  { render }: EventOptions<T>,
  reply: Reply,
): void {
  const body: unknown = (render === undefined ? value : render(value)) ?? null;
  if (!res.headersSent) {
    reply.json(body);
    return;
  }
  // A keep-alive has made a stream of it.
  channel.send(body);
  channel.end();
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
