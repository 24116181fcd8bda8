import type { IncomingMessage, ServerResponse } from "node:http";

import type { Client, MaybePromise } from "@breakwater/core";

import { problemOfBody } from "./body.ts";
import { openContext } from "./context.ts";
import { plainReply, type Reply, sendOutcome, type SendOptions } from "./send.ts";

/**
 * A whole route: makes a client's request of a web request, and answers with what the client answers. A body that is
 * missing, or of a type that nobody reads, is a clear 4xx where the request could not be made of it.
 *
 * Throws what `toRequest` throws otherwise, and errors of the client that are not ours, as they are.
 */
export function answerRequest<Req, Res>(
  req: IncomingMessage,
  res: ServerResponse,
  client: Pick<Client<Req, Res>, "outcome">,
  toRequest: () => MaybePromise<Req>,
  options: SendOptions<Res> = {},
  reply: Reply = plainReply(res),
): Promise<void> {
  return openContext(req, res, {}, async () => {
    let request: Req;
    try {
      request = await toRequest();
    } catch (error) {
      const found = problemOfBody(req);
      if (found === undefined) throw error;
      reply.problem(found);
      return;
    }
    await sendOutcome(res, client.outcome(request), options, reply);
  });
}
