import type { CallOptions } from "./call-options.ts";
import type { Call } from "./call.ts";
import { compose } from "./compose.ts";
import { show } from "./duration.ts";
import { ConfigError } from "./errors.ts";
import { type Any, chain, type Handler, type MaybePromise, type Policy, type Upstream } from "./handler.ts";
import { createEngine, type Engine, type Managed, type Settings } from "./host.ts";
import type { Meta, Outcome } from "./outcome.ts";
import { unwrap, unwrapLater } from "./thrown.ts";

/** A value, and what is known of how it came about. */
export interface Full<T> {
  readonly value: T;
  readonly meta: Meta;
}

/** An upstream with policies around it. Called like a function it answers or throws. */
export interface Client<Req, Res> extends Managed {
  (request: Req, options?: CallOptions): Promise<Res>;
  /** Never throws, and is no promise where nothing had to be waited for. */
  outcome(request: Req, options?: CallOptions): MaybePromise<Outcome<Res>>;
  /** The answer together with its meta; throws like the client itself. */
  full(request: Req, options?: CallOptions): Promise<Full<Res>>;
  /** The client as an upstream: of another client, a fallback, a balancer. */
  readonly upstream: Upstream<Req, Res>;
}

/** What can stand where an upstream is asked for. */
export type Target<Req, Res> = Upstream<Req, Res> | Client<Req, Res>;

/** A target together with settings that belong to no policy. */
export interface TargetWithSettings<Req, Res> extends Settings {
  readonly upstream: Target<Req, Res>;
}

/**
 * Puts policies around an upstream. Written order is the real order: the first policy is the outermost. The upstream
 * comes first because it types every callback that follows.
 *
 * @throws ConfigError when a policy cannot work over this upstream.
 *
 * @example
 * ```ts
 * import { createClient, retry, timeout, upstream } from "@breakwater/core";
 *
 * const ask = createClient(
 *   upstream(async (name: string) => `hello ${name}`),
 *   timeout({ total: "10s" }),
 *   retry({ attempts: 3 }),
 * );
 * await ask("Ada"); // => "hello Ada"
 * ```
 */
export function createClient<Req, Res>(
  target: Target<Req, Res> | TargetWithSettings<Req, Res>,
  ...policies: readonly Policy<NoInfer<Req>, NoInfer<Res>>[]
): Client<Req, Res> {
  const settings = typeof target === "object" ? target : {};
  const upstream = upstreamOf(typeof target === "object" ? target.upstream : target, "createClient");
  const engine = createEngine(policies, upstream.traits ?? {}, settings);
  const handler = compose(engine.policies, dispatching(upstream), engine.host);
  const run = (request: Req, options: CallOptions = NO_OPTIONS): MaybePromise<Outcome<Res>> =>
    engine.run(request, options, handler);
  const face = (request: Req, options?: CallOptions): Promise<Res> => {
    try {
      return unwrapLater(run(request, options));
    } catch (error) {
      return Promise.reject(error);
    }
  };
  const client: Client<Req, Res> = Object.assign(face, engine.managed, {
    managed: () => [client],
    outcome: run,
    full: async (request: Req, options?: CallOptions): Promise<Full<Res>> => {
      const outcome = await run(request, options);
      return { value: unwrap(outcome), meta: outcome.meta };
    },
    upstream: inside(engine, handler, upstream),
  });
  return client;
}

/** @internal The handler of an upstream or of a client. */
export function upstreamOf<Req, Res>(target: Target<Req, Res>, where: string): Upstream<Req, Res> {
  if (typeof target !== "function") {
    throw new ConfigError(
      `${where}: an upstream is expected, such as upstream(async (request) => …) or deepseekUpstream(), got ${show(target)}.`,
    );
  }
  return "upstream" in target ? target.upstream : target;
}

const NO_OPTIONS: CallOptions = {};

/** Sees to it that "was it ever sent?" has an answer over every upstream. */
function dispatching<Req, Res>(upstream: Upstream<Req, Res>): Handler<Req, Res> {
  if (upstream.traits?.marks?.includes("dispatched") === true) return upstream;
  return (call) => {
    call.mark("dispatched");
    return upstream(call);
  };
}

/** A client within another call: a call of its own inside that one, whose outcome comes out as it is. */
function inside<Req, Res>(
  engine: Engine,
  handler: Handler<Req, Res>,
  upstream: Upstream<Req, Res>,
): Upstream<Req, Res> {
  const handle = (outer: Call<Req>): MaybePromise<Outcome<Res>> =>
    chain(engine.run<Req, Res>(outer.request, {}, handler, { parent: outer as Call<Any> }), (outcome) => {
      const { callId: _, attempts: __, ...known } = outcome.meta;
      return { ...outcome, meta: Object.assign(outer.meta, known) };
    });
  const marks = new Set(upstream.traits?.marks).add("dispatched");
  return Object.assign(handle, { traits: { ...upstream.traits, marks: [...marks] } });
}
