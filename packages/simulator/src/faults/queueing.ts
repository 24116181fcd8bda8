import type { FaultTable, Takeover } from "./fault.ts";

/** 200 and its headers, `count` keep-alives at the usual distance, then the proper end of the body. */
function keepAlivesThenEnd(hands: Takeover, count: number): void {
  hands.head();
  let sent = 0;
  const next = (): void => {
    if (sent === count) return hands.end();
    hands.after(hands.keepAliveMs, () => {
      sent += 1;
      hands.keepAlive();
      next();
    });
  };
  next();
}

/** What goes wrong before the first token. */
export const queueingFaults: FaultTable = {
  queue_for: {
    phase: "queue",
    summary:
      "waits in the queue for `ms`, with keep-alives, then is answered normally; the queue timeout applies",
    params: { ms: { kind: "number", default: 60_000 } },
    plan: (params) => ({ holdMs: params.number("ms") }),
  },
  queue_forever: {
    phase: "queue",
    summary: "keep-alives until the client leaves; no queue timeout",
    params: {},
    plan: () => ({ holdMs: Infinity }),
  },
  slow_first_token: {
    phase: "headers",
    summary:
      "200 at once, then `ms` of silence before the first token; `keepAlive=true` sends keep-alives meanwhile",
    params: { ms: { kind: "number", default: 30_000 }, keepAlive: { kind: "flag", default: false } },
    plan: (params) => ({ slowStart: { ms: params.number("ms"), keepAlive: params.flag("keepAlive") } }),
  },
  slow_headers: {
    phase: "headers",
    summary: "nothing at all for `ms`, then the usual course",
    params: { ms: { kind: "number", default: 5000 } },
    plan: (params) => ({ delayMs: params.number("ms") }),
  },
  empty_200: {
    phase: "headers",
    summary: "200 and an empty body",
    params: {},
    plan: () => ({ takeOver: (hands) => keepAlivesThenEnd(hands, 0) }),
  },
  blank_then_eof: {
    phase: "headers",
    summary: "200, `n` keep-alives, clean end: what a JSON request sees of a queue timeout",
    params: { n: { kind: "number", default: 3 } },
    plan: (params) => ({ takeOver: (hands) => keepAlivesThenEnd(hands, params.number("n")) }),
  },
  keepalive_then_eof: {
    phase: "headers",
    summary: "200, `n` keep-alives, clean end without [DONE]: what a stream sees of a queue timeout",
    params: { n: { kind: "number", default: 3 } },
    plan: (params) => ({ takeOver: (hands) => keepAlivesThenEnd(hands, params.number("n")) }),
  },
};
