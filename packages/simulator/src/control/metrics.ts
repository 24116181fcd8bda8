import type { Attempt } from "../attempt-log.ts";
import type { SimulatorState } from "../engine.ts";

/** What of the ended attempts is counted for the metrics. Every label has few values. */
export interface Tally {
  readonly statuses: ReadonlyMap<string, number>;
  /** By name, without parameters. */
  readonly faults: ReadonlyMap<string, number>;
  count(attempt: Attempt): void;
}

export function createTally(): Tally {
  const statuses = new Map<string, number>();
  const faults = new Map<string, number>();
  const add = (counts: Map<string, number>, name: string): void =>
    void counts.set(name, (counts.get(name) ?? 0) + 1);
  return {
    statuses,
    faults,
    count({ status, fault }) {
      // 0: the connection ended before there was one.
      add(statuses, String(status));
      const [name] = (fault ?? "").split(";");
      if (name) add(faults, name);
    },
  };
}

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

const escape = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

function metric(name: string, type: "counter" | "gauge", help: string, samples: readonly Sample[]): string {
  const full = `deepseek_simulator_${name}`;
  const lines = samples.map(([labels, value]) => {
    const inside = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`);
    return `${full}${inside.length === 0 ? "" : `{${inside.join(",")}}`} ${value}`;
  });
  return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...lines, ""].join("\n");
}

/** The state in the text format of Prometheus. */
export function metricsText(state: SimulatorState, tally: Tally): string {
  const { totals, replicas, accounts } = state;
  const from = (counts: Iterable<readonly [string, number]>, label: string): Sample[] =>
    [...counts].map(([name, value]) => [{ [label]: name }, value] as const);
  const ofReplicas = (read: (replica: (typeof replicas)[number]) => number): Sample[] =>
    replicas.map((replica) => [{ replica: replica.name }, read(replica)] as const);
  const ofModels = (
    read: (account: (typeof accounts)[number]) => Readonly<Record<string, number>>,
  ): Sample[] =>
    accounts.flatMap((account) =>
      Object.entries(read(account)).map(([model, value]) => [{ account: account.id, model }, value] as const),
    );

  return [
    metric("clock_seconds", "gauge", "Simulated time since the start.", [[{}, state.nowMs / 1000]]),
    metric("attempts_total", "counter", "Ended attempts.", from(Object.entries(totals.outcomes), "outcome")),
    metric("responses_total", "counter", "Ended attempts by status.", from(tally.statuses, "status")),
    metric("faults_total", "counter", "Ended attempts that a fault struck.", from(tally.faults, "fault")),
    metric("tokens_generated_total", "counter", "Tokens computed.", [[{}, totals.tokensGenerated]]),
    metric("tokens_wasted_total", "counter", "Tokens computed in vain.", [[{}, totals.tokensWasted]]),
    metric("billed_usd_total", "counter", "US dollars billed.", [[{}, totals.billedUsd]]),
    metric("open", "gauge", "Requests that are not over.", [[{}, state.open]]),
    metric(
      "active",
      "gauge",
      "Answers being computed.",
      ofReplicas((replica) => replica.active),
    ),
    metric(
      "queued",
      "gauge",
      "Requests waiting for a slot.",
      ofReplicas((replica) => replica.queued),
    ),
    metric(
      "slots",
      "gauge",
      "Answers that can be computed at once.",
      ofReplicas((replica) => replica.slots),
    ),
    metric(
      "up",
      "gauge",
      "Whether the replica can be reached.",
      ofReplicas((replica) => Number(replica.up)),
    ),
    metric(
      "in_flight",
      "gauge",
      "Requests that count for the account.",
      ofModels((account) => account.inFlight),
    ),
    metric(
      "concurrency_limit",
      "gauge",
      "The account's limit.",
      ofModels((account) => account.limit),
    ),
    metric(
      "balance_usd",
      "gauge",
      "What is left of the account's money.",
      accounts.map((account) => [{ account: account.id }, account.balanceUsd] as const),
    ),
  ].join("");
}
