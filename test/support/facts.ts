import { posix } from "node:path";

import { parseSync } from "vite";

/**
 * What a source file imports and which globals it names, as short strings that a rule can match:
 * `import node:fs`, `import ./packages/core/src/call.ts`, `setTimeout`, `Date.now`, `new Date`.
 */
export interface Fact {
  readonly text: string;
  readonly line: number;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly [key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";

const nameOf = (value: unknown): string | undefined =>
  isNode(value) && value.type === "Identifier" ? String(value["name"]) : undefined;

const valueOf = (value: unknown): string | undefined =>
  isNode(value) && value.type === "Literal" && typeof value["value"] === "string"
    ? value["value"]
    : undefined;

const IMPORTING = new Set([
  "ImportDeclaration",
  "ExportNamedDeclaration",
  "ExportAllDeclaration",
  "ImportExpression",
  "TSImportType",
]);
const KEYED = new Set([
  "Property",
  "PropertyDefinition",
  "MethodDefinition",
  "TSPropertySignature",
  "TSMethodSignature",
]);

/** The file's path is what relative imports are resolved against. */
export function factsOf(path: string, source: string): Fact[] {
  const { program, errors } = parseSync(path, source);
  const [broken] = errors;
  if (broken) throw new Error(`${path}: ${broken.message}`);

  const facts: Fact[] = [];
  const add = (text: string, node: Node): void => {
    facts.push({ text, line: source.slice(0, node.start).split("\n").length });
  };

  const visit = (node: Node): void => {
    if (IMPORTING.has(node.type)) {
      const specifier = valueOf(node["source"]);
      if (specifier !== undefined)
        add(
          `import ${specifier.startsWith(".") ? `./${posix.join(posix.dirname(path), specifier)}` : specifier}`,
          node,
        );
    }
    const name = nameOf(node);
    if (name !== undefined) add(name, node);
    if (node.type === "NewExpression") add(`new ${nameOf(node["callee"])}`, node);
    const isMember = node.type === "MemberExpression" && node["computed"] === false;
    if (isMember) add(`${nameOf(node["object"])}.${nameOf(node["property"])}`, node);
    for (const [key, child] of Object.entries(node)) {
      // The name of a property is not the global of that name.
      if (isMember && key === "property") continue;
      if (KEYED.has(node.type) && key === "key" && node["computed"] !== true) continue;
      for (const one of Array.isArray(child) ? child : [child]) if (isNode(one)) visit(one);
    }
  };
  visit(program as unknown as Node);
  return facts;
}
