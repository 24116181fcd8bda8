// The queries of docs/observability.md are copied into dashboards.
import { usePrometheus } from "@breakwater-internal/prometheus-server/vitest";
import { describe, expect, test } from "vitest";

import { read } from "./support/files.ts";
import { complaintsAbout } from "./support/promql.ts";

const queries = [...read("../docs/observability.md").matchAll(/^```promql\n([\s\S]*?)^```$/gm)]
  .flatMap(([, body = ""]) => body.split("\n"))
  .filter((line) => line !== "" && !line.startsWith("#"));

describe("what to look at first", () => {
  const prometheus = usePrometheus();

  test("is there", () => {
    expect(queries.length).toBeGreaterThanOrEqual(5);
  });

  test.each(queries)("%s asks for what there is", async (query) => {
    expect(complaintsAbout(query)).toEqual([]);
    expect(await prometheus.format(query)).toContain("breakwater_");
  });
});
