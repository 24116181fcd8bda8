// What the compiler must see by itself, and what it must refuse. Checked by tsc.
import { expectTypeOf } from "vitest";

import {
  bulkhead,
  circuitBreaker,
  type Client,
  createClient,
  createPipeline,
  fallback,
  type Outcome,
  retry,
  timeout,
  upstream,
} from "../src/index.ts";

interface Question {
  readonly text: string;
  readonly user: string;
}
interface Answer {
  readonly words: number;
}
const answering = upstream(async (question: Question): Promise<Answer> => ({ words: question.text.length }));

// Callbacks are typed from the upstream, with no annotation.
const ask = createClient(
  answering,
  fallback({ value: (question) => ({ words: question.user.length }) }),
  retry({
    when: (outcome, call) => {
      expectTypeOf(outcome).toEqualTypeOf<Outcome<Answer>>();
      expectTypeOf(call.request).toEqualTypeOf<Question>();
      return outcome.status === "failed";
    },
    request: (question) => ({ ...question, text: "shorter" }),
  }),
  bulkhead({ concurrency: 2, key: (question) => question.user }),
);
expectTypeOf(ask).toExtend<Client<Question, Answer>>();
expectTypeOf(ask({ text: "", user: "" })).toEqualTypeOf<Promise<Answer>>();

// @ts-expect-error -- not a property of the request
createClient(answering, bulkhead({ concurrency: 2, key: (question) => question.tenant }));
// @ts-expect-error -- not an answer
createClient(answering, fallback({ value: () => "three" }));

// A policy on its own line fits clients of different upstreams.
const shared = circuitBreaker({ name: "shared" });
createClient(answering, shared, timeout({ total: "1s" }));
createClient(
  upstream((n: number) => n + 1),
  shared,
);

// One that says what it is for fits nothing else.
const forNumbers = retry<number, number>({ when: (outcome) => outcome.status === "failed" });
createClient(
  upstream((n: number) => n + 1),
  forNumbers,
);
// @ts-expect-error -- made for numbers
createClient(answering, forNumbers);

// A pipeline is a policy, and keeps the type of what it runs.
const pipeline = createPipeline(retry(), shared);
createClient(answering, pipeline);
expectTypeOf(pipeline.execute(async () => 1)).toEqualTypeOf<Promise<number>>();
expectTypeOf(pipeline.wrap((a: string, b: number) => `${a}${b}`)).toEqualTypeOf<
  (a: string, b: number) => Promise<string>
>();

// A client is a target, with settings or without.
createClient(ask, retry());
createClient({ upstream: ask, name: "outer" }, fallback({ to: ask }));
// @ts-expect-error -- a string is no duration
timeout({ total: "soon" });
