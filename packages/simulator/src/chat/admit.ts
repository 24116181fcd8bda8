import type { Account } from "../accounts.ts";
import { SimulatorConfigError } from "../checks.ts";
import { parseAction, type CheckedAction } from "../faults/action.ts";
import type { ParsedRequest } from "../request/parse.ts";
import type { IncomingCall } from "../sink/sink.ts";
import { answerOf, type Answer } from "../text/answer.ts";
import {
  concurrencyExceeded,
  insufficientBalance,
  keyInvalid,
  keyMissing,
  simulatorMistake,
  tooLarge,
  unsupportedMediaType,
  userConcurrencyExceeded,
  type ErrorReply,
} from "../wire/errors.ts";
import type { World } from "../world.ts";
import type { Identification } from "./run.ts";

/** A request that may be served, and by what its headers say. */
export interface Admitted extends ParsedRequest {
  readonly account: Account;
  readonly answer: Answer;
  readonly headerFault: (CheckedAction & { probability?: number }) | undefined;
}

interface Refused {
  readonly error: ErrorReply;
}

/**
 * The checks in the order of the API: key, JSON, model, parameters, balance, concurrency of the account and of the user.
 * The first that fails answers. Who asks is written into `identification` as soon as it is known.
 */
export function admit(
  world: World,
  call: IncomingCall,
  parsed: ParsedRequest | Refused,
  identification: Identification,
): Admitted | Refused {
  const identity = world.identify(call.headers["authorization"]);
  if ("key" in identity)
    return { error: identity.key === "missing" ? keyMissing() : keyInvalid(identity.given) };
  const { account, keyTail } = identity;
  identification.account = account.id;
  identification.keyTail = keyTail;
  if (call.body === undefined) return { error: tooLarge() };
  if (!isJson(call.headers["content-type"])) return { error: unsupportedMediaType() };
  if ("error" in parsed) return parsed;

  const wishes = readHeaders(world, parsed, call.headers);
  if ("error" in wishes) return wishes;
  const error = limitOf(account, parsed);
  return error === undefined ? { ...parsed, ...wishes, account } : { error };
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/(?:[\w.-]+\+)?json(?:\s*;|$)/i.test(contentType ?? "");
}

/** What the simulator's own headers, and `metadata.sim`, ask for. */
function readHeaders(
  world: World,
  { request }: ParsedRequest,
  headers: IncomingCall["headers"],
): Pick<Admitted, "answer" | "headerFault"> | Refused {
  const { "x-sim-tokens": tokens, "x-sim-answer": answer, "x-sim-fault": fault } = headers;
  if (answer !== undefined && answer !== "tools" && answer !== "text")
    return { error: simulatorMistake(`x-sim-answer: got "${answer}"; write tools or text`) };
  try {
    return {
      answer: answerOf(request, {
        ...world.text,
        seed: world.seed,
        ...(tokens === undefined ? {} : { tokens }),
        ...(answer === undefined ? {} : { answer }),
      }),
      headerFault: fault === undefined ? undefined : parseAction("x-sim-fault", fault),
    };
  } catch (mistake) {
    if (mistake instanceof TypeError || mistake instanceof SimulatorConfigError)
      return { error: simulatorMistake(mistake.message) };
    throw mistake;
  }
}

function limitOf(account: Account, { request, model }: ParsedRequest): ErrorReply | undefined {
  if (account.balanceUsd <= 0) return insufficientBalance();
  const { limit, byBalance } = account.limit(model.id);
  const current = account.inFlight(model.id) + 1;
  if (current > limit) return concurrencyExceeded(current, limit, byBalance);
  if (request.user_id == null) return undefined;
  const ofUser = account.inFlightOf(request.user_id) + 1;
  return ofUser > account.userLimit ? userConcurrencyExceeded(ofUser, account.userLimit) : undefined;
}
