type Library = "breakwater" | "telemetry" | "cockatiel" | "opossum" | "direct";

/** One library in one case; a variant where the library can be used in more than one way. */
export interface Side {
  readonly library: Library;
  readonly variant?: string;
  /** What the table calls it. */
  readonly label: string;
}

/** What is measured side by side. The first side is ours; ratios are of the others to it. */
export interface Case {
  readonly name: string;
  readonly title: string;
  readonly sides: readonly [Side, ...Side[]];
}

const ours: Side = { library: "breakwater", label: "Breakwater" };
const pipeline: Side = { library: "breakwater", variant: "pipeline", label: "Breakwater, `createPipeline`" };
const outcome: Side = { library: "breakwater", label: "Breakwater, `.outcome()`" };
const thrown: Side = { library: "breakwater", variant: "throw", label: "Breakwater, thrown" };
const cockatiel: Side = { library: "cockatiel", label: "cockatiel" };
const keep: Side = { library: "cockatiel", variant: "keep", label: "cockatiel, `abortOnReturn: false`" };
const opossum: Side = { library: "opossum", label: "opossum" };
const direct: Side = { library: "direct", label: "no library" };

export const CASES: readonly Case[] = [
  { name: "client", title: "no policy", sides: [ours, direct] },
  { name: "retry", title: "retry", sides: [ours, cockatiel] },
  { name: "circuit-breaker", title: "circuit breaker", sides: [ours, cockatiel, opossum] },
  { name: "bulkhead", title: "bulkhead", sides: [ours, cockatiel] },
  { name: "timeout", title: "timeout", sides: [ours, cockatiel, keep, opossum] },
  { name: "fallback", title: "fallback", sides: [ours, cockatiel] },
  // No peer limits rates.
  { name: "rate-limit", title: "rate limit", sides: [ours] },
  { name: "cache-hit", title: "cache hit", sides: [ours, opossum] },
  { name: "stack", title: "retry + breaker + bulkhead", sides: [ours, pipeline, cockatiel, opossum] },
  {
    name: "stack-signal",
    title: "retry + breaker + bulkhead, signal read",
    sides: [ours, cockatiel, opossum],
  },
  {
    name: "stack-timeout",
    title: "retry + breaker + bulkhead + timeout",
    sides: [ours, pipeline, cockatiel, keep, opossum],
  },
  {
    name: "stack-timeout-signal",
    title: "retry + breaker + bulkhead + timeout, signal read",
    sides: [ours, cockatiel, keep, opossum],
  },
  {
    name: "told",
    title: "retry + breaker + bulkhead, and who is told",
    sides: [
      { library: "telemetry", label: "Breakwater, nobody" },
      { library: "telemetry", variant: "listener", label: "a listener that does nothing" },
      { library: "telemetry", variant: "logs", label: "`logs()`, pino" },
      { library: "telemetry", variant: "metrics", label: "`metrics()`, prom-client" },
      { library: "telemetry", variant: "meters", label: "`meters()`, OpenTelemetry" },
      { library: "telemetry", variant: "spans", label: "`spans()`, OpenTelemetry" },
      { library: "telemetry", variant: "admin", label: "`admin()`" },
    ],
  },
  { name: "refused-full", title: "refused: full bulkhead", sides: [outcome, thrown, cockatiel, opossum] },
  { name: "refused-open", title: "refused: open circuit", sides: [outcome, thrown, cockatiel, opossum] },
];

/** The name of a subject in its library's list. */
export const keyOf = (name: string, { variant }: Side): string =>
  variant === undefined ? name : `${name}/${variant}`;
