import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";

import { findPrometheus, NO_PROMETHEUS } from "../../scripts/find-prometheus.mjs";
import { promtool, startPrometheus } from "./index.ts";
import { usePrometheus } from "./vitest.ts";

const RULES = {
  groups: [
    {
      name: "tests",
      interval: "100ms",
      rules: [
        {
          alert: "Warm",
          expr: "degrees > 20",
          labels: { severity: "ticket" },
          annotations: { summary: "{{ $value }} in the {{ $labels.room }}" },
        },
      ],
    },
  ],
};

describe("a server", () => {
  let degrees = 19;
  let scraped: Server;
  beforeAll(async () => {
    scraped = createServer((_, response) => {
      response.setHeader("content-type", "text/plain; version=0.0.4");
      response.end(`# TYPE degrees gauge\ndegrees{room="kitchen"} ${degrees}\n`);
    }).listen(0, "127.0.0.1");
    await once(scraped, "listening");
  });
  afterAll(() => {
    scraped.close();
    scraped.closeAllConnections();
  });

  const prometheus = usePrometheus(() => ({
    config: {
      global: { scrape_interval: "100ms", evaluation_interval: "100ms" },
      rule_files: ["rules.yml"],
      scrape_configs: [
        {
          job_name: "test",
          static_configs: [{ targets: [`127.0.0.1:${(scraped.address() as AddressInfo).port}`] }],
        },
      ],
    },
    files: { "rules.yml": RULES },
  }));

  test("scrapes, and answers what it is asked", async () => {
    const [seen] = await prometheus.until("degrees");
    expect(seen).toMatchObject({ labels: { __name__: "degrees", room: "kitchen" }, value: 19 });
    expect(await prometheus.query("scalar(degrees) / 0")).toEqual([{ labels: {}, value: Infinity }]);
    expect(await prometheus.query("nothing")).toEqual([]);
    expect(prometheus.version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test("tells an alert that fires, and waits until it is over", async () => {
    expect(await prometheus.alerts()).toEqual([]);
    degrees = 21;
    const [alert] = await prometheus.untilAlert("Warm", "firing");
    expect(alert).toMatchObject({
      name: "Warm",
      state: "firing",
      labels: { room: "kitchen", severity: "ticket" },
      annotations: { summary: "21 in the kitchen" },
    });
    degrees = 19;
    expect(await prometheus.untilAlert("Warm", "inactive")).toEqual([]);
  });

  test("says what never came, and what there was instead", async () => {
    await expect(prometheus.until("degrees > bool 100", (seen) => seen[0]?.value === 1, 100)).rejects.toThrow(
      /not come to this in 100 ms: degrees > bool 100\. Last seen: \[\{.*"value":0\}\]/,
    );
  });

  test("formats an expression, and says what is wrong with one", async () => {
    expect(await prometheus.format("sum( rate( a[5m] ) )")).toBe("sum(rate(a[5m]))");
    await expect(prometheus.format("sum(rate(a[5m])")).rejects.toThrow(/unclosed left parenthesis, in: sum/);
    await expect(prometheus.query("a[5m]")).rejects.toThrow("is a matrix");
  });
});

describe("of several servers each", () => {
  beforeEach(({ skip }) => skip(findPrometheus() === undefined, NO_PROMETHEUS));
  const temporary = mkdtempSync(join(tmpdir(), "breakwater-several-"));
  beforeEach(() => void vi.stubEnv("TMPDIR", temporary));
  afterAll(() => rmSync(temporary, { recursive: true }));

  test("has its own port, and leaves neither a process nor a folder", async () => {
    const [one, other] = await Promise.all([startPrometheus(), startPrometheus()]);
    expect(one.port).not.toBe(other.port);
    const [flags] = await one.query("vector(1)");
    expect(flags?.value).toBe(1);
    await Promise.all([one.stop(), other.stop()]);
    await expect(one.query("1")).rejects.toThrow("fetch failed");
    for (const { pid } of [one, other]) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("says why it does not start, and leaves nothing behind", async () => {
    const config = { scrape_configs: [{ job: "misspelt" }] };
    await expect(startPrometheus({ config })).rejects.toThrow(/field job not found/);
    const running = await startPrometheus();
    try {
      await expect(startPrometheus({ port: running.port })).rejects.toThrow(/address already in use/);
    } finally {
      await running.stop();
    }
    expect(readdirSync(temporary)).toEqual([]);
  });
});

describe("promtool", () => {
  beforeEach(({ skip }) => skip(findPrometheus() === undefined, NO_PROMETHEUS));

  test("checks files that it is given", async () => {
    expect(await promtool(["check", "rules", "rules.yml"], { files: { "rules.yml": RULES } })).toMatchObject({
      ok: true,
      said: expect.stringContaining("1 rules found"),
    });
    const broken = "groups: [{ name: a, rules: [{ alert: A, expr: 'sum(' }] }]";
    const { ok, said } = await promtool(["check", "rules", "rules.yml"], { files: { "rules.yml": broken } });
    expect([ok, said]).toEqual([false, expect.stringContaining("unclosed left parenthesis")]);
  });

  test("reads what it is told to look at", async () => {
    const input = "# TYPE a_seconds counter\na_seconds 1\n";
    const { said } = await promtool(["check", "metrics"], { input });
    expect(said).toContain('counter metrics should have "_total" suffix');
    expect(said).toContain("no help text");
  });

  test("writes into no folder that is not its own", async () => {
    await expect(promtool(["--version"], { folder: tmpdir(), files: { a: "b" } })).rejects.toThrow(
      "leave out folder",
    );
  });
});
