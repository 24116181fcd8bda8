import {
  answered,
  around,
  type Call,
  chain,
  discard,
  DISCARDED,
  type Ending,
  type Next,
  type Outcome,
  readOptions,
  relay,
  TimedOutError,
  type Updatable,
} from "@breakwater/core";

import { usageOf } from "../chunk.ts";
import { editMembers } from "../json-members.ts";
import { rememberWire, wireOf } from "../raw.ts";
import { type ChatAnswer, type ChatRequest, isStream } from "../types.ts";
import { canContinue, continuationOf, type Delivered } from "./continuation.ts";
import { checkContinues } from "./continues.ts";
import { createSplice, type Part } from "./splice.ts";
import { stopsOf } from "./stop-guard.ts";

export interface ResumeOptions {
  /** @default "resume" */
  readonly name?: string;
  /** @default "enforce" */
  readonly mode?: "enforce" | "off";
  /** How often one answer is continued at most; 2 is the limit. @default 1 */
  readonly resumes?: number;
}

/**
 * Continues a streamed answer that breaks off: the host is asked for the rest of the text, and its reader sees one
 * answer with one id. No retry, since nothing that was delivered is made again; but another attempt, with a permit,
 * clocks and retries of its own, from the budget that all retries share. So it stands outside of `retry()`.
 *
 * An answer is continued only where that is safe: as text of which something was delivered (a stream that breaks while
 * the model thinks ends with its error; see `commitOn` for that), without tools, unless `tool_choice` is `none`,
 * without JSON mode or log probabilities, and within the deadline. Else, and when the rest is not to be had either, the
 * reader gets the error that broke the stream. Usage is the sum of all parts; `x_breakwater` beside it, and
 * `meta.resumed`, tell how many there were, and that a part was estimated which broke before its host told.
 *
 * @throws ConfigError over an upstream whose host cannot continue texts.
 *
 * @example
 * ```ts
 * import { createClient, retry } from "@breakwater/core";
 * import { deepseekUpstream, resume } from "@breakwater/deepseek";
 *
 * const ask = createClient(deepseekUpstream({ apiKey: "sk-your-key" }), resume(), retry({ attempts: 3 }));
 * ```
 */
export function resume(options: ResumeOptions = {}): Updatable<ResumeOptions, ChatRequest, ChatAnswer> {
  let given = options;
  let config = read(options);
  const { name } = config;

  const policy = around<ChatRequest, ChatAnswer>("resume", {
    name,
    mode: () => config.mode,
    describe: () => config.effective,
    check: (host) => checkContinues(name, host),
    run(call, next, self) {
      if (!canContinue(call.request) || call.nested(self)) return next(call.fork());
      const first = call.fork({ carried: true });
      return chain(next(first), (outcome) => {
        const part = partOf(outcome);
        return part === undefined ? outcome : splice(call, next, first, part, config);
      });
    },
  });
  return Object.assign(policy, {
    update(changes: Partial<ResumeOptions>) {
      const changed = { ...given, ...changes };
      config = read({ ...changed, name }); // throws before anything has changed
      given = changed;
    },
  });
}

function partOf(outcome: Outcome<ChatAnswer>): Part | undefined {
  if (outcome.status !== "answered" || outcome.end === undefined || !isStream(outcome.value))
    return undefined;
  return { chunks: outcome.value[Symbol.asyncIterator](), end: outcome.end };
}

/** How long work that ignores its end may hold the permit that the next part may need. */
const GRACE_MS = 1_000;

function splice(
  call: Call<ChatRequest>,
  next: Next<ChatRequest, ChatAnswer>,
  first: Call<ChatRequest>,
  part: Part,
  { name, resumes }: Config,
): Outcome<ChatAnswer> {
  const { meta, request, runtime } = call;
  const { budget, events } = call.host;
  let attempt = first;
  let resumed = 0;

  type Because = "resumes" | "budget" | "deadline" | "no-text" | "not-possible" | "failed";
  const stop = (because: Because): undefined => {
    if (events.listening) events.emit({ type: "resume-stop", policy: name, because }, call);
  };

  const source = createSplice(part, {
    meta,
    stops: stopsOf(request.stop),
    async next(broken: Ending, delivered: Delivered) {
      if (!mayBeContinued(broken)) return stop("not-possible");
      if (delivered.content === "") return stop("no-text");
      if (resumed >= resumes) return stop("resumes");
      if (call.remainingMs <= 0) return stop("deadline");
      if (!(await budget.take(runtime.now(), call))) return stop("budget");
      resumed++;
      // The permit of this attempt may be the one that the next waits for.
      const over = attempt;
      await new Promise<void>((resolve) => over.hold(() => resolve(), GRACE_MS));
      if (call.aborted || call.ended) return undefined;
      if (events.listening) events.emit({ type: "stream-resume", policy: name, resume: resumed }, call);
      attempt = call.fork({
        request: asWritten(continuationOf(request, delivered), request),
        attempt: resumed + 1,
        carried: true,
      });
      const outcome = await next(attempt);
      const rest = partOf(outcome);
      if (rest === undefined) {
        discard(outcome);
        return call.aborted || call.ended ? undefined : stop("failed");
      }
      meta.resumed = resumed;
      return rest;
    },
    estimate: (tokens, reasoningTokens) => {
      const { promptTokens = 0 } = call.host.traits?.cost?.(attempt.request) ?? {};
      const totalTokens = promptTokens + tokens;
      return { promptTokens, completionTokens: tokens, totalTokens, reasoningTokens, estimated: true };
    },
    tell(usage, estimated) {
      meta.usage = call.usage = { ...usageOf(usage), ...(estimated && { estimated }) };
    },
    leave: () => attempt.abort(DISCARDED),
  });
  // The upstream has marked the tokens when it read them.
  const { stream, end } = relay(source, call, { progress: () => false, complete: () => source.complete });
  return answered(stream, meta, end);
}

/** What came in over HTTP goes out in its own words, but for what has changed: numbers are not written anew. */
function asWritten(continuation: ChatRequest, original: ChatRequest): ChatRequest {
  const wire = wireOf(original);
  if (wire === undefined) return continuation;
  const { max_tokens: limit, messages } = continuation;
  const changes = { messages, ...(typeof limit === "number" && { max_tokens: limit }) };
  rememberWire(continuation, {
    body: editMembers(wire.body, changes),
    ...(wire.headers !== undefined && { headers: wire.headers }),
  });
  return continuation;
}

/**
 * What broke a stream and may not break its rest: not an empty account, not a clock that bounds the whole. Nor is a
 * host that asks to be left alone for a while asked for more.
 */
function mayBeContinued({ error, fault, retryAfterMs = 0, retryable }: Ending): boolean {
  if (fault === "caller" || retryAfterMs > 0) return false;
  return retryable === true || (TimedOutError.isInstance(error) && /^(idle|throughput)$/.test(error.clock));
}

type Config = ReturnType<typeof read>;

function read(options: ResumeOptions) {
  const reader = readOptions("resume", options);
  const config = {
    name: reader.text("name", "resume"),
    mode: reader.oneOf<"enforce" | "off">("mode", ["enforce", "off"], "enforce"),
    resumes: reader.count("resumes", 1, { min: 1, max: 2 }),
  };
  return { ...config, effective: reader.done() };
}
