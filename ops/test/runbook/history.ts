import { promtool } from "@breakwater-internal/prometheus-server";

/** As often as Prometheus comes by, in ms. */
export const SCRAPE_MS = 15_000;

/** What Prometheus would have kept of a server: every figure, each time that it came by. */
export interface History {
  /** Now, in scrapes. */
  readonly length: number;
  /** It came by and was given this. `undefined`: nobody answered; `null`: it does not look there any more. */
  scraped(exposition: string | undefined | null): void;
  /**
   * Whether all of the questions are answered as they should be, by the real PromQL.
   *
   * @param rules that were evaluated meanwhile
   * @throws Error what is otherwise
   */
  check(questions: readonly Question[], rules: string): Promise<void>;
}

export interface Question {
  readonly query: string;
  /** At which scrape. */
  readonly at: number;
  /** Whether there is a result. */
  readonly holds: boolean;
}

export function createHistory(): History {
  const series = new Map<string, string[]>();
  let length = 0;

  function keep(name: string, value: string): void {
    let values = series.get(name);
    if (values === undefined) series.set(name, (values = Array.from({ length }, () => "_")));
    values.push(value);
  }

  return {
    get length() {
      return length;
    },
    scraped(exposition) {
      if (exposition !== null) {
        keep(withLabels("up"), exposition === undefined ? "0" : "1");
        for (const [name, value] of samplesOf(exposition ?? "")) keep(withLabels(name), value);
      }
      length++;
      // A figure that is not told any more is not there any more: Prometheus takes a note of it.
      for (const values of series.values()) {
        if (values.length < length)
          values.push(values.at(-1) === "_" || values.at(-1) === "stale" ? "_" : "stale");
      }
    },
    async check(questions, rules) {
      const test = {
        rule_files: ["rules.yml"],
        evaluation_interval: `${SCRAPE_MS}ms`,
        tests: [
          {
            interval: `${SCRAPE_MS}ms`,
            input_series: [...series].map(([name, values]) => ({ series: name, values: values.join(" ") })),
            promql_expr_test: questions.map(({ query, at, holds }) => ({
              expr: `(count(${query}) > bool 0) or vector(0)`,
              eval_time: `${at * SCRAPE_MS}ms`,
              exp_samples: [{ labels: "{}", value: holds ? 1 : 0 }],
            })),
          },
        ],
      };
      const { ok, said } = await promtool(["test", "rules", "test.yml"], {
        files: { "test.yml": test, "rules.yml": rules },
      });
      if (!ok) throw new Error(said);
    },
  };
}

/** Of the text that Prometheus is given. */
function samplesOf(exposition: string): readonly (readonly [name: string, value: string])[] {
  return exposition
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), line.slice(end + 1)];
    });
}

/** With what Prometheus says of where a figure is from. */
function withLabels(name: string): string {
  const labels = 'job="breakwater",instance="drill"';
  return name.endsWith("}") ? `${name.slice(0, -1)},${labels}}` : `${name}{${labels}}`;
}
