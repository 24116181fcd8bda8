import { type BreakwaterEvent, type Ending, type Meta, plainError, type Refusal } from "@breakwater/core";

/** An event in words, for people; programs read the fields. Says nothing that the fields do not say. */
export function messageOf(event: BreakwaterEvent): string {
  return `${event.client}: ${said(event)}`;
}

function said(event: BreakwaterEvent): string {
  switch (event.type) {
    case "call-start":
      return `${event.priority} call begins`;
    case "call-end":
      return `${endingOf(event.ending)}${after(event.attempts)} in ${ms(event.at - event.startedAt)}${event.ending.status === "answered" ? aside(event.meta) : ""}`;
    case "attempt-start":
      return `attempt ${event.attempt}${to(event.target)}`;
    case "attempt-end":
      return `attempt ${event.attempt}${to(event.target)} ${endingOf(event.ending)} in ${ms(event.at - event.startedAt)}`;
    case "attempt-cost":
      return event.category === "cached"
        ? `an answer of ${event.model} from the cache saved ${usd(event.savedUsd)}`
        : `an attempt (${event.category}) at ${event.model} on ${event.host} cost ${usd(event.usd)}`;
    case "call-refused":
      return refusedBy(event.refusal);
    case "would-refuse":
      return `in shadow, would have been ${refusedBy(event.refusal)}`;
    case "retry-wait":
      return `${event.policy} waits ${ms(event.ms)} before attempt ${event.attempt}`;
    case "retry-stop":
      return `${event.policy} makes no further attempt: ${event.because}`;
    case "breaker-open":
      return `circuit ${event.policy} opens for ${ms(event.openForMs)}`;
    case "breaker-half-open":
      return `circuit ${event.policy} is half open: it lets a few calls try`;
    case "breaker-close":
      return `circuit ${event.policy} closes`;
    case "clock-ran-out":
      return `the ${event.clock} clock of ${event.policy} ran out after ${ms(event.ms)}`;
    case "limit-change":
      return `the limit of ${event.policy} goes from ${event.from} to ${event.to}`;
    case "stream-resume":
      return `${event.policy} continues a stream that broke off, time ${event.resume}`;
    case "resume-stop":
      return `${event.policy} does not continue a stream that broke off: ${event.because}`;
    case "account-close":
      return `account ${event.account} has no credit, and is not used for ${ms(event.retryAfterMs)}`;
    case "account-open":
      return `account ${event.account} has credit again`;
    case "account-low":
      return `account ${event.account} is cut in its concurrency because of its balance`;
    case "key-disable":
      return `key …${event.key} of account ${event.account} is not taken any more, and not used for ${ms(event.retryAfterMs)}`;
    case "key-enable":
      return `key …${event.key} of account ${event.account} is taken again`;
    case "fallback-use":
      return `${event.policy} falls back to ${event.to}`;
    case "cache-read":
      return `${event.policy}: ${event.result}`;
    case "cache-refresh":
      return `${event.policy} ${event.ok ? "has refreshed an answer" : "could not refresh an answer"}`;
    case "queue-wait":
      return `waited ${ms(event.ms)} at ${event.policy}`;
    case "store-fail":
      return `the store of ${event.policy} failed: ${errorOf(event.error)}`;
    case "store-decide":
      return `${event.policy} was decided by ${event.source} in ${ms(event.ms)}`;
    case "store-degrade":
      return `the store of ${event.policy} cannot be asked; in its place: ${event.to}`;
    case "store-recover":
      return `the store of ${event.policy} decides again`;
    case "config-mismatch":
      return `${event.policy} has other numbers in another process; the lower ones hold until update() says others`;
    case "policy-change":
      return `${event.by ?? "somebody"} changed ${event.policy}: ${changeOf(event.change)}`;
    case "callback-throw":
      return `a callback threw (${event.where}): ${errorOf(event.error)}`;
    case "hint":
      return event.message;
  }
}

function endingOf({ status, error }: Ending): string {
  switch (status) {
    case "failed":
      return `failed with ${errorOf(error)}`;
    case "refused":
      return refusedBy(error as Refusal);
    default:
      return status;
  }
}

/** Never what it says: a part of the prompt may be in it. */
function errorOf(error: unknown): string {
  const { name, code, status, clock } = plainError(error);
  return [code ?? name, status, clock === undefined ? undefined : `(${clock})`]
    .filter((part) => part !== undefined)
    .join(" ");
}

function refusedBy({ by, code, retryAfterMs }: Refusal): string {
  return `refused by ${by}: ${code}${retryAfterMs === undefined ? "" : `, come again in ${ms(retryAfterMs)}`}`;
}

function changeOf(change: Extract<BreakwaterEvent, { readonly type: "policy-change" }>["change"]): string {
  return "force" in change ? `forced ${change.force}` : Object.keys(change.update).join(", ");
}

/** One attempt is what everybody expects. */
const after = (attempts: number): string => (attempts > 1 ? ` after ${attempts} attempts` : "");

function aside({ cache, degraded, target }: Meta): string {
  const from = cache === "hit" || cache === "stale" || cache === "join" ? ` (cache: ${cache})` : "";
  return from + (degraded === true && cache !== "stale" ? ` (in its place: ${target ?? "a fallback"})` : "");
}

const to = (target: string | undefined): string => (target === undefined ? "" : ` at ${target}`);
const ms = (value: number): string => `${Math.round(value)} ms`;
const usd = (value: number | null | undefined): string =>
  typeof value === "number" ? `$${value.toPrecision(3)}` : "an unknown amount";
