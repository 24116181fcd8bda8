import { type CallOptions, type Client, type Full, lazyStream, unwrap } from "@breakwater/core";

import { asStream } from "./as-stream.ts";
import type { FimChunk, FimCompletion, FimRequest } from "./fim.ts";
import type { ChatAnswer, ChatRequest } from "./types.ts";

/** Fills in what is missing between two texts. */
export interface Fim {
  /** Asks, and waits for the whole text. It may be empty: there is nothing to be filled in. */
  (request: FimRequest, options?: CallOptions): Promise<FimCompletion>;
  /** The text together with what is known of how it came about. */
  full(request: FimRequest, options?: CallOptions): Promise<Full<FimCompletion>>;
  /** As `DeepSeek.stream`: the call begins with the first read, and leaving the loop cancels it. */
  stream(request: FimRequest, options?: CallOptions): AsyncIterableIterator<FimChunk>;
}

/**
 * @internal Such requests go the way of the chats, through the same policies: limits, permits and breakers are about
 * the host and the account, and both kinds use those up.
 */
export function createFim(client: Client<ChatRequest, ChatAnswer>): Fim {
  const full: Fim["full"] = async (request, options) => {
    const { value, meta } = await client.full(asChat({ ...request, stream: false }), options);
    return { value: value as unknown as FimCompletion, meta };
  };
  return Object.assign(
    async (request: FimRequest, options?: CallOptions) => (await full(request, options)).value,
    {
      full,
      stream: (request: FimRequest, options: CallOptions = {}) =>
        lazyStream(async (signal) => {
          const stream_options = request.stream_options ?? { include_usage: true };
          const streamed = asChat({ ...request, stream: true, stream_options });
          const answer = unwrap(await client.outcome(streamed, { ...options, signal }));
          return asStream(answer, streamed) as AsyncIterable<unknown> as AsyncIterable<FimChunk>;
        }, options.signal),
    },
  );
}

/** One client serves both, and the chats are by far the most: its policies are typed for them. */
function asChat(request: FimRequest): ChatRequest {
  return request as unknown as ChatRequest;
}
