import { createHash } from "node:crypto";

import { createExchange } from "../exchange.ts";
import { planOf, type CheckedAction } from "../faults/action.ts";
import type { Plan } from "../faults/fault.ts";
import { takeOver } from "../faults/take-over.ts";
import type { Replica } from "../replica.ts";
import { parseRequest } from "../request/parse.ts";
import { createRng, type Rng } from "../rng.ts";
import type { IncomingCall, Sink } from "../sink/sink.ts";
import type { Answer } from "../text/answer.ts";
import { tooLarge, type ErrorReply } from "../wire/errors.ts";
import { bearerOf, type World } from "../world.ts";
import { admit } from "./admit.ts";
import { startRun, type Identification, type Run } from "./run.ts";
import { queueUp } from "./wait.ts";

/**
 * Serves `POST /chat/completions`, and below `/beta`, where an answer may continue a prefix, also `/completions`. The
 * checks come first, then a fault, if there is one for this request, then the queue.
 */
export function serveCompletion(
  world: World,
  call: IncomingCall,
  { path, beta, replica }: { path: string; beta: boolean; replica: Replica },
  sink: Sink,
): void {
  const body = call.body ?? "";
  const bodySha256 = createHash("sha256").update(body).digest("hex");
  const parsed =
    call.body === undefined
      ? { error: tooLarge() }
      : parseRequest(body, world.models, { fim: path === "/completions", beta });
  const ok = "error" in parsed ? undefined : parsed;
  const scope = call.headers["x-sim-id"] ?? ok?.request.user_id ?? bodySha256.slice(0, 16);
  const count = world.countOf(scope);
  const rngFor = (purpose: string): Rng => createRng(world.seed, scope, count, purpose);
  const streaming = ok?.request.stream === true;
  const dialect = world.dialect();
  const exchange = createExchange(sink, rngFor("trace").hex(32), streaming, dialect);
  const callId = call.headers["x-breakwater-call-id"];
  const retryCount = call.headers["x-stainless-retry-count"];
  const identification: Identification = {
    scope,
    account: "",
    keyTail: "",
    replica: replica.name,
    path,
    model: ok?.request.model ?? "",
    stream: streaming,
    ...(callId === undefined ? {} : { callId }),
    ...breakwaterHeadersOf(call.headers),
    ...(retryCount === undefined ? {} : { retryCount }),
    bodySha256,
    promptTokens: ok?.promptTokens ?? 0,
    tReceived: world.clock.now(),
  };

  function reject(error: ErrorReply): void {
    exchange.reply(error);
    world.log.add({
      ...identification,
      tEnded: world.clock.now(),
      keepAlives: 0,
      tokensGenerated: 0,
      tokensWritten: 0,
      bytes: exchange.bytes,
      status: exchange.status,
      outcome: "rejected",
      cacheHitTokens: 0,
      billedUsd: 0,
      billedNanoUsd: "0",
      tier: world.tier(),
    });
  }

  const admitted = admit(world, call, parsed, identification);
  if ("error" in admitted) return reject(admitted.error);
  const { request, model, promptTokens, account, answer, headerFault } = admitted;
  const user = request.user_id ?? undefined;
  const release = account.begin(model.id, user);

  const facts = {
    path,
    method: call.method,
    model: request.model,
    account: account.id,
    key: bearerOf(call.headers["authorization"]),
    replica: replica.name,
    userId: user,
    stream: streaming,
    headers: call.headers,
    scope,
  };
  // A fault in the header is meant for this request: it goes before all rules.
  const action =
    headerFault === undefined
      ? (world.faultFor(facts, rngFor) ?? replica.fault(rngFor))
      : pick(headerFault, rngFor);
  let plan: Plan = {};
  if (action !== undefined && action.name !== "none") {
    const planned = planOf(action, rngFor("fault"));
    plan = planned.plan;
    identification.fault = planned.label;
  }

  const ids = rngFor("ids");
  const order = {
    request,
    promptTokens,
    model,
    account,
    replica,
    answer: plan.answer?.(answer) ?? answer,
    plan,
    dialect,
    gaps: rngFor("gaps"),
    groups: rngFor("groups"),
    head: {
      id: ids.uuid(),
      created: world.createdBase + count,
      model: plan.model ?? request.model,
      fingerprint: `fp_${createRng(world.seed, model.id, "fingerprint").hex(10)}_prod0820_fp8_kvcache`,
      callIds: callIdsOf(answer, rngFor),
    },
  };
  const run = startRun(world, exchange, order, identification, release);
  sink.onClientGone(() => run.clientGone());
  begin(run);
}

/** Sends the request on its way: healthy, altered, or into the hands of a fault. */
function begin(run: Run): void {
  const { exchange, world } = run;
  const { plan, answer } = run.order;
  if (plan.takeOver !== undefined) return takeOver(plan.takeOver, exchange, world, run);
  const { asJson, wrongType, fragment, stale, closeAt } = plan;
  exchange.alter({
    asJson,
    wrongType,
    fragment,
    stale,
    edit: plan.edit?.({
      tokens: answer.reasoningTokens + answer.contentTokens + answer.toolTokens,
      damaged: () => (run.damaged = true),
    }),
  });
  if (closeAt !== undefined) {
    run.after(run.tReceived + closeAt.ms - world.clock.now(), () => {
      if (closeAt.clean) exchange.end();
      else exchange.hangUp();
      run.close("faulted");
    });
  }
  if (plan.delayMs === undefined) queueUp(run);
  else run.after(plan.delayMs, () => queueUp(run));
}

function callIdsOf(answer: Answer, rngFor: (purpose: string) => Rng): readonly string[] {
  if (answer.toolTokens === 0) return [];
  const ids = rngFor("call-ids");
  const calls = answer.tool(answer.toolTokens - 1).call + 1;
  return Array.from(
    { length: calls },
    (_, index) => `call_${String(index).padStart(2, "0")}_${ids.alphanumeric(24)}`,
  );
}

function pick(
  fault: (CheckedAction & { probability?: number }) | undefined,
  rngFor: (purpose: string) => Rng,
): CheckedAction | undefined {
  if (fault?.probability !== undefined && rngFor("header-fault").next() >= fault.probability)
    return undefined;
  return fault;
}

/** What a client tells of itself: its own headers, and of a flood of them or of a long one not all. */
function breakwaterHeadersOf(
  headers: IncomingCall["headers"],
): Pick<Identification, "breakwaterHeaders"> | undefined {
  const own = Object.entries(headers).filter(([name]) => name.startsWith("x-breakwater-"));
  if (own.length === 0) return undefined;
  return {
    breakwaterHeaders: Object.fromEntries(
      own.slice(0, 16).map(([name, value = ""]) => [name, value.slice(0, 256)]),
    ),
  };
}
