import type { TestClock } from "@breakwater/testing";

const LIMIT_MS = 300_000;

/**
 * Node's `fetch` gives up after five minutes without a byte, before the headers and after them. That is part of what a
 * plain client does, and real timers know nothing of virtual time: so here are the same limits with the same errors.
 */
export function withLimitsOfNode(fetch: typeof globalThis.fetch, clock: TestClock): typeof globalThis.fetch {
  return async (input, init = {}) => {
    const given = new AbortController();
    const leave = (): void => given.abort(init.signal?.reason);
    init.signal?.addEventListener("abort", leave);
    const cancel = clock.setTimer(LIMIT_MS, () => given.abort(tooSilent("fetch failed", "Headers")));
    try {
      const response = await fetch(input, { ...init, signal: given.signal });
      const { headers, status, statusText } = response;
      const body = response.body === null ? null : limited(response.body, clock);
      return new Response(body, { headers, status, statusText });
    } finally {
      cancel();
    }
  };
}

function limited(body: ReadableStream<Uint8Array>, clock: TestClock): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const cancel = clock.setTimer(LIMIT_MS, () => {
        controller.error(tooSilent("terminated", "Body"));
        reader.cancel().catch(() => {});
      });
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        controller.error(error);
      } finally {
        cancel();
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

const tooSilent = (message: string, phase: "Headers" | "Body"): TypeError =>
  new TypeError(message, {
    cause: Object.assign(new Error(`${phase} Timeout Error`), {
      name: `${phase}TimeoutError`,
      code: `UND_ERR_${phase.toUpperCase()}_TIMEOUT`,
    }),
  });
