// A process of its own that asks what its parent tells it to, through a cache in Redis. Its upstream is the parent.
import { cache, type Call, createClient, failed, type Outcome, UpstreamError } from "@breakwater/core";

import { redisStore } from "../index.ts";

/** What the parent says. */
export type Order =
  | { readonly ask: string; readonly callers: number; readonly id: number }
  | { readonly answer: string }
  | { readonly fail: string }
  | { readonly forget: string };

/** What the process says. */
export type Report =
  | "ready"
  | "called"
  | "forgotten"
  | { readonly id: number; readonly outcomes: readonly string[] };

const [url = "", scope = "", leaseMs = ""] = process.argv.slice(2);
// Patient: on a busy machine nobody is to fetch by himself just because Redis was not heard in time.
const store = redisStore({ url, scope, lease: Number(leaseMs), decisionTimeout: "5s" });
const policy = cache<string, string>({
  name: "answers",
  ttl: "2s",
  ttlJitter: 0,
  staleIfError: "1m",
  key: (question) => question,
  shared: true,
  store,
});

let conclude: (order: Order) => void = () => {};

const upstream = async (call: Call<string>): Promise<Outcome<string>> => {
  const order = await new Promise<Order>((resolve) => {
    conclude = resolve;
    say("called");
  });
  if ("answer" in order) return { status: "answered", value: order.answer, meta: call.meta };
  const error = new UpstreamError("OVERLOADED", "fail" in order ? order.fail : "?", {
    status: 503,
    retryable: true,
  });
  return failed(error, { fault: "upstream", retryable: true }, call.meta);
};
const client = createClient<string, string>(upstream, policy);

function say(report: Report): void {
  process.send?.(report);
}

function told(outcome: Outcome<string>): string {
  if (outcome.status === "answered") return `${outcome.meta.cache}: ${outcome.value}`;
  return `${outcome.status}: ${outcome.status === "failed" ? (outcome.error as Error).message : ""}`;
}

async function forget(question: string): Promise<void> {
  await policy.delete(question);
  say("forgotten");
}

process.on("message", (order: Order) => {
  if ("ask" in order) {
    const asked = Array.from({ length: order.callers }, async () => told(await client.outcome(order.ask)));
    void Promise.all(asked).then((outcomes) => say({ id: order.id, outcomes }));
  } else if ("forget" in order) void forget(order.forget);
  else conclude(order);
});
process.on("disconnect", () => process.exit());

async function begin(): Promise<void> {
  while (!store.status().up) await new Promise(setImmediate);
  say("ready");
}

void begin();
