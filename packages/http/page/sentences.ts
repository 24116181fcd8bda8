import { duration } from "./format.ts";
import type { RecentEvent } from "./state.ts";
import { fields, numberOf, textOf } from "./unknown.ts";
import { codeWord, withKey } from "./words.ts";

/** What events are chosen by. */
export const TOPICS: Readonly<Record<string, string>> = {
  breakers: "Circuit breakers",
  limits: "Limits and refusals",
  retries: "Retries and streams",
  upstream: "Accounts and fallbacks",
  stores: "Shared stores",
  changes: "Changes by hand",
  other: "Anything else",
};

type Tone = "good" | "warn" | "bad" | "plain";

export interface Sentence {
  readonly topic: string;
  readonly tone: Tone;
  readonly text: string;
}

const STOPS: Readonly<Record<string, string>> = {
  attempts: "there are no more attempts",
  budget: "the retry budget is empty",
  deadline: "there is no time left",
  nested: "a retry inside of it has tried already",
  "not-idempotent": "it may be done once only",
  resumes: "it was continued often enough",
  "no-text": "nothing had come yet",
  "not-possible": "this request cannot be continued",
  failed: "the rest could not be had",
};

type Tell = (event: RecentEvent) => readonly [topic: string, tone: Tone, text: string];

const ms = (value: unknown): string => duration(numberOf(value) ?? 0);
const word = (value: unknown): string => textOf(value) ?? String(value);
const because = (value: unknown): string => STOPS[word(value)] ?? word(value);
const again = (value: unknown): string => (numberOf(value) === undefined ? "" : `; again in ${ms(value)}`);

function wouldRefuse(event: RecentEvent): string {
  const { by, code, retryAfterMs } = fields(event["refusal"]);
  return `${word(by)} would have refused a call: ${codeWord(word(code)) ?? word(code)}${again(retryAfterMs)}.`;
}

function changed(event: RecentEvent): string {
  const { force, key, update } = fields(event["change"]);
  const who = textOf(event["by"]) ?? "somebody";
  const policy = withKey(word(event["policy"]), key);
  if (force === "auto") return `${who} let ${policy} decide by itself again.`;
  if (force !== undefined) return `${who} holds ${policy} ${word(force)}.`;
  const said = Object.entries(fields(update)).map(([name, value]) => `${name} ${plain(value)}`);
  return `${who} changed ${policy}: ${said.join(", ")}.`;
}

const plain = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "?");

const TELL: Readonly<Record<string, Tell>> = {
  "breaker-open": (event) => [
    "breakers",
    "bad",
    `Circuit ${withKey(word(event["policy"]), event["key"])} opened for ${ms(event["openForMs"])}.`,
  ],
  "breaker-half-open": (event) => [
    "breakers",
    "warn",
    `Circuit ${withKey(word(event["policy"]), event["key"])} is half-open: it is tried.`,
  ],
  "breaker-close": (event) => [
    "breakers",
    "good",
    `Circuit ${withKey(word(event["policy"]), event["key"])} closed.`,
  ],
  "would-refuse": (event) => ["limits", "plain", wouldRefuse(event)],
  "limit-change": (event) => [
    "limits",
    Number(event["to"]) < Number(event["from"]) ? "warn" : "plain",
    `${withKey(word(event["policy"]), event["key"])} changed its limit from ${word(event["from"])} to ${word(event["to"])}.`,
  ],
  "clock-ran-out": (event) => [
    "retries",
    "warn",
    `${word(event["policy"])}: the ${word(event["clock"])} clock ran out after ${ms(event["ms"])}.`,
  ],
  "retry-wait": (event) => [
    "retries",
    "plain",
    `${word(event["policy"])} tries again after attempt ${word(event["attempt"])}, in ${ms(event["ms"])}.`,
  ],
  "retry-stop": (event) => [
    "retries",
    "warn",
    `${word(event["policy"])} gave up after attempt ${word(event["attempt"])}: ${because(event["because"])}.`,
  ],
  "stream-resume": (event) => [
    "retries",
    "plain",
    `${word(event["policy"])} continued a stream that broke off.`,
  ],
  "resume-stop": (event) => [
    "retries",
    "warn",
    `${word(event["policy"])} let a broken stream end: ${because(event["because"])}.`,
  ],
  "account-close": (event) => [
    "upstream",
    "bad",
    `Account ${word(event["account"])} has no credit${again(event["retryAfterMs"])}.`,
  ],
  "account-open": (event) => ["upstream", "good", `Account ${word(event["account"])} has credit again.`],
  "account-low": (event) => [
    "upstream",
    "warn",
    `Account ${word(event["account"])} is running out of credit.`,
  ],
  "key-disable": (event) => [
    "upstream",
    "bad",
    `Key …${word(event["key"])} of account ${word(event["account"])} is not accepted any more.`,
  ],
  "key-enable": (event) => [
    "upstream",
    "good",
    `Key …${word(event["key"])} of account ${word(event["account"])} is used again.`,
  ],
  "fallback-use": (event) => [
    "upstream",
    "warn",
    `${word(event["policy"])} fell back to ${word(event["to"])}.`,
  ],
  "cache-refresh": (event) => [
    "other",
    "plain",
    `${word(event["policy"])} ${event["ok"] === true ? "refreshed" : "could not refresh"} an answer.`,
  ],
  "store-fail": (event) => [
    "stores",
    "bad",
    `The store of ${word(event["policy"])} failed: ${errorOf(event)}.`,
  ],
  "store-degrade": (event) => [
    "stores",
    "bad",
    `The store of ${word(event["policy"])} is away: decided “${word(event["to"])}” until it is back.`,
  ],
  "store-recover": (event) => ["stores", "good", `The store of ${word(event["policy"])} is back.`],
  "config-mismatch": (event) => [
    "stores",
    "warn",
    `Processes give ${word(event["policy"])} different numbers; the lower ones hold.`,
  ],
  "policy-change": (event) => ["changes", "plain", changed(event)],
  "callback-throw": (event) => [
    "other",
    "bad",
    `A callback threw in ${word(event["where"])}: ${errorOf(event)}.`,
  ],
  hint: (event) => ["other", "warn", word(event["message"])],
};

function errorOf(event: RecentEvent): string {
  const { name, code } = fields(event["error"]);
  return textOf(code) ?? textOf(name) ?? "an error";
}

/** An event as somebody would tell it. One of a kind that is new is told by its fields. */
export function sentenceOf(event: RecentEvent): Sentence {
  const tell = Object.hasOwn(TELL, event.type) ? TELL[event.type] : undefined;
  if (tell !== undefined) {
    const [topic, tone, text] = tell(event);
    return { topic, tone, text };
  }
  const {
    type,
    client: _client,
    callId: _id,
    serial: _serial,
    at: _at,
    time: _time,
    count: _count,
    ...rest
  } = event;
  const said = Object.entries(rest).map(([name, value]) => `${name} ${plain(value)}`);
  return { topic: "other", tone: "plain", text: `${type.replaceAll("-", " ")}: ${said.join(", ")}` };
}
