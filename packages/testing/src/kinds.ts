import {
  type FunctionContext,
  type MaybePromise,
  type Outcome,
  type Upstream,
  upstream,
} from "@breakwater/core";

/** How an upstream answers: with a value, with a promise, or with a stream. */
export type Kind = "at once" | "later" | "as a stream";

/** One way to answer. */
export interface UpstreamKind {
  readonly kind: Kind;
  /**
   * Answers with what `f` returns, or fails with what it throws. As a stream it has one item, `f`'s result, after an
   * empty one: so that what fails has already begun.
   */
  upstream<Req>(f: (request: Req, context: FunctionContext) => unknown): Upstream<Req, unknown>;
}

const KINDS: readonly UpstreamKind[] = [
  { kind: "at once", upstream: (f) => upstream(f) },
  { kind: "later", upstream: (f) => upstream(async (request, context) => f(request, context)) },
  {
    kind: "as a stream",
    upstream: (f) =>
      upstream(
        async function* (request, context) {
          yield undefined;
          yield f(request, context);
        },
        { marks: ["dispatched", "token"] },
      ),
  },
];

/**
 * Says something of every kind of upstream: a policy that holds for promises only is no policy for a stream.
 *
 * @example
 * ```ts
 * import { createClient, retry } from "@breakwater/core";
 * import { finish, forEachKind } from "@breakwater/testing";
 *
 * const said: string[] = [];
 * forEachKind(({ kind, upstream }) => {
 *   // in a test file: it(`answers ${kind}`, async () => {
 *   const ask = createClient(upstream((name: string) => `hello ${name}`), retry());
 *   void finish(ask.outcome("Ada")).then(({ value }) => said.push(`${kind}: ${value}`));
 * });
 * ```
 */
export function forEachKind(say: (kind: UpstreamKind) => void): void {
  for (const kind of KINDS) say(kind);
}

/** What a call came to in the end, its stream read to the last item. */
export interface Finished {
  readonly status: Outcome<unknown>["status"];
  /** The answer; of a stream its last item. */
  readonly value?: unknown;
  /** What it failed with, the refusal, or the reason of the cancellation. */
  readonly error?: unknown;
}

/** Reads an answer to its end. Never throws. */
export async function finish(asked: MaybePromise<Outcome<unknown>>): Promise<Finished> {
  const outcome = await asked;
  switch (outcome.status) {
    case "failed":
      return { status: "failed", error: outcome.error };
    case "refused":
      return { status: "refused", error: outcome.refusal };
    case "cancelled":
      return { status: "cancelled", error: outcome.reason };
    case "answered":
      return outcome.end === undefined
        ? { status: "answered", value: outcome.value }
        : readToTheEnd(outcome.value as AsyncIterable<unknown>, outcome.end);
  }
}

async function readToTheEnd(
  stream: AsyncIterable<unknown>,
  end: Promise<{ readonly status: Finished["status"] }>,
): Promise<Finished> {
  let value: unknown;
  try {
    for await (const item of stream) value = item;
  } catch (error) {
    return { status: (await end).status, error };
  }
  return { status: (await end).status, value };
}
