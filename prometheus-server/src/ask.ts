/** One line of a result: its labels, `__name__` among them where it has a name, and its value. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Alert {
  readonly name: string;
  /** `pending`: its condition holds, and its `for` is not over yet. */
  readonly state: "pending" | "firing";
  readonly labels: Readonly<Record<string, string>>;
  /** Filled in: what is sent to whoever is woken. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** What can be asked of a running Prometheus. */
export interface Asked {
  /**
   * What an expression is worth now; a scalar is one sample without labels.
   *
   * @throws Error what Prometheus says, if it is no PromQL
   */
  query(expr: string): Promise<readonly Sample[]>;
  /** The expression as Prometheus would write it. @throws Error what it says, if that is no PromQL */
  format(expr: string): Promise<string>;
  /** What is pending or firing; what is neither is not told. */
  alerts(): Promise<readonly Alert[]>;
}

interface Own {
  isReady(): Promise<boolean>;
  flags(): Promise<Readonly<Record<string, string>>>;
}

type Point = readonly [at: number, value: string];
type Result =
  | {
      readonly resultType: "vector";
      readonly result: readonly { readonly metric: Record<string, string>; readonly value: Point }[];
    }
  | { readonly resultType: "scalar"; readonly result: Point }
  | { readonly resultType: "matrix" | "string" };

interface Told {
  readonly state: Alert["state"];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Of Prometheus's HTTP API what tests need. */
export function askPrometheus(url: string): Asked & Own {
  async function get<T>(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<T> {
    const response = await fetch(`${url}/api/v1/${path}`, {
      method: Object.keys(parameters).length > 0 ? "POST" : "GET",
      ...(Object.keys(parameters).length > 0 && { body: new URLSearchParams(parameters) }),
    });
    const { status, data, error } = (await response.json()) as { status: string; data: T; error?: string };
    if (status !== "success") throw new Error(`${error}${inExpression(parameters)}`);
    return data;
  }

  return {
    query: async (expr) => samplesOf(await get<Result>("query", { query: expr }), expr),
    format: (expr) => get<string>("format_query", { query: expr }),
    async alerts() {
      const { alerts } = await get<{ readonly alerts: readonly Told[] }>("alerts");
      return alerts.map(({ state, labels, annotations }) => ({
        name: labels["alertname"] ?? "",
        state,
        labels,
        annotations,
      }));
    },
    isReady: async () => (await fetch(`${url}/-/ready`)).ok,
    flags: () => get("status/flags"),
  };
}

const inExpression = ({ query }: Readonly<Record<string, string>>): string =>
  query === undefined ? "" : `, in: ${query}`;

function samplesOf(data: Result, expr: string): readonly Sample[] {
  switch (data.resultType) {
    case "vector":
      return data.result.map(({ metric, value }) => ({ labels: metric, value: numberOf(value) }));
    case "scalar":
      return [{ labels: {}, value: numberOf(data.result) }];
    default:
      throw new Error(`This has no value at one moment, but is a ${data.resultType}: ${expr}`);
  }
}

/** `+Inf` is what Prometheus writes where JavaScript reads `Infinity`. */
const numberOf = ([, value]: Point): number => Number(value.replace("Inf", "Infinity"));
