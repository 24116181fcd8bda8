import { afterAll, beforeAll, beforeEach } from "vitest";

import { findPrometheus, NO_PROMETHEUS, prometheusIsUnwanted } from "../../scripts/find-prometheus.mjs";
import { type Prometheus, type PrometheusOptions, startPrometheus } from "./prometheus.ts";

/** What a test file may do with the server of `usePrometheus` once its tests run: all but stop it. */
export type PrometheusInTests = Pick<
  Prometheus,
  "url" | "version" | "query" | "format" | "alerts" | "until" | "untilAlert"
>;

/** The first one on a machine is fetched; `npm test` has done that already. */
const LONGEST_FETCH_MS = 900_000;

/**
 * A Prometheus for the tests of this file, or of the `describe` that it is called in: started before the first, stopped
 * after the last; with it they may use `promtool`. Where there is none, or with BREAKWATER_TEST_PROMETHEUS=none, they are
 * skipped and say why; one that is named and does not start fails them.
 *
 * @param options a function, where they are known only when tests run: the port that is scraped
 *
 * @example
 * const prometheus = usePrometheus();
 * test("…", async () => expect(await prometheus.query("1 + 1")).toEqual([{ labels: {}, value: 2 }]));
 */
export function usePrometheus(
  options: PrometheusOptions | (() => PrometheusOptions | Promise<PrometheusOptions>) = {},
): PrometheusInTests {
  let running: Prometheus | undefined;
  let missing = prometheusIsUnwanted() ? "BREAKWATER_TEST_PROMETHEUS=none" : undefined;
  const say = (): void => console.warn(`The tests with a Prometheus are skipped: ${missing}`);
  if (missing !== undefined) say();

  beforeAll(async () => {
    if (missing !== undefined) return;
    if (findPrometheus() !== undefined) {
      running = await startPrometheus(typeof options === "function" ? await options() : options);
      return;
    }
    const named = process.env["BREAKWATER_TEST_PROMETHEUS"];
    if (named !== undefined && named !== "")
      throw new Error(`BREAKWATER_TEST_PROMETHEUS is ${named}, which is no Prometheus that starts.`);
    missing = NO_PROMETHEUS;
    say();
  }, LONGEST_FETCH_MS);
  beforeEach(({ skip }) => skip(missing !== undefined, missing));
  afterAll(() => running?.stop());

  const server = (): Prometheus => {
    if (running === undefined) throw new Error("usePrometheus: the server runs while tests do, not before.");
    return running;
  };
  return {
    get url() {
      return server().url;
    },
    get version() {
      return server().version;
    },
    query: (expr) => server().query(expr),
    format: (expr) => server().format(expr),
    alerts: () => server().alerts(),
    until: (...wait) => server().until(...wait),
    untilAlert: (...wait) => server().untilAlert(...wait),
  };
}
