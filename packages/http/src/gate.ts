import type { IncomingMessage, ServerResponse } from "node:http";

import {
  chain,
  ConfigError,
  createPipeline,
  type Pipeline,
  type Policy,
  type Settings,
} from "@breakwater/core";

import { isGone } from "./client-gone.ts";
import { openContext } from "./context.ts";
import { problem, problemOfFailure, problemOfRefusal, type ProblemResponse } from "./problem.ts";

/** Guards in front of a server, for the requests that come in. */
export interface Gate {
  /**
   * `undefined` once the request may go on; else what to answer. What it took is given back when the response closes.
   * Throws what a function of the user's, such as `key`, has thrown, and a ConfigError where `limits` are no limits.
   */
  admit(req: IncomingMessage, res: ServerResponse, given?: Admitted): Promise<ProblemResponse | undefined>;
  /** For `describe()`, `snapshot()`, `on()` and `drain()`. */
  readonly pipeline: Pipeline;
}

/** What a framework knows better than the request itself. */
export interface Admitted {
  /** What guards see as the request, as `key` and `limits` of a rate limit do. @default the node request */
  readonly input?: unknown;
  /** Whose request it is. @default the call context's */
  readonly tenant?: string | undefined;
}

const GUARD = Symbol.for("breakwater.guard");

/**
 * Puts guards in front of a server. They see the request as `call.request`, so that `rateLimit({ key: (req) => … })`
 * knows whose it is; a bulkhead counts a request until the last byte of its answer. Settings, such as another clock, may
 * stand before them.
 *
 * @throws ConfigError for policies that do not admit, such as `retry` and `timeout`: a request that came in cannot be
 * made again, and its time is bounded by the context's `deadline`.
 */
export function createGate(...given: readonly (Policy | Settings)[]): Gate {
  const [first, ...others] = given;
  const named = typeof first === "object" && !("apply" in first);
  const settings: Settings = { name: "inbound", ...(named ? first : {}) };
  const pipeline = createPipeline(settings, ...((named ? others : given) as readonly Policy[]));
  for (const policy of pipeline.parts ?? []) {
    if (GUARD in policy && policy.kind !== "timeout") continue;
    throw new ConfigError(
      `inbound: ${policy.kind} does not admit requests. Use guards such as rateLimit() and bulkhead(); a deadline is an option of the context.`,
    );
  }
  return {
    pipeline,
    admit: (req, res, { input = req, tenant } = {}) =>
      // A client that leaves while it waits leaves the queue, too: the context's signal says so.
      openContext(req, res, {}, () => {
        return new Promise((resolve, reject) => {
          const admitted = (): Promise<void> => {
            resolve(undefined);
            return closed(res);
          };
          void chain(pipeline.outcome(admitted, { input, tenant }), (outcome) => {
            if (outcome.status === "refused") resolve(problemOfRefusal(outcome.refusal));
            if (outcome.status === "failed") {
              const found = problemOfFailure(outcome);
              // What a function of the user's has thrown, or made of limits and costs, is for the framework to tell.
              if (found === undefined || found.problem.status === 500) reject(outcome.error);
              else resolve(found);
            }
            if (outcome.status === "cancelled") resolve(problem(503, "CANCELLED", 1_000));
          });
        });
      }),
  };
}

function closed(res: ServerResponse): Promise<void> {
  if (res.closed || isGone(res)) return Promise.resolve();
  return new Promise((resolve) => {
    res.once("close", () => resolve());
  });
}
