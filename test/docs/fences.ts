import { parseSync } from "vite";

/** A piece of code in a page or in a doc comment. */
export interface Fence {
  /** The file that it stands in, and the line of its first line of code. */
  readonly file: string;
  readonly line: number;
  readonly language: "ts" | "js";
  /** False for ` ```ts no-run `: it is only compiled. */
  readonly runs: boolean;
  readonly code: string;
}

const OPENING = /^(\s*)(`{3,})(ts|js)(\s+no-run)?\s*$/;

/** The fences of a Markdown text whose first line has the given number. */
export function fencesOfMarkdown(file: string, text: string, firstLine = 1): Fence[] {
  const lines = text.split("\n");
  const fences: Fence[] = [];
  for (let at = 0; at < lines.length; at++) {
    const [, indent = "", marks = "", language, noRun] = OPENING.exec(lines[at] ?? "") ?? [];
    if (!language) continue;
    const first = at + 1;
    const length = lines.slice(first).findIndex((line) => line.trim() === marks);
    if (length < 0) throw new Error(`${file}:${firstLine + at}: the fence is never closed`);
    fences.push({
      file,
      line: firstLine + first,
      language: language as Fence["language"],
      runs: noRun === undefined,
      code: lines
        .slice(first, first + length)
        .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
        .join("\n"),
    });
    at = first + length;
  }
  return fences;
}

/** The fences in the doc comments of a source file. */
export function fencesOfSource(file: string, source: string): Fence[] {
  return parseSync(file, source)
    .comments.filter(({ type, value }) => type === "Block" && value.startsWith("*"))
    .flatMap(({ value, start }) => {
      const text = value.replaceAll(/^[ \t]*\* ?/gm, "");
      return fencesOfMarkdown(file, text, source.slice(0, start).split("\n").length);
    });
}
