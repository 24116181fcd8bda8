import { builtinModules } from "node:module";

import { describe, expect, test } from "vitest";

import { type Fact, factsOf } from "./support/facts.ts";
import { filesBelow, isTest, manifestOf, packages, programs, read } from "./support/repository.ts";

interface Rule {
  /** The sources that the rule is about; tests are not, unless `tests` says so. */
  readonly files: RegExp;
  readonly tests?: boolean;
  /** What they must not import or name. */
  readonly not: RegExp | ((fact: string, file: string) => boolean);
  readonly except?: RegExp;
  readonly because: string;
}

/** `policies/retry/backoff.ts` and `policies/retry.ts` both belong to the policy `retry`. */
const policyOf = (path: string): string | undefined =>
  /packages\/core\/src\/policies\/([^/.]+)/.exec(path)?.[1];

const rules: readonly Rule[] = [
  {
    files: /^packages\/core\/src\//,
    not: /^import (?!\.\/packages\/core\/src\/)/,
    because: "core runs on any runtime and brings nothing with it",
  },
  {
    files: /^packages\/core\/src\//,
    not: /^(globalThis\.)?(setTimeout|setInterval|setImmediate|performance|Date\.now|new Date|Math\.random)$/,
    except: /^packages\/core\/src\/runtime\.ts$/,
    because: "time and chance are injected through one Runtime, so that tests own them",
  },
  {
    files: /^packages\/redis\/src\//,
    not: /^(globalThis\.)?(setTimeout|setInterval|performance|Date\.now|new Date|Math\.random)$/,
    because: "the server's clock decides what is shared, and the Runtime what is waited for here",
  },
  {
    files: /^packages\/core\/src\/policies\//,
    not: (fact, file) => policyOf(fact) !== undefined && policyOf(fact) !== policyOf(file),
    because: "policies compose through handlers and never know one another",
  },
  {
    files: /^packages\/telemetry\/src\/(?!prometheus\/|opentelemetry\/)/,
    not: /^import (prom-client|@opentelemetry\/)/,
    because: "who writes logs need not install what counts: each backend has an entry of its own",
  },
  {
    files: /^packages\/(http|express|koa|nestjs)\/src\//,
    not: /^import @breakwater\/(deepseek|simulator|redis)/,
    because: "adapters know clients, outcomes and their framework, nothing of DeepSeek or Redis",
  },
  {
    files: /^packages\/(testing|deepseek|http|redis|telemetry)\/src\//,
    not: /^import @breakwater\/(?!core$)/,
    because: "arrows between packages point at core",
  },
  {
    files: /^packages\/(express|koa|nestjs)\/src\//,
    not: /^import @breakwater\/(?!core$|http$)/,
    because: "a framework's adapter stands on core and http alone",
  },
  {
    files: /^packages\/simulator\/src\//,
    tests: true,
    not: /^import @breakwater\//,
    because: "the simulator stands for DeepSeek, and DeepSeek does not know us",
  },
  {
    files: /^packages\/[^/]+\/src\//,
    not: /^import @breakwater\/(testing|simulator)/,
    because: "what is shipped must not need what it is tested with",
  },
  {
    files: /^packages\/[^/]+\/src\//,
    not: (fact, file) => fact.startsWith("import ./") && !sameFolder(fact, file),
    because: "a package reaches another by its name: a relative path is not there once it is published",
  },
  {
    files: /^packages\/[^/]+\/src\//,
    not: /^AbortSignal\.(any|timeout)$/,
    because: "each costs up to 40 µs a call, holds its sources, and its timer is not the Runtime's",
  },
];

function sameFolder(fact: string, file: string): boolean {
  const folder = /^packages\/[^/]+\//.exec(file)?.[0];
  return folder !== undefined && fact.startsWith(`import ./${folder}`);
}

function violations(rule: Rule, file: string, facts: readonly Fact[]): string[] {
  if (!rule.files.test(file) || rule.except?.test(file) || (isTest(file) && !rule.tests)) return [];
  const { not } = rule;
  return facts
    .filter(({ text }) => (typeof not === "function" ? not(text, file) : not.test(text)))
    .map(({ text, line }) => `${file}:${line}: "${text}" is not allowed here, because ${rule.because}`);
}

const sources = new Map(
  [...packages, ...programs]
    .flatMap((folder) => filesBelow(folder))
    .filter((path) => /(^|\/)(src|test)\/.*\.[cm]?ts$/.test(path))
    .map((path) => [path, factsOf(path, read(path))]),
);

describe("directions", () => {
  test.each(rules)("$because", (rule) => {
    expect([...sources].flatMap(([file, facts]) => violations(rule, file, facts))).toEqual([]);
  });

  test("core has no dependencies", () => {
    const { dependencies, peerDependencies } = manifestOf("packages/core");
    expect({ ...dependencies, ...peerDependencies }).toEqual({});
  });

  test("a rule says where, what and why", () => {
    const file = "packages/core/src/policies/retry/index.ts";
    const source =
      'import { x } from "../hedge/index.ts";\nimport { y } from "./backoff.ts";\nx(y, Date.now());\n';
    expect(rules.flatMap((rule) => violations(rule, file, factsOf(file, source)))).toEqual([
      `${file}:3: "Date.now" is not allowed here, because time and chance are injected through one Runtime, so that tests own them`,
      `${file}:1: "import ./packages/core/src/policies/hedge/index.ts" is not allowed here, because policies compose through handlers and never know one another`,
    ]);
  });

  test("every way to import is seen, and a property is not taken for a global", () => {
    const source = [
      'import type { A } from "a";',
      'export * from "b";',
      'export { c } from "./c.ts";',
      'const d = await import("d");',
      'type E = import("e").E;',
      "runtime.setTimeout(() => {}, 1); interface Clock { setTimeout(): void }",
      '// import "f";  setTimeout()',
    ].join("\n");
    const facts = factsOf("x/y.ts", source).map(({ text }) => text);
    expect(facts.filter((text) => text.startsWith("import "))).toEqual(
      ["a", "b", "./x/c.ts", "d", "e"].map((to) => `import ${to}`),
    );
    expect(facts).not.toContain("setTimeout");
  });
});

describe("dependencies", () => {
  const builtin = new Set(builtinModules);
  const packageOf = (specifier: string): string =>
    specifier
      .split("/")
      .slice(0, specifier.startsWith("@") ? 2 : 1)
      .join("/");

  test.each([...packages, ...programs])("%s declares what it imports", (folder) => {
    const own = manifestOf(folder);
    const shipped = { ...own.dependencies, ...own.peerDependencies, [own.name]: "itself" };
    const forTests = { ...shipped, ...own.devDependencies, ...manifestOf(".").devDependencies };
    const missing = [...sources]
      .filter(([file]) => file.startsWith(`${folder}/`))
      .flatMap(([file, facts]) =>
        facts
          .filter(({ text }) => /^import (?!node:|\.\/)/.test(text))
          .map(({ text, line }) => ({ name: packageOf(text.slice("import ".length)), line }))
          .filter(({ name }) => !builtin.has(name) && !Object.hasOwn(isTest(file) ? forTests : shipped, name))
          .map(({ name, line }) => `${file}:${line}: ${name}`),
      );
    expect(missing).toEqual([]);
  });
});
