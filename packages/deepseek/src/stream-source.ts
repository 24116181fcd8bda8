import { type Call, failed, unwrap } from "@breakwater/core";

import { type Finish, factsOf, hintOf, judgeFinish } from "./chunk.ts";
import {
  brokenFailure,
  type BrokenCode,
  errorFailure,
  type Failure,
  type FailureContext,
} from "./classify.ts";
import { embeddedFacts, isErrorBody, isRecord, parseLeniently } from "./error-body.ts";
import { isFim } from "./fim.ts";
import { rememberRaw } from "./raw.ts";
import { isContinuation } from "./resume/continuation.ts";
import { createSseReader } from "./sse.ts";
import { type Generated, generatedIn } from "./tokens/generated.ts";
import { NOTHING, type TokenMeter } from "./tokens/meter.ts";
import { transportFailure } from "./transport-failure.ts";
import type { ChatChunk, ChatRequest } from "./types.ts";

/** What an answer begins with: `any` text, reasoning included, or its `content` (a tool call is content too). */
export type CommitOn = "any" | "content";

export interface StreamRules {
  readonly commitOn: CommitOn;
  /** Whether a finished answer without [DONE] is cut off all the same. */
  readonly strictDone: boolean;
  /** How long DeepSeek lets a call wait before it gives it up, in ms. */
  readonly queueLimitMs: number;
  /** How long to wait for [DONE] after the finish reason, in ms. */
  readonly tailMs: number;
  /** How much before the beginning is withheld, in characters; then the answer begins. */
  readonly maxWithheldChars: number;
  readonly maxEventChars: number;
  /** Whether each chunk is a token. */
  readonly tokenPerChunk: boolean;
}

export interface ChunkSource extends AsyncIterator<ChatChunk> {
  /** Reads up to where the answer begins, or to an end before that. What went wrong until then, if anything. */
  begin(): Promise<Failure | undefined>;
  /** Whether everything up to the finish reason has been given out. */
  readonly complete: boolean;
  return(): Promise<IteratorResult<ChatChunk>>;
}

/** Reads a streamed answer: bytes in, chunks out, and an error instead of an ending that only looks like one. */
export function createChunkSource(
  body: ReadableStream<Uint8Array>,
  call: Call<ChatRequest & { readonly n?: unknown }>,
  rules: StreamRules,
  context: FailureContext,
  meter: TokenMeter,
): ChunkSource {
  const { meta, runtime, request } = call;
  const reader = body.getReader();
  const queue: ChatChunk[] = [];
  const wanted = typeof request.n === "number" ? request.n : 1;
  const finished = new Set<number>();
  let bytes = 0;
  let withheld = 0;
  let comments = 0;
  let events = 0;
  let generated: Generated = { tokens: 0, reasoningTokens: 0 };
  let garbage = "";
  let progress = false;
  /** Whether what came so far has to be given out. */
  let committed = false;
  let fresh = false;
  let phase: "reasoning" | "answering" | undefined;
  let finish: Finish | undefined;
  let done = false;
  let over = false;
  let stopped = false;
  let tailUntil: number | undefined;
  let failure: Failure | undefined;

  const broken = (code: BrokenCode, more?: { detail?: string; cause?: unknown }): void => {
    failure ??= brokenFailure(code, { ...context, spent: events > 0 }, more);
  };

  const sse = createSseReader(
    {
      onComment: () => comments++,
      onGarbage: (line) => {
        garbage += garbage.length < 2_000 ? line.slice(0, 2_000) : "";
      },
      onOverflow: () =>
        broken("MALFORMED_RESPONSE", { detail: `an event of more than ${rules.maxEventChars} characters` }),
      onData: (data, torn) => {
        if (done || failure !== undefined) return;
        if (data === "[DONE]") {
          done = true;
          return;
        }
        let chunk: unknown;
        try {
          chunk = JSON.parse(data);
        } catch (cause) {
          // What the end of the body tore is no malformed event, and after the finish reason nothing can spoil the answer.
          if (!torn && finish === undefined)
            broken("MALFORMED_RESPONSE", { detail: "an event that is not JSON", cause });
          return;
        }
        if (isErrorBody(chunk)) {
          if (finish === undefined) {
            failure = errorFailure(embeddedFacts(chunk), { ...context, body: chunk, spent: events > 0 });
          }
        } else if (isRecord(chunk)) take(chunk as unknown as ChatChunk & Record<string, unknown>, data);
      },
    },
    rules.maxEventChars,
  );

  function take(chunk: ChatChunk & Record<string, unknown>, raw: string): void {
    const facts = factsOf(chunk);
    events++;
    if (facts.usage !== undefined) meta.usage = call.usage = facts.usage;
    if (facts.model !== undefined) call.answeredBy(facts.model);
    if (facts.progress !== undefined) {
      progress = fresh = true;
      count(chunk, facts.progress === "reasoning");
      committed ||= rules.commitOn === "any" || facts.progress === "answering";
      if (facts.progress !== phase) call.mark((phase = facts.progress));
    } else if (events === 1) call.mark("started");
    for (const [index, reason] of facts.finished) {
      // A text that is to be continued may have been whole.
      const judged = judgeFinish(reason, progress || isContinuation(request) || isFim(request));
      if (judged === "interrupted") return broken("UPSTREAM_INTERRUPTED", { detail: reason });
      if (judged === "empty") return broken("EMPTY_RESPONSE");
      finished.add(index);
      if (finished.size < wanted) continue;
      finish = judged;
      const hint = hintOf(judged, reason);
      if (hint !== undefined) call.host.events.emit({ type: "hint", message: hint }, call);
    }
    withheld += raw.length;
    rememberRaw(chunk, raw);
    queue.push(chunk);
  }

  /** What the host would have to be paid for if it broke off here. */
  function count(chunk: ChatChunk, reasoning: boolean): void {
    const { reasoningTokens, tokens } = rules.tokenPerChunk
      ? { tokens: 1, reasoningTokens: reasoning ? 1 : 0 }
      : generatedIn(chunk);
    generated = {
      tokens: generated.tokens + tokens,
      reasoningTokens: generated.reasoningTokens + reasoningTokens,
    };
  }

  /** Nothing more is to come: what the host has not told of the tokens is estimated. */
  function settle(): void {
    call.usage ??= events === 0 ? NOTHING : meter.estimate(call, generated);
  }

  /** One read from the connection. */
  async function readMore(): Promise<void> {
    let result: { readonly done: boolean; readonly value?: Uint8Array | undefined };
    try {
      result = await reader.read();
    } catch (error) {
      over = true;
      if (stopped || done || finish !== undefined) return;
      failure = transportFailure(error, { ...context, spent: events > 0 });
      return;
    }
    if (result.done || result.value === undefined) {
      over = true;
      sse.end();
      return;
    }
    const { value } = result;
    if (value.byteLength === 0) return;
    bytes += value.byteLength;
    call.mark("alive");
    sse.feed(value);
    if (failure !== undefined) void stop();
    else if (fresh) call.mark("token");
    fresh = false;
    if (done && !over) void readToEnd();
  }

  /** The body is over: was the answer? */
  function judgeEnd(): void {
    if (failure !== undefined || stopped) return;
    if (finish !== undefined) {
      if (rules.strictDone && !done) broken("STREAM_TRUNCATED", { detail: "without [DONE]" });
      return;
    }
    if (done) {
      // Some hosts never say why they end.
      if (!progress) broken("EMPTY_RESPONSE");
      return;
    }
    if (events > 0) return broken("STREAM_TRUNCATED");
    if (garbage !== "") return judgeGarbage();
    const waited = runtime.now() - (call.dispatchedAt ?? runtime.now());
    const queued = comments > 0 && waited >= 0.9 * rules.queueLimitMs;
    broken(queued ? "QUEUE_TIMEOUT" : "EMPTY_BODY", bytes > 0 ? { detail: "only keep-alives" } : {});
  }

  /** Not one event: a JSON body, or a page, under the content type of a stream. */
  function judgeGarbage(): void {
    const said = parseLeniently(garbage);
    if (isErrorBody(said)) failure = errorFailure(embeddedFacts(said), { ...context, body: said });
    else if (/^\s*[{[<]/.test(garbage))
      broken("WRONG_CONTENT_TYPE", { detail: "no event stream, although it says so" });
    else broken("MALFORMED_RESPONSE", { detail: "no events" });
  }

  async function stop(): Promise<void> {
    over = true;
    try {
      await reader.cancel();
    } catch {
      // The connection broke: it has stopped.
    }
  }

  /** The rest after the finish reason, which may be usage, [DONE] or nothing for ever. */
  async function readTail(): Promise<void> {
    tailUntil ??= runtime.now() + rules.tailMs;
    let cancelTimer: () => void = () => {};
    const patience = new Promise<"late">((resolve) => {
      cancelTimer = runtime.setTimer(Math.max(0, (tailUntil ?? 0) - runtime.now()), () => resolve("late"));
    });
    const first = await Promise.race([readMore(), patience]);
    cancelTimer();
    if (first === "late") void stop();
  }

  /** The answer is complete; a connection whose body was read to its end can be used again. */
  async function readToEnd(): Promise<void> {
    while (!over) await readTail();
  }

  const source: ChunkSource = {
    get complete() {
      return finish !== undefined && queue.length === 0;
    },
    async begin() {
      // Clocks see the reasoning that nobody is given yet; a call that it failed in has not begun.
      if (rules.commitOn === "content") call.mark("withheld");
      while (!committed && finish === undefined && failure === undefined && !done && !over) {
        if (withheld > rules.maxWithheldChars) return undefined;
        await readMore();
      }
      if (over || done) judgeEnd();
      // An answer without text has begun as well: it filtered, or thought until there was nothing left.
      if (failure === undefined && !progress) call.mark("token");
      return failure;
    },
    async next() {
      for (;;) {
        const chunk = queue.shift();
        if (chunk !== undefined) return { done: false, value: chunk };
        if (over || done || failure !== undefined) {
          judgeEnd();
          settle();
          if (failure === undefined || stopped) {
            if (!stopped && call.usage?.estimated === true) meta.usage = call.usage;
            return { done: true, value: undefined };
          }
          // Thrown as the outcome that it is, so that its verdict is kept.
          return unwrap(failed(failure.error, failure.verdict, meta));
        }
        await (finish === undefined ? readMore() : readTail());
      }
    },
    async return() {
      stopped = true;
      queue.length = 0;
      settle(); // at once, since the call ends now
      await stop();
      return { done: true, value: undefined };
    },
  };
  return source;
}
