import { usePrometheus } from "@breakwater-internal/prometheus-server/vitest";
import { useRedis } from "@breakwater-internal/redis-server/vitest";
// The runbook is executed: a server is brought into each state that the page tells of, what it says to look at is looked at,
// and what it says to do is done.
import { createMemoryInstanceStore } from "@breakwater/core";
import { describe, expect, onTestFinished, test } from "vitest";

import { causes, type Drill, drills, newStore, type World } from "./runbook/drills.ts";
import { createHistory, type Question } from "./runbook/history.ts";
import { readPage, type Section } from "./runbook/page.ts";
import { inShell, missingPrograms } from "./runbook/shell.ts";
import { startStage, type Stage } from "./runbook/stage.ts";
import { read } from "./support/files.ts";
import { complaintsAbout } from "./support/promql.ts";
import { alerts } from "./support/rules.ts";

const page = readPage();
const { functions, sections } = page;

const rules = read("prometheus/alerts.yml");
const urls = alerts.map(({ alert, annotations }) => ({ alert, url: annotations?.["runbook_url"] ?? "" }));
const alertsOf = ({ anchor }: Section): readonly string[] =>
  urls.filter(({ url }) => url.endsWith(`#${anchor}`)).map(({ alert }) => alert);

describe("the page", () => {
  test("has a section for every alert, and an alert for every section", () => {
    const wanted = urls.map(({ url }) => url.slice(url.indexOf("#") + 1));
    expect(urls.filter(({ url }) => !url.includes("docs/runbook.md#"))).toEqual([]);
    expect([...new Set(wanted)].toSorted(byName)).toEqual(
      sections.map(({ anchor }) => anchor).toSorted(byName),
    );
  });

  test("is drilled as a whole", () => {
    expect(sections.map(({ anchor }) => anchor).toSorted(byName)).toEqual(
      Object.keys(drills).toSorted(byName),
    );
  });

  test.each(sections)("tells in $anchor what to look at, and when it helped", ({ look, helped }) => {
    expect(look.queries.length).toBeGreaterThan(0);
    expect(look.commands.flatMap(({ shows }) => shows).length).toBeGreaterThan(0);
    expect(helped.length).toBeGreaterThan(0);
  });

  test.each(sections)("asks in $anchor for metrics and labels that there are", (section) => {
    expect(queriesOf(section).flatMap((query) => complaintsAbout(query))).toEqual([]);
  });

  test("asks afterwards for what is still held", () => {
    expect(page.aside.length).toBeGreaterThan(0);
    expect(page.aside.flatMap((query) => complaintsAbout(query))).toEqual([]);
  });
});

describe("its queries", () => {
  const prometheus = usePrometheus();

  test.each(sections)("of $anchor are PromQL", async (section) => {
    for (const query of queriesOf(section)) expect(await prometheus.format(query)).toBeTruthy();
  });

  test("tell the causes of one symptom from one another", { timeout: 120_000 }, async () => {
    const known = sections.flatMap((section) => section.aside);
    for (const { begin, stage: options, told, what } of causes) {
      const queries = known.filter((query) => query.includes(told));
      expect({ [what]: queries.length }).toEqual({ [what]: 1 });
      const stage = await startStage(options?.());
      try {
        await stage.pass(6);
        const before = stage.history.length - 1;
        begin(stage);
        await stage.pass(8);
        const after = stage.history.length - 1;
        await stage.history.check(
          queries.flatMap((query) => [
            { query, at: before, holds: false },
            { query, at: after, holds: true },
          ]),
          rules,
        );
      } finally {
        await stage.close();
      }
    }
  });
});

describe("the drill", () => {
  const redis = useRedis();
  usePrometheus(); // whether there is one: what is asked of a history is asked of its promtool
  const missing = missingPrograms();
  if (missing.length > 0) console.warn(`The drills are skipped: there is no ${missing.join(" and no ")}.`);

  test.skipIf(missing.length > 0).each(sections)("$anchor", { timeout: 120_000 }, async (section) => {
    const drill = drills[section.anchor] as Drill;
    const store = newStore(redis.server, section.anchor);
    const world = { redis: redis.server, store };
    const stage = await startStage(drill.stage?.(world));
    onTestFinished(async () => {
      await stage.close();
      await store.close();
    });
    const questions: Question[] = [];
    const ask = (queries: readonly string[], holds: boolean): void => {
      for (const query of queries) questions.push({ query, at: stage.history.length - 1, holds });
    };
    const firing = `ALERTS{alertname=~"${alertsOf(section).join("|")}", alertstate="firing"}`;

    await stage.pass(3);
    await drill.begin(stage, world);
    await stage.pass(drill.minutes ?? 12);
    ask([firing, ...section.look.queries], true);
    ask(section.helped, false);
    for (const { line, shows } of section.look.commands)
      expect({ [line]: await inShell(functions, line, stage.env) }).toEqual({
        [line]: expect.stringMatching(patternOf(shows)),
      });

    for (const [i, { line }] of section.act.entries()) {
      await act(line, drill, stage, world);
      if (i === 0) drill.meanwhile?.(stage);
    }
    await drill.others?.(stage, world);
    while (drill.until?.(stage) === false) await stage.pass(0.25);
    await stage.pass(drill.recovery ?? 12);
    ask(section.helped, true);
    ask([firing], false);
    await stage.history.check(questions, rules);
  });

  test.skipIf(missing.length > 0)("SCOPE=all changes what all instances do", async () => {
    const instances = createMemoryInstanceStore();
    const stages = [await startStage({ instances }), await startStage({ instances })];
    onTestFinished(async () => {
      for (const stage of stages) await stage.close();
    });
    const [asked, other] = stages as [Stage, Stage];
    for (const stage of stages) await stage.pass(0.25);
    const line = `SCOPE=all change deepseek retry '{ "update": { "attempts": 2 } }'`;
    expect(await inShell(functions, line, asked.env)).toContain('"changed"');
    for (const stage of stages) await stage.pass(0.25);
    const attempts = `look '.clients[0].policies[] | select(.kind == "retry") | .options.attempts'`;
    expect(await inShell(functions, attempts, other.env)).toBe("2");
  });

  async function act(line: string, drill: Drill, stage: Stage, world: World): Promise<void> {
    const here = drill.machine?.[line];
    if (here !== undefined) return here(stage, world);
    expect({ [line]: await inShell(functions, line, stage.env) }).toEqual({
      [line]: expect.stringContaining('"changed"'),
    });
  }
});

describe("a history", () => {
  usePrometheus();

  test("tells what is not so", async () => {
    const history = createHistory();
    for (const exposition of ["here 1\n", undefined, "here 2\n"]) history.scraped(exposition);
    const groups = JSON.stringify({ groups: [] });
    const about = (query: string, at: number, holds: boolean) =>
      history.check([{ query, at, holds }], groups);
    await about("here == 1", 0, true);
    await about("here", 1, false);
    await about("up == 0", 1, true);
    await about("here == 2", 2, true);
    await expect(about("here == 1", 2, true)).rejects.toThrow("here == 1");
    await expect(about("here", 0, false)).rejects.toThrow("here");
  });
});

/** `…` stands for whatever it may be. */
const patternOf = (shows: readonly string[]): RegExp =>
  new RegExp(`^${shows.map((line) => line.split("…").map(quoted).join(".+")).join("\n")}$`);
const quoted = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

const byName = (a: string, b: string): number => a.localeCompare(b);
const queriesOf = ({ look, helped, aside }: Section): readonly string[] => [
  ...look.queries,
  ...helped,
  ...aside,
];
