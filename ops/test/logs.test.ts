import { LOG_FIELDS } from "@breakwater/telemetry";
import { pino } from "pino";
import { beforeAll, describe, expect, test } from "vitest";

import { read, readJson, readYaml } from "./support/files.ts";
import { startService } from "./support/service.ts";

type Fields = Readonly<Record<string, unknown>>;
interface Mapping {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Mapping>>;
}
interface Template {
  readonly index_patterns: readonly string[];
  readonly template: {
    readonly settings: { readonly index: { readonly default_pipeline: string } };
    readonly mappings: Mapping;
  };
}
interface Pipeline {
  readonly processors: readonly Readonly<Record<string, Fields>>[];
}
interface Vector {
  readonly transforms: { readonly ours: { readonly source: string } };
  readonly sinks: {
    readonly elasticsearch: {
      readonly data_stream: Readonly<Record<"type" | "dataset" | "namespace", string>>;
    };
  };
}

const template = readJson<Template>("logs/index-template.json");
const pipeline = readJson<Pipeline>("logs/ingest-pipeline.json");
const vector = readYaml("logs/vector.yaml")[0] as Vector;
const { source } = vector.transforms.ours;
const types = new Map(typesOf(template.template.mappings));

/** Path and type of each field that is indexed. */
function typesOf({ type, properties = {} }: Mapping, path = ""): [string, string][] {
  if (type !== undefined) return [[path, type]];
  return Object.entries(properties).flatMap(([name, each]) =>
    typesOf(each, path === "" ? name : `${path}.${name}`),
  );
}

/** Path and value of each field of a document. */
function valuesOf(fields: Fields, path = ""): [string, unknown][] {
  return Object.entries(fields).flatMap(([name, value]): [string, unknown][] => {
    const at = path === "" ? name : `${path}.${name}`;
    return typeof value === "object" && value !== null ? valuesOf(value as Fields, at) : [[at, value]];
  });
}

describe("a line that a server has written", () => {
  const texts: string[] = [];
  let lines: readonly Fields[] = [];
  beforeAll(async () => {
    const service = await startService(
      pino({ level: "debug" }, { write: (text: string) => void texts.push(text) }),
    );
    await service.close();
    lines = texts.map((text) => JSON.parse(text) as Fields);
  });

  test("has fields that the index knows, each of the type that it expects", () => {
    const seen = new Set<unknown>();
    for (const { breakwater } of lines)
      for (const [path, value] of valuesOf(breakwater as Fields, "breakwater")) {
        expect([path, fits(value, types.get(path))]).toEqual([path, true]);
        if (path === "breakwater.type" || path === "breakwater.ending.status") seen.add(value);
      }
    // Enough of them to mean something.
    expect([...seen]).toEqual(
      expect.arrayContaining([
        "call-end",
        "attempt-end",
        "answered",
        "failed",
        "refused",
        "breaker-open",
        "policy-change",
      ]),
    );
  });

  test("has what Vector and the pipeline take out of it, and at the levels that they know", () => {
    const wanted = new Set([
      ...named(source, /\bline\.(\w+)/g),
      ...named(JSON.stringify(pipeline), /\bline\??\.(\w+)/g),
    ]);
    expect(wanted).toEqual(new Set(["breakwater", "hostname", "level", "msg", "pid", "time"]));
    for (const line of lines) for (const name of wanted) expect(line).toHaveProperty(name);
    for (const { time } of lines) expect(new Date(time as number).getUTCFullYear()).toBeGreaterThan(2_000);
    const levels = new Set(lines.map(({ level }) => level));
    expect(levels).toEqual(new Set([20, 30, 40, 50]));
    for (const level of levels) expect(JSON.stringify(pipeline)).toContain(`level == ${String(level)}"`);
    for (const level of [30, 40, 50, 60])
      expect(source).toMatch(new RegExp(`level == ${level} \\{\\s+"${pino.levels.labels[level]}"\\s+\\}`));
  });

  test("is what Filebeat looks for, and another is not", () => {
    const [input] = (
      readYaml("logs/filebeat.yml")[0] as {
        "filebeat.inputs": readonly { readonly include_lines: readonly string[] }[];
      }
    )["filebeat.inputs"];
    const [wanted = ""] = input?.include_lines ?? [];
    for (const text of texts) expect(text).toMatch(new RegExp(wanted));
    pino({}, { write: (text: string) => expect(text).not.toMatch(new RegExp(wanted)) }).info("breakwater: {");
  });
});

describe("the index", () => {
  test("has each field of LOG_FIELDS with its type, and no other one", () => {
    const own = [...types].filter(([path]) => path.startsWith("breakwater."));
    expect(new Map(own)).toEqual(new Map(LOG_FIELDS.map(({ path, type }) => [path, type])));
  });

  test("has what Vector and the pipeline put beside them", () => {
    const made = ["@timestamp", "message", "log.level", "host.name", "process.pid"];
    for (const path of made) expect(types.has(path)).toBe(true);
    const set = pipeline.processors.flatMap((processor) =>
      Object.entries(processor).flatMap(([kind, { field }]) => (kind === "set" ? [String(field)] : [])),
    );
    expect(new Set(set)).toEqual(new Set([...made.slice(1), "breakwater"]));
    for (const path of ["timestamp", "message", "log", "host", "process", "breakwater"])
      expect(source).toContain(`  "${path}": `);
  });

  test("is the one that both write to", () => {
    const { type, dataset, namespace } = vector.sinks.elasticsearch.data_stream;
    const stream = `${type}-${dataset}-${namespace}`;
    expect(stream).toMatch(new RegExp(`^${template.index_patterns[0]?.replace("*", ".*")}$`));
    expect(readYaml("logs/filebeat.yml")[0]).toMatchObject({ "output.elasticsearch": { index: stream } });
    expect(template.template.settings.index.default_pipeline).toBe("breakwater");
  });

  test("has every field that the README asks for", () => {
    const asked = named(read("logs/README.md"), /(breakwater(?:\.\w+)+)/g);
    expect(asked.length).toBeGreaterThan(5);
    expect(asked.filter((path) => !types.has(path))).toEqual([]);
  });
});

const named = (text: string, pattern: RegExp): readonly string[] =>
  [...text.matchAll(pattern)].map(([, name = ""]) => name);

/** Whether an index with this type takes the value. A long takes whole numbers only. */
function fits(value: unknown, type: string | undefined): boolean {
  switch (type) {
    case "keyword":
    case "text":
      return typeof value === "string";
    case "long":
      return Number.isInteger(value);
    case "double":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
    default:
      return false;
  }
}
