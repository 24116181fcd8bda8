import { serveCompletion } from "./chat/serve.ts";
import { serveControl, type ControlTarget } from "./control/control.ts";
import { createExchange } from "./exchange.ts";
import { planOf } from "./faults/action.ts";
import { takeOver } from "./faults/take-over.ts";
import { inCents } from "./money.ts";
import type { Replica } from "./replica.ts";
import { createRng, type Rng } from "./rng.ts";
import type { Answering, IncomingCall, Sink } from "./sink/sink.ts";
import { badGateway, keyInvalid, keyMissing, noSuchPlace, notFound, type ErrorReply } from "./wire/errors.ts";
import { bearerOf, type World } from "./world.ts";

/** Sends each call to where it belongs. `world` is asked for anew each time: a reset replaces it. */
export function createRouter(world: () => World, control: ControlTarget): Answering {
  return (call, sink) => {
    if (call.path.startsWith("/__sim")) return serveControl(control, call, sink);
    const pin = call.replica === undefined ? /^\/r\/([^/]+)(?=\/)/.exec(call.path) : null;
    const pinned = call.replica ?? pin?.[1];
    if (pinned !== undefined && !world().hasReplica(pinned)) return reply(world(), call, sink, notFound());
    const replica = world().route(pinned);
    // A dead machine answers nothing; the balancer in front of all of them says that none is left.
    if (replica === undefined)
      return pinned === undefined ? reply(world(), call, sink, badGateway()) : sink.reset();
    const rest = call.path.slice(pin?.[0].length ?? 0);
    // "v1" stands for compatibility and not for a version: both paths are the same place. "beta" adds to it.
    const path = rest.replace(/^(\/beta)?(\/v1)?(?=\/)/, "");
    const beta = rest.startsWith("/beta/");
    const completes = path === "/chat/completions" || (beta && path === "/completions");
    if (call.method === "POST" && completes)
      return serveCompletion(world(), call, { path, beta, replica }, sink);
    if (call.method === "GET") serveGet(world(), call, { path, replica }, sink);
    else reply(world(), call, sink, notFound());
  };
}

function reply(world: World, call: IncomingCall, sink: Sink, answer: ErrorReply): void {
  const scope = call.headers["x-sim-id"] ?? call.path;
  const traceId = createRng(world.seed, scope, world.countOf(scope), "trace").hex(32);
  createExchange(sink, traceId, false, world.dialect()).reply(answer);
}

const json = (body: unknown): ErrorReply => ({
  status: 200,
  type: "application/json",
  body: JSON.stringify(body),
});

/** A place that is asked for, and the machine that is asked. */
interface Target {
  readonly path: string;
  readonly replica: Replica;
}

function serveGet(world: World, call: IncomingCall, target: Target, sink: Sink): void {
  const { path } = target;
  if (path === "/") return reply(world, call, sink, noSuchPlace());
  if (path !== "/models" && path !== "/user/balance") return reply(world, call, sink, notFound());
  const identity = world.identify(call.headers["authorization"]);
  if ("key" in identity) {
    return reply(world, call, sink, identity.key === "missing" ? keyMissing() : keyInvalid(identity.given));
  }
  const { account } = identity;
  if (strikes(world, call, target, account.id, sink)) return;
  if (path === "/models") {
    const data = [...world.models.values()]
      .filter((model) => model.unlisted !== true)
      .map((model) => ({ id: model.id, object: "model", owned_by: "deepseek" }));
    return reply(world, call, sink, json({ object: "list", data }));
  }
  const { granted, toppedUp } = account.balance();
  const info = {
    currency: "USD",
    total_balance: inCents(granted + toppedUp),
    granted_balance: inCents(granted),
    topped_up_balance: inCents(toppedUp),
  };
  return reply(world, call, sink, json({ is_available: granted + toppedUp > 0n, balance_infos: [info] }));
}

/** Lets a rule that names this path answer. Such requests are small: only faults that answer at once concern them. */
function strikes(
  world: World,
  call: IncomingCall,
  { path, replica }: Target,
  account: string,
  sink: Sink,
): boolean {
  const scope = call.headers["x-sim-id"] ?? path;
  const count = world.countOf(scope);
  const rngFor = (purpose: string): Rng => createRng(world.seed, scope, count, purpose);
  const { method, headers } = call;
  const facts = {
    path,
    method,
    model: undefined,
    account,
    key: bearerOf(headers["authorization"]),
    replica: replica.name,
    userId: undefined,
    stream: false,
    headers,
    scope,
  };
  const action = world.faultFor(facts, rngFor);
  const plan = action === undefined ? undefined : planOf(action, rngFor("fault")).plan;
  if (plan?.takeOver === undefined) return false;
  const exchange = createExchange(sink, rngFor("trace").hex(32), false, world.dialect());
  const request = { keepAlives: 0, after: world.clock.after.bind(world.clock), close: () => {} };
  takeOver(plan.takeOver, exchange, world, request);
  return true;
}
