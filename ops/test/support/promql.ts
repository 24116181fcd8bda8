import { INSTRUMENTS } from "@breakwater/telemetry";

/** The labels that a metric of ours has, by the name that it has in Prometheus. */
const METRICS: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  INSTRUMENTS.flatMap(({ prometheus, type, labels }) => {
    const name = `breakwater_${prometheus}`;
    if (type !== "histogram") return [[name, new Set<string>(labels)]];
    const whole = new Set<string>(labels);
    return [
      [`${name}_bucket`, new Set([...whole, "le"])],
      [`${name}_count`, whole],
      [`${name}_sum`, whole],
    ];
  }),
);

/** What Prometheus adds to all that it scrapes, and Kubernetes's discovery beside it. */
const SCRAPED: ReadonlySet<string> = new Set(["job", "instance", "namespace", "pod"]);

/** What labels can be whose values are ours; those of the others are whatever somebody has called something. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  outcome: ["answered", "failed", "refused", "cancelled"],
  state: ["closed", "open", "half-open", "forced-open", "forced-closed", "low"],
  category: ["useful", "retryWaste", "hedgeWaste", "cancelled", "failed", "cached"],
  because: ["attempts", "budget", "deadline", "nested", "not-idempotent"],
  mode: ["enforce", "shadow", "off"],
  to: ["open", "half-open", "closed"],
  kind: `fresh hit stale join fallback overload upstream caller timeout store RATE_LIMITED BULKHEAD_FULL QUEUE_TIMEOUT
    CIRCUIT_OPEN DEADLINE_TOO_SHORT STORE_UNAVAILABLE DRAINING`.split(/\s+/),
};

const SELECTOR = /(?<![\w:])([a-zA-Z_:][\w:]*breakwater_[\w:]+|breakwater_\w+)\s*(?:\{([^}]*)\})?/g;
const MATCHER = /(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g;
const LABEL_LIST = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;

/** The metrics that an expression asks for. */
export function metricsIn(expr: string): readonly string[] {
  return [...expr.matchAll(SELECTOR)].map(([, name = ""]) => name);
}

/**
 * What is wrong with an expression: metrics that nobody tells, labels that they do not have, and values that those do not
 * take. That it is PromQL at all Prometheus itself says.
 *
 * @param recorded what rules record, with the labels that are left
 */
export function complaintsAbout(
  expr: string,
  recorded: ReadonlyMap<string, ReadonlySet<string>> = new Map(),
): readonly string[] {
  const known = new Set<string>(SCRAPED);
  const complaints: string[] = [];
  for (const [, name = "", matchers = ""] of expr.matchAll(SELECTOR)) {
    const labels = METRICS.get(name) ?? recorded.get(name);
    if (labels === undefined) {
      complaints.push(`nobody tells ${name}`);
      continue;
    }
    for (const label of labels) known.add(label);
    for (const [, label = "", , wanted = ""] of matchers.matchAll(MATCHER)) {
      if (!labels.has(label) && !SCRAPED.has(label)) complaints.push(`${name} has no label ${label}`);
      const values = VALUES[label];
      if (values === undefined || wanted.startsWith("$")) continue;
      for (const value of wanted.split("|"))
        if (!values.some((one) => new RegExp(`^(?:${value})$`).test(one)))
          complaints.push(`${label} of ${name} is never ${value}`);
    }
  }
  for (const label of labelsIn(expr))
    if (!known.has(label)) complaints.push(`nothing has the label ${label}`);
  return complaints;
}

/** The same of a metric that a text names, where a histogram is named as a whole. */
export function complaintsAboutName(name: string): readonly string[] {
  return METRICS.has(name) || METRICS.has(`${name}_bucket`) ? [] : [`nobody tells ${name}`];
}

/** What an expression groups by and matches on. */
export function labelsIn(expr: string): readonly string[] {
  return [...expr.matchAll(LABEL_LIST)]
    .flatMap(([, list = ""]) => list.split(","))
    .map((label) => label.trim())
    .filter((label) => label !== "");
}
