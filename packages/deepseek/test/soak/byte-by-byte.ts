import type { Fetch } from "../../src/index.ts";

/** A fetch whose answers arrive one byte at a time, as no network would bring them: borders fall everywhere. */
export function byteByByte(fetch: Fetch): Fetch {
  return async (...args) => {
    const response = await fetch(...args);
    const { body, headers, status } = response;
    if (body === null) return response;
    const reader = body.getReader();
    let rest: Uint8Array = new Uint8Array();
    const bytes = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          while (rest.length === 0) {
            const { done, value } = await reader.read();
            if (done) return controller.close();
            rest = value;
          }
          controller.enqueue(rest.subarray(0, 1));
          rest = rest.subarray(1);
        },
        cancel: (reason) => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
    return new Response(bytes, { headers, status });
  };
}
