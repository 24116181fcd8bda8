import { LinkError } from "./link.ts";

/** What a failed command says about Redis. */
export interface Fault {
  readonly error: LinkError;
  /** Redis cannot do its work at the moment. Else the command was wrong, and another may well succeed. */
  readonly sick: boolean;
}

/** Redis answers, but cannot serve: starting, a replica, a cluster without its slots, out of memory, at another script. */
const SICK: ReadonlySet<string> = new Set([
  "BUSY",
  "CLUSTERDOWN",
  "LOADING",
  "MASTERDOWN",
  "MISCONF",
  "NOREPLICAS",
  "OOM",
  "READONLY",
  "TRYAGAIN",
  "UNBLOCKED",
]);

/** Refused before anything was done. */
const REFUSED: ReadonlySet<string> = new Set([
  "ASK",
  "CROSSSLOT",
  "MOVED",
  "NOAUTH",
  "NOPERM",
  "NOPROTO",
  "NOSCRIPT",
  "WRONGPASS",
]);

/** What ioredis says when it has not even written the command. */
const NOT_SENT = /enableOfflineQueue options is false|Cluster is ended/;

export function faultOf(thrown: unknown): Fault {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code = isReply(thrown) ? codeOf(message) : undefined;
  const cause = bare(thrown, message);
  if (code === undefined) {
    return {
      error: new LinkError(`Redis is not reached: ${message}`, !NOT_SENT.test(message), cause),
      sick: true,
    };
  }
  const sick = SICK.has(code);
  return { error: new LinkError(`Redis says: ${message}`, !sick && !REFUSED.has(code), cause), sick };
}

export function isUnknownScript(thrown: unknown): boolean {
  return isReply(thrown) && codeOf((thrown as Error).message) === "NOSCRIPT";
}

function isReply(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === "ReplyError";
}

function codeOf(message: string): string {
  return /^[A-Z]+/.exec(message)?.[0] ?? "ERR";
}

/** Errors of ioredis carry the command with its arguments, which may be whole answers: they must not get into a log. */
function bare(thrown: unknown, message: string): Error {
  const error = new Error(message);
  if (thrown instanceof Error) {
    error.name = thrown.name;
    if (thrown.stack !== undefined) error.stack = thrown.stack;
  }
  return error;
}
