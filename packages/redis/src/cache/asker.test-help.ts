// A process of its own that asks what its parent tells it to, through a cache in Redis. Its upstream is the parent.
import { cache, type Call, createClient, failed, type Outcome, UpstreamError } from "@breakwater/core";
import { Cluster, Redis } from "ioredis";

import { openLink } from "../connection/open-link.ts";
import { createScope } from "../keys.ts";
import { readRedisOptions } from "../options.ts";
import { createRedisCache } from "./create-cache.ts";

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

const [url = "", scopeName = "", leaseMs = "1000"] = process.argv.slice(2);
const scope = createScope(scopeName);
// Patient: on a busy machine nobody is to fetch by himself just because Redis was not heard in time.
const config = readRedisOptions({ url, scope: scopeName, decisionTimeout: "5s" });
const link = openLink(config, scope, { Cluster, Redis });
const store = createRedisCache({
  link,
  scope,
  instance: `${process.pid}`,
  leaseMs: Number(leaseMs),
  memoryBytes: 1024 * 1024,
  memoryMs: 5_000,
});
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

link.onChange((up) => {
  if (up) say("ready");
});
if (link.up) say("ready");
