import {
  answered,
  type Call,
  failed,
  type Outcome,
  relay,
  type Upstream,
  type UpstreamTraits,
  type Verdict,
} from "@breakwater/core";

/** A call that has reached the upstream and waits for the test to say what comes of it. */
export interface ScriptedCall<Req, Res> {
  readonly call: Call<Req>;
  readonly request: Req;
  answer(value: Res): void;
  /** As an upstream would classify it. @default a retryable fault of the upstream */
  fail(error: unknown, verdict?: Partial<Verdict>): void;
  /** As a plain function would throw it. */
  throw(error: unknown): void;
  /** Answers with a stream, from its first item on. */
  stream(first: unknown): ScriptedStream;
}

export interface ScriptedStream {
  push(item: unknown): void;
  end(): void;
  fail(error: unknown): void;
  /** Whether the reader, or an abort, has made the source stop. */
  readonly stopped: boolean;
}

export interface ScriptedUpstream<Req, Res> {
  readonly upstream: Upstream<Req, Res>;
  /** The next call that arrives, or that has arrived and was not taken yet. */
  next(): Promise<ScriptedCall<Req, Res>>;
  /** Calls that have arrived so far. */
  readonly calls: number;
  /** Calls that are being worked on, whether or not their caller still waits. */
  readonly active: number;
}

/**
 * An upstream that does what the test says, one call at a time: a conversation instead of a mock.
 *
 * @example
 * ```ts
 * import { createClient } from "@breakwater/core";
 * import { scriptedUpstream } from "@breakwater/testing";
 *
 * const script = scriptedUpstream<string, string>();
 * const ask = createClient(script.upstream);
 * const answer = ask("hello");
 * (await script.next()).answer("hi");
 * await answer; // => "hi"
 * ```
 */
export function scriptedUpstream<Req = string, Res = string>(
  traits: UpstreamTraits<Req, Res> = {},
): ScriptedUpstream<Req, Res> {
  const arrived: ScriptedCall<Req, Res>[] = [];
  const waiting: ((call: ScriptedCall<Req, Res>) => void)[] = [];
  let calls = 0;
  let active = 0;

  const handler = (call: Call<Req>): Promise<Outcome<Res>> => {
    call.mark("dispatched");
    calls++;
    active++;
    return new Promise<Outcome<Res>>((resolve, reject) => {
      const scripted: ScriptedCall<Req, Res> = {
        call,
        request: call.request,
        answer(value) {
          active--;
          resolve(answered(value, call.meta));
        },
        fail(error, verdict = {}) {
          active--;
          resolve(failed(error, { fault: "upstream", retryable: true, ...verdict }, call.meta));
        },
        throw(error) {
          active--;
          reject(error);
        },
        stream(first) {
          const source = scriptedSource(() => active--);
          call.mark("token");
          const { stream, end } = relay(source.iterator, call, { first: { done: false, value: first } });
          resolve(answered(stream as Res, call.meta, end));
          return source.script;
        },
      };
      const taker = waiting.shift();
      if (taker === undefined) arrived.push(scripted);
      else taker(scripted);
    });
  };

  return {
    upstream: Object.assign(handler, { traits: { marks: ["dispatched", "token"] as const, ...traits } }),
    next: () => {
      const call = arrived.shift();
      return call === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(call);
    },
    get calls() {
      return calls;
    },
    get active() {
      return active;
    },
  };
}

type Step = { readonly item: unknown } | { readonly error: unknown } | "end";

function scriptedSource(onStop: () => void): { iterator: AsyncIterator<unknown>; script: ScriptedStream } {
  const steps: Step[] = [];
  let wake: (() => void) | undefined;
  let stopped = false;
  const stop = (): void => {
    if (stopped) return;
    stopped = true;
    onStop();
    wake?.();
  };
  const say = (step: Step): void => {
    steps.push(step);
    wake?.();
  };
  const iterator: AsyncIterator<unknown> = {
    async next() {
      while (steps.length === 0 && !stopped) await new Promise<void>((resolve) => (wake = resolve));
      const step = steps.shift();
      if (step === undefined || step === "end") {
        stop();
        return { done: true, value: undefined };
      }
      if ("error" in step) {
        stop();
        throw step.error;
      }
      return { done: false, value: step.item };
    },
    async return() {
      stop();
      return { done: true, value: undefined };
    },
  };
  const script: ScriptedStream = {
    push: (item) => say({ item }),
    end: () => say("end"),
    fail: (error) => say({ error }),
    get stopped() {
      return stopped;
    },
  };
  return { iterator, script };
}
