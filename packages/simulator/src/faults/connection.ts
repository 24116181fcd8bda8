import type { FaultTable } from "./fault.ts";

/** What happens to the connection before there is an answer, or behind its back. */
export const connectionFaults: FaultTable = {
  refuse: {
    phase: "connect",
    summary:
      "nobody listens for `forMs`: ECONNREFUSED; the request that it strikes is already in and is reset (without sockets: refused too)",
    params: { forMs: { kind: "number", default: 5000 } },
    plan: (params) => ({ takeOver: (hands) => hands.refuse(params.number("forMs")) }),
  },
  accept_hang: {
    phase: "connect",
    summary: "the connection is accepted and the request read, and nothing ever comes",
    params: {},
    plan: () => ({ takeOver: () => {} }),
  },
  reset_before_headers: {
    phase: "connect",
    summary: "the connection is reset after the request was read, `afterMs` later",
    params: { afterMs: { kind: "number", default: 0 } },
    plan: (params) => ({
      takeOver: (hands) => hands.after(params.number("afterMs"), () => hands.reset()),
    }),
  },
  reset_after_headers: {
    phase: "headers",
    summary: "200 and the headers, then, `afterMs` later, the connection is reset",
    params: { afterMs: { kind: "number", default: 0 } },
    plan: (params) => ({
      takeOver(hands) {
        hands.head();
        hands.after(params.number("afterMs"), () => hands.reset());
      },
    }),
  },
  reset_idle_socket: {
    phase: "finish",
    summary:
      "a healthy answer, and the next request on the same connection is reset: the race with a socket that died while idle",
    params: {},
    plan: () => ({ stale: true }),
  },
  cut_at_ms: {
    phase: "stream",
    summary:
      "the connection is closed when the request is `ms` old, wherever it stands then; `clean=false` leaves the end of the body out",
    params: { ms: { kind: "number", default: 600_000 }, clean: { kind: "flag", default: true } },
    plan: (params) => ({ closeAt: { ms: params.number("ms"), clean: params.flag("clean") } }),
  },
};
