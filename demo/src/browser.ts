import type { ChatRequest, Verdict } from "@breakwater/simulator";
import { type Dispatcher, request } from "undici";

import type { Arrival } from "./arrivals.ts";
import { bodyOf, type Complaint } from "./columns/column.ts";
import { lineReader } from "./wire.ts";

/** How a call ended, as its user saw it; `verdict` is what the user cannot see. */
export type CallEnd =
  | { readonly end: "answered"; readonly verdict: Verdict }
  | ({ readonly end: "complaint" } & Complaint)
  | { readonly end: "hung" };

/** One call over its whole life, in milliseconds of the evening. */
export type CallRecord = CallEnd & {
  readonly id: string;
  readonly atMs: number;
  readonly endMs: number;
  readonly firstTokenMs?: number;
};

/** What all browsers of a column have in common. */
export interface BrowserOptions {
  readonly url: string;
  readonly dispatcher: Dispatcher;
  /** Milliseconds of the evening. */
  readonly now: () => number;
  readonly timeScale: number;
  /** A user who has waited this long closes the tab. */
  readonly cutOffMs: number;
  readonly verify: (request: ChatRequest, received: string) => Verdict;
}

/** Asks one question through a socket, and waits for the end as a user would. Never throws. */
export async function browse(arrival: Arrival, options: BrowserOptions): Promise<CallRecord> {
  const { now, timeScale, cutOffMs } = options;
  const atMs = now();
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), cutOffMs * timeScale);
  let received = "";
  let firstTokenMs: number | undefined;

  async function ask(): Promise<CallEnd> {
    const { body } = await request(options.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ id: arrival.id, prompt: arrival.prompt }),
      dispatcher: options.dispatcher,
      signal: giveUp.signal,
    });
    body.setEncoding("utf8");
    const read = lineReader();
    for await (const part of body) {
      for (const line of read(part as string)) {
        if ("error" in line) return { end: "complaint", ...line.error };
        if ("done" in line) return { end: "answered", verdict: verdictOf(arrival, received, options) };
        firstTokenMs ??= now() - atMs;
        received += line.text;
      }
    }
    return { end: "complaint", refused: false, kind: "cut off" };
  }

  let end: CallEnd;
  try {
    end = await ask();
  } catch {
    end = giveUp.signal.aborted
      ? { end: "hung" }
      : { end: "complaint", refused: false, kind: "column unreachable" };
  } finally {
    clearTimeout(timer);
  }
  return { id: arrival.id, atMs, endMs: now(), ...(firstTokenMs !== undefined && { firstTokenMs }), ...end };
}

/** Compares what arrived with the one right answer, token by token. */
function verdictOf(arrival: Arrival, received: string, { verify }: BrowserOptions): Verdict {
  return verify(bodyOf(arrival), received);
}
