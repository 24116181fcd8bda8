import { parseSync } from "vite";

import type { Fence } from "./fences.ts";

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && "start" in value;

function* statements(node: Node): Generator<Node> {
  if (node.type === "ExpressionStatement" || node.type === "VariableDeclaration") yield node;
  for (const child of Object.values(node).flat()) if (isNode(child)) yield* statements(child);
}

/** What `statement // => expected` compares, and whether the statement must stay as it is. */
function subjectOf(statement: Node, code: string): { text: string; keep: boolean } | undefined {
  const textOf = (node: Node): string => code.slice(node.start, node.end);
  if (statement.type === "VariableDeclaration") {
    const [declared, ...others] = statement["declarations"] as Node[];
    const id = declared?.["id"] as Node | undefined;
    return id?.type === "Identifier" && others.length === 0
      ? { text: String(id["name"]), keep: true }
      : undefined;
  }
  const expression = statement["expression"] as Node;
  const [printed] = (expression["arguments"] as Node[] | undefined) ?? [];
  const prints =
    expression.type === "CallExpression" && textOf(expression["callee"] as Node) === "console.log";
  return { text: textOf(prints && printed ? printed : expression), keep: false };
}

/**
 * The module that a fence is: each `expression // => expected` has become an assertion, and every line has the number
 * that it has in the page, so that an error points there.
 */
export function moduleOf({ file, line, language, code }: Fence): string {
  const where = `${file}:${line}`;
  const { program, comments, errors } = parseSync(`fence.${language}`, code);
  const [broken] = errors;
  if (broken) throw new Error(`${where}: ${broken.message}`);

  const candidates = [...statements(program as unknown as Node)];
  let result = code;
  for (const comment of comments.toReversed()) {
    const [, expected] = /^\s*=>\s*(.+)$/.exec(comment.type === "Line" ? comment.value : "") ?? [];
    if (expected === undefined) continue;
    const statement = candidates.findLast(
      ({ end }) => end <= comment.start && code.slice(end, comment.start).trim() === "",
    );
    const subject = statement && subjectOf(statement, code);
    if (!statement || !subject)
      throw new Error(`${where}: "// =>${expected}" follows nothing that has a value`);
    const before = code.slice(0, subject.keep ? statement.end : statement.start);
    const assertion = `__assert.deepEqual(${subject.text}, ${expected});`;
    result = `${before} ${assertion} ${result.slice(comment.end)}`;
  }
  return `import __assert from "node:assert/strict";${"\n".repeat(line - 1)}${result}\nexport {};\n`;
}
