import type { AbortVerdict, Call } from "../../call.ts";
import type { Duration } from "../../duration.ts";
import { type ClockName, ConfigError, TimedOutError } from "../../errors.ts";
import { guard } from "../../guard.ts";
import type { Any, Host, Updatable } from "../../handler.ts";
import type { Mark } from "../../marks.ts";
import { configure, type OptionReader, readOptions } from "../../options.ts";
import { createThroughput, type Throughput } from "./throughput.ts";

export interface TimeoutOptions {
  /** @default "timeout" */
  readonly name?: string;
  /** @default "enforce" */
  readonly mode?: "enforce" | "off";
  /** To the answer, or to a stream's first token: over everything inside, attempts, waits and queues. Sets the deadline until then. */
  readonly total?: Duration;
  /** To the very end, a stream's last token included. */
  readonly overall?: Duration;
  /** From dispatch to the connection. */
  readonly connect?: Duration;
  /** From dispatch to a stream's response headers. DeepSeek sends them at once, even to a call that queues. */
  readonly headers?: Duration;
  /** Between any two bytes before the first token, keep-alives included: silence means that the connection is dead. */
  readonly liveness?: Duration;
  /** From dispatch to the first token. Keep-alives do not extend it. */
  readonly firstToken?: Duration;
  /** Between two tokens. Stands still while the reader is slow. */
  readonly idle?: Duration;
  /** `idle` while the model reasons. @default `idle` */
  readonly idleReasoning?: Duration;
  /**
   * Tokens a second, from the first one on and on average over `throughputWindow`: for streams that drip, and so keep
   * an idle clock content. Counted are chunks: DeepSeek sends one token in each, other hosts several. Stands still while
   * the reader is slow. @default off
   */
  readonly minTokensPerSecond?: number;
  /** @default "10s" */
  readonly throughputWindow?: Duration;
}

/**
 * Ends calls that take too long: each clock names a moment at which something must have happened. At least one is
 * required; none has a default, since only the caller knows what an answer is worth waiting for.
 *
 * A clock that runs out is the upstream's fault only if the call was sent; in our own queues it is not. `total` and
 * `overall` bound what is inside them and are neutral to it. A clock over a mark that the upstream never makes is
 * refused at construction. A first-token clock over a call that queues (keep-alives arrive) fails it for good: sent
 * again it would join the end of the same queue; a fallback may still take it elsewhere. Where the keep-alives stopped,
 * or the upstream had begun to work, it does not queue, and may be tried again.
 *
 * @throws TimedOutError with `clock` and `ms`
 *
 * @example
 * ```ts
 * import { createClient, TimedOutError, timeout, upstream } from "@breakwater/core";
 *
 * const deaf = upstream(() => new Promise<string>(() => {}));
 * const ask = createClient(deaf, timeout({ total: "20ms" }));
 * const error = await ask("anybody?").catch((error: unknown) => error);
 * TimedOutError.isInstance(error) && error.clock; // => "total"
 * ```
 */
export function timeout<Req = Any>(options: TimeoutOptions): Updatable<TimeoutOptions, Req, Any> {
  const settings = configure(options, read);
  const policy = guard<Req>("timeout", {
    ...settings.face,
    check: (host) => checkMarks(settings.now, host),
    admit(call) {
      const { clocks, name, watches } = settings.now;
      if (clocks.total !== undefined) boundAnswer(call, clocks.total, name);
      if (clocks.overall !== undefined) bound(call, "overall", clocks.overall, name);
      if (watches) watchProgress(call, clocks, name);
      return undefined;
    },
  });
  return Object.assign(policy, { update: settings.update });
}

type Clocks = { readonly [K in Exclude<ClockName, "deadline"> | "idleReasoning"]?: number | undefined } & {
  /** How many tokens the `throughput` window must bring. */
  readonly tokens?: number;
};

function bound(call: Call<Any>, clock: ClockName, ms: number, policy: string): () => void {
  return call.timer(ms, () => runOut(call, clock, ms, policy));
}

function boundAnswer(call: Call<Any>, ms: number, policy: string): void {
  call.limitAnswer(call.runtime.now() + ms);
  const cancel = bound(call, "total", ms, policy);
  call.watch((mark) => {
    if (mark === "answered") cancel();
  });
}

interface Circumstances {
  /** It would join the end of the same queue again. */
  readonly queued: boolean;
  /** Tokens came, and nobody has been given one. */
  readonly withheld: boolean;
}

function runOut(
  call: Call<Any>,
  clock: ClockName,
  ms: number,
  policy: string,
  { queued, withheld }: Circumstances = { queued: false, withheld: false },
): void {
  const { events } = call.host;
  const unseen = call.firstTokenAt === undefined || withheld;
  const retryable = unseen && !queued && clock !== "total" && clock !== "overall";
  const error = new TimedOutError(clock, ms, { retryable, meta: call.meta });
  // Never sent: it waited in queues of ours, which says nothing of the upstream.
  const verdict: AbortVerdict = {
    status: "failed",
    error,
    fault: call.dispatchedAt === undefined ? "overload" : "upstream",
    retryable,
    spent: call.dispatchedAt !== undefined,
  };
  if (events.listening) events.emit({ type: "clock-ran-out", policy, clock, ms }, call);
  call.abort(error, verdict);
}

/** A timer that fires this late was held up by our own process: what has arrived meanwhile is looked at first. */
const LATE_MS = 100;

/** Without a liveness clock: a keep-alive that is older, three of DeepSeek's, says nothing any more. */
const QUEUED_MS = 40_000;

/**
 * The clocks that hang on marks. Marks only write down times; one timer per call is set for the earliest moment at
 * which any clock could run out, and looks again when it fires.
 */
function watchProgress(call: Call<Any>, clocks: Clocks, policy: string): void {
  const { runtime } = call;
  let sentAt: number | undefined;
  let connected = false;
  let headers = false;
  let byteAt: number | undefined;
  let tokenAt: number | undefined;
  let throughput: Throughput | undefined;
  let reasoning = false;
  let paused = false;
  let opaque = false;
  let withheld = false;
  let queuedAt = -Infinity;
  let armedFor = Infinity;
  let cancel: (() => void) | undefined;
  let excused = false;

  /** The clock that runs out first, as things stand. */
  function earliest(): { clock: ClockName; at: number; ms: number } | undefined {
    let first: { clock: ClockName; at: number; ms: number } | undefined;
    const consider = (clock: ClockName, from: number | undefined, ms: number | undefined): void => {
      if (from === undefined || ms === undefined) return;
      if (first === undefined || from + ms < first.at) first = { clock, at: from + ms, ms };
    };
    if (tokenAt !== undefined) {
      if (!paused) consider("idle", tokenAt, reasoning ? (clocks.idleReasoning ?? clocks.idle) : clocks.idle);
      const { throughput: ms } = clocks;
      if (ms !== undefined && throughput !== undefined)
        consider("throughput", throughput.runsOutAt() - ms, ms);
      return first;
    }
    if (!connected) consider("connect", sentAt, clocks.connect);
    // A host may send the headers of a whole answer together with it.
    if (opaque) return first;
    if (!headers) consider("headers", sentAt, clocks.headers);
    if (headers) consider("liveness", byteAt, clocks.liveness);
    consider("firstToken", sentAt, clocks.firstToken);
    return first;
  }

  function arm(): void {
    const next = earliest();
    // A later moment needs no new timer: the armed one fires, looks and waits on.
    if (next === undefined || next.at >= armedFor) return;
    cancel?.();
    armedFor = next.at;
    cancel = runtime.setTimer(Math.max(0, next.at - runtime.now()), look);
  }

  function look(): void {
    const late = runtime.now() - armedFor > LATE_MS;
    armedFor = Infinity;
    const next = earliest();
    if (next === undefined) return;
    if (next.at > runtime.now()) arm();
    else if (late && !excused) {
      excused = true;
      armedFor = runtime.now();
      cancel = runtime.setTimer(1, look);
    } else {
      const lately = runtime.now() - queuedAt <= (clocks.liveness ?? QUEUED_MS);
      runOut(call, next.clock, next.ms, policy, { queued: next.clock === "firstToken" && lately, withheld });
    }
  }

  call.defer(() => cancel?.());
  call.watch((mark: Mark, at: number) => {
    excused = false;
    switch (mark) {
      case "dispatched": // once more, for a further attempt inside: its clocks begin anew
        sentAt = at;
        connected = headers = opaque = withheld = paused = false;
        queuedAt = -Infinity;
        byteAt = tokenAt = throughput = undefined;
        break;
      case "connected":
        connected = true;
        break;
      case "headers":
        connected = headers = true;
        byteAt = at;
        break;
      case "alive":
        if (headers && tokenAt === undefined) queuedAt = at;
        byteAt = at;
        break;
      case "started":
        queuedAt = -Infinity;
        break;
      case "withheld":
        withheld = true;
        break;
      case "token":
        tokenAt = at;
        if (throughput !== undefined) throughput.token(at);
        else if (clocks.throughput !== undefined && clocks.tokens !== undefined)
          throughput = createThroughput(clocks.tokens, clocks.throughput, at);
        break;
      case "opaque":
        opaque = true;
        break;
      case "answered":
        withheld = false;
        break;
      case "reasoning":
        reasoning = true;
        break;
      case "answering":
        reasoning = false;
        break;
      case "paused":
        paused = true;
        throughput?.pause(at);
        break;
      case "resumed":
        paused = false;
        if (tokenAt !== undefined) tokenAt = at;
        throughput?.resume(at);
        break;
    }
    arm();
  });
}

/** The marks that each clock lives on. */
const NEEDS: Readonly<Partial<Record<keyof Clocks, Mark>>> = {
  connect: "connected",
  headers: "headers",
  liveness: "alive",
  firstToken: "token",
  idle: "token",
  throughput: "token",
};

function checkMarks(config: { readonly name: string; readonly clocks: Clocks }, host: Host): void {
  if (host.traits === undefined) return; // A pipeline: each function may mark or not.
  const made = host.traits.marks ?? [];
  for (const [clock, mark] of Object.entries(NEEDS) as [keyof Clocks, Mark][]) {
    if (config.clocks[clock] === undefined || made.includes(mark)) continue;
    throw new ConfigError(
      `${config.name}: the ${clock} clock lives on the mark "${mark}", which this upstream never makes. ` +
        `Use total, or call mark("${mark}") in it and say so: upstream(f, { marks: ["dispatched", "${mark}"] }).`,
    );
  }
}

function read(options: TimeoutOptions) {
  const reader = readOptions("timeout", options);
  const name = reader.text("name", "timeout");
  const mode = reader.oneOf("mode", ["enforce", "off"], "enforce");
  const clocks: Clocks = {
    total: reader.optionalDuration("total"),
    overall: reader.optionalDuration("overall"),
    connect: reader.optionalDuration("connect"),
    headers: reader.optionalDuration("headers"),
    liveness: reader.optionalDuration("liveness"),
    firstToken: reader.optionalDuration("firstToken"),
    idle: reader.optionalDuration("idle"),
    idleReasoning: reader.optionalDuration("idleReasoning"),
    ...readThroughput(reader),
  };
  const effective = reader.done();
  const set = Object.entries(clocks).filter(([clock, ms]) => ms !== undefined && clock !== "tokens");
  if (set.length === 0) reader.fail('at least one clock is required, for example timeout({ total: "10m" }).');
  for (const [clock, ms] of set) if (ms === 0) reader.fail(`${clock} must be longer than 0.`);
  const watches = set.some(([clock]) => clock !== "total" && clock !== "overall");
  return { name, mode, clocks, watches, effective };
}

function readThroughput(reader: OptionReader): Pick<Clocks, "throughput" | "tokens"> {
  if (reader.raw("minTokensPerSecond") === undefined) {
    if (reader.raw("throughputWindow") !== undefined)
      reader.fail("throughputWindow says nothing without minTokensPerSecond, for example 5.");
    return {};
  }
  const perSecond = reader.number("minTokensPerSecond", undefined, { min: 0.1, max: 1_000 });
  const throughput = reader.duration("throughputWindow", 10_000);
  const tokens = Math.ceil((perSecond * throughput) / 1_000);
  if (throughput < 1_000 || tokens > MAX_TOKENS) {
    reader.fail(
      `throughputWindow must be at least 1s, and hold at most ${MAX_TOKENS} tokens at ${perSecond} a second; got ${throughput} ms.`,
    );
  }
  return { throughput, tokens };
}

/** The time of each is remembered, in each call. */
const MAX_TOKENS = 10_000;
